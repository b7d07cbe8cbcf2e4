/**
 * The origin of a thread: the process that it is in, by the name that it was started with, the
 * program's main module, and its configuration. Only the main thread of a program could find these
 * out by itself; all other threads are given them.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";

/** The origin that a worker is given. */
export interface Origin {
  /** The name that its process was started with; `undefined` in the main process. */
  readonly process: string | undefined;
  /** The main module of the program; `undefined` in its processes. */
  readonly mainModule: string | undefined;
  /** In a process: what `findConfig` of the program's `processes` found. */
  readonly config: string | undefined;
}

let origin: Origin | undefined;

/** Sets the origin of this thread. Call before any use. */
export function setOrigin(told: Origin): void {
  origin = told;
}

/** The origin of this thread. */
export function ownOrigin(): Origin {
  return origin ??= {
    process: undefined,
    mainModule: platform.mainModule,
    config: undefined,
  };
}
