/**
 * What is done with the error that a thread ends with.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import type { Thread } from "./thread.ts";

/** The argument of the hook; see {@linkcode setExcepthook}. */
export interface ExceptHookArgs {
  /** What was thrown: usually an error, with its stack. */
  readonly excValue: unknown;
  /** The thread that has ended with the error. */
  readonly thread: Thread;
}

/**
 * A function that is called for each thread that ends with an error; see {@linkcode setExcepthook}.
 */
export type ExceptHook = (args: ExceptHookArgs) => unknown;

let current: ExceptHook | undefined;

/**
 * Calls the current hook: the one given to {@linkcode setExcepthook}, or else the default one,
 * which prints "Exception in thread NAME:" and the error with its stack to standard error. Never
 * throws: if the hook throws, its error is printed, and so is the one that it was called for.
 *
 * The library calls it for each thread that ends with an error. Python's `threading.excepthook`.
 *
 * @param args The error, and the thread.
 *
 * @example
 * ```ts
 * import { currentThread, excepthook, setExcepthook } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: unknown[] = [];
 * setExcepthook(({ excValue, thread }) => seen.push([excValue, thread.name]));
 * excepthook({ excValue: "out of paper", thread: currentThread() });
 * assertEquals(seen, [["out of paper", "MainThread"]]);
 * setExcepthook(null);
 * ```
 */
export function excepthook(args: ExceptHookArgs): void {
  if (current === undefined) return print(args);
  const onFailure = (error: unknown): void => {
    console.error("Exception in the excepthook:\n%O", error);
    print(args);
  };
  try {
    const returned = current(args);
    if (returned instanceof Promise) returned.catch(onFailure);
  } catch (error) {
    onFailure(error);
  }
}

/**
 * Sets a function that is called for each thread that ends with an error, instead of printing the
 * error. Whatever the function does, the program goes on, and its exit code does not change.
 *
 * It is called in the thread that started the failing one, when the starter's event loop turns or
 * when the starter waits in a call of this package, and before a `join` of the failing thread
 * returns. If the starter has ended, it is called in the main thread.
 *
 * **Differs from Python:** each thread has a hook of its own, as functions do not cross; Python has
 * one for the whole program, called in the failing thread. It is set by a function, as the exports
 * of a module cannot be assigned.
 *
 * @param hook The function; `null` for the default one.
 * @throws {TypeError} When `hook` is neither a function nor `null`.
 *
 * @example
 * ```ts
 * import { setExcepthook, Thread } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const errors: string[] = [];
 * setExcepthook(({ excValue, thread }) => errors.push(`${thread.name}: ${excValue}`));
 *
 * const thread = new Thread({
 *   name: "printer",
 *   target: () => {
 *     throw new RangeError("out of paper");
 *   },
 * });
 * thread.start();
 * await thread.join();
 * assertEquals(errors, ["printer: RangeError: out of paper"]);
 * setExcepthook(null);
 * ```
 */
export function setExcepthook(hook: ExceptHook | null): void {
  if (hook !== null && typeof hook !== "function") {
    throw new TypeError(
      `Cannot set excepthook: expected a function or null, got ${describe(hook)}`,
    );
  }
  current = hook ?? undefined;
}

function print({ excValue, thread }: ExceptHookArgs): void {
  console.error("Exception in thread %s:\n%O", thread.name, excValue);
}
