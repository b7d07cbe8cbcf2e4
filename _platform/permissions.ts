/**
 * What a process may do: it can have fewer permissions than the process that starts it.
 *
 * @module
 */

/**
 * What a child process may do of one kind: with `true` everything, with `false` nothing, with a
 * list only what the list names. Whatever this says, it may read the package's own modules, or
 * import from their host if that is where they are.
 */
export type Permission = boolean | readonly (string | URL)[];

/** The permissions of a child process, by kind. */
export type Permissions = Readonly<Partial<Record<PermissionKind, Permission | undefined>>>;

/** Kinds of permissions. */
export type PermissionKind = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi" | "import";

/** For each kind, what the items of a list name, as Deno's descriptors call it. */
export const PERMISSION_SCOPES: Readonly<Record<PermissionKind, string>> = {
  read: "path",
  write: "path",
  net: "host",
  env: "variable",
  run: "command",
  sys: "kind",
  ffi: "path",
  import: "host",
};

/** All kinds of permissions. */
export const PERMISSION_KINDS = Object.keys(PERMISSION_SCOPES) as readonly PermissionKind[];
