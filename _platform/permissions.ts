/**
 * The kinds of permissions that a process can have less of.
 *
 * @module
 */

import type { PermissionKind } from "./mod.ts";

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
