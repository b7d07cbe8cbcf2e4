/**
 * Where a thread comes from: the process that it is in, as that was started, and the program's configuration. Only the main
 * thread of a program could find that out itself; all others are told.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";

/** What a worker is told of where it comes from. */
export interface Origin {
  /** The name that its process was started with; `undefined` in the main process. */
  readonly process: string | undefined;
  /** The main module of the program; `undefined` in its processes. */
  readonly mainModule: string | undefined;
  /** In a process: what the program's `findConfig` of its `processes` found. */
  readonly config: string | undefined;
}

let origin: Origin | undefined;

/** Says where this thread comes from. Call before any use. */
export function setOrigin(told: Origin): void {
  origin = told;
}

/** Where this thread comes from. */
export function ownOrigin(): Origin {
  return origin ??= {
    process: undefined,
    mainModule: platform.mainModule,
    config: undefined,
  };
}
