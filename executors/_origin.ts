/**
 * The origin of a thread: the process that it is in, by the name that it was started with, the
 * program's main module, and its configuration; in a child process, its access to the parent too.
 * Only the main thread of a program could find these out by itself; all other threads are given
 * them.
 *
 * They are given their ids as well, by which they are known in the table of threads. Random ones
 * might be the same in all threads of a program that is to repeat itself, as with `--seed`.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { randomName } from "../_platform/random.ts";

/** The origin that a worker is given. */
export interface Origin {
  /** The name that its process was started with; `undefined` in the main process. */
  readonly process: string | undefined;
  /** The main module of the program; `undefined` in its processes. */
  readonly mainModule: string | undefined;
  /** In a process: what `findConfig` of the program's `processes` found. */
  readonly config: string | undefined;
}

/** What a thread of a child process is given for its access; see `_parent_access.ts`. */
export interface ParentAccess {
  /** To the process's host. */
  readonly port: MessagePort;
  /** The host's id in the table of threads. */
  readonly host: number;
}

let origin: Origin | undefined;
let access: ParentAccess | undefined;
let id: string | undefined;

/**
 * Sets the origin of this thread, its access, and the id that its starter has given it. Call before
 * any use; if the id was used before, as by the first lines of a bundle, it stays what it was.
 */
export function setOrigin(
  told: Origin,
  given: ParentAccess | undefined,
  givenId: string,
): void {
  origin = told;
  access = given;
  id ??= givenId;
}

/** Distinguishes this thread from others, in this program and others of the same origin. */
export function ownId(): string {
  return id ??= randomName();
}

/** The origin of this thread. */
export function ownOrigin(): Origin {
  return origin ??= {
    process: undefined,
    mainModule: platform.mainModule,
    config: undefined,
  };
}

/** The access of this thread; `undefined` outside of child processes. */
export function ownAccess(): ParentAccess | undefined {
  return access;
}
