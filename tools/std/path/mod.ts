/**
 * A stand-in for `@std/path` with the functions this project uses, over `node:path` and `node:url`.
 *
 * Differs from the real one: `dirname` and `basename` take no URL, and the POSIX and Windows halves
 * are not exported.
 *
 * @module
 */

export { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The path that a `file:` URL names. Throws a `TypeError` for another kind of URL. */
export function fromFileUrl(url: URL | string): string {
  return fileURLToPath(url);
}

/** The `file:` URL of an absolute path. Throws a `TypeError` if the path is relative. */
export function toFileUrl(path: string): URL {
  const absolute = /^(?:[A-Za-z]:)?[\\/]/.test(path);
  if (!absolute) throw new TypeError(`Path must be absolute: received "${path}"`);
  return pathToFileURL(path);
}
