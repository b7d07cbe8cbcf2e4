/**
 * What a process may do: it can have less permissions than the one that starts it.
 *
 * @module
 */

/** What a child process may do: `true` all of the kind, `false` nothing, a list only what it names. */
export type Permission = boolean | readonly (string | URL)[];

/** The permissions of a child process, by kind. */
export type Permissions = Readonly<Partial<Record<PermissionKind, Permission | undefined>>>;

/** Kinds of permissions. */
export type PermissionKind = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi" | "import";

/** The kinds, and by what each names a part of itself. */
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

/** The kinds. */
export const PERMISSION_KINDS = Object.keys(PERMISSION_SCOPES) as readonly PermissionKind[];
