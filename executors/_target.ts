/**
 * How a function is named across a boundary.
 *
 * A function marked with `task` crosses as module URL and export name, as Python's pickle does it. Any other
 * crosses as its source text, and must then be self-contained.
 *
 * @module
 */

import { NotShareableError } from "../sync/errors.ts";

/** A function as it crosses. */
export type Target =
  | { readonly kind: "module"; readonly url: string; readonly name: string }
  | { readonly kind: "source"; readonly text: string; readonly name: string };

/** Any function. */
export type AnyFunction = (...args: never[]) => unknown;

/** Where a marked function keeps its module and name; survives a second copy of the package. */
export const TASK: unique symbol = Symbol.for("@concurrent/futures.task");

/** What {@linkcode TASK} holds. */
export interface TaskMark {
  readonly url: string;
  readonly name: string;
}

/** The mark of a function, if it has one. */
export function markOf(fn: AnyFunction): TaskMark | undefined {
  return (fn as { [TASK]?: TaskMark })[TASK];
}

const GENERATOR = /GeneratorFunction\]$/;
const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;

/**
 * How `fn` crosses.
 *
 * @throws {NotShareableError} When it cannot.
 */
export function targetOf(fn: AnyFunction): Target {
  if (GENERATOR.test(Object.prototype.toString.call(fn))) {
    throw new NotShareableError(
      `Cannot send generator function "${fn.name}": the generator that it returns cannot be sent back; return an array`,
    );
  }
  const mark = markOf(fn);
  if (mark !== undefined) return { kind: "module", url: mark.url, name: mark.name };
  const text = Function.prototype.toString.call(fn);
  const name = fn.name;
  if (NATIVE.test(text)) {
    const kind = name.startsWith("bound ") ? "bound" : "native";
    throw new NotShareableError(
      `Cannot send function "${name}": a ${kind} function has no source text; wrap it in a function of your own`,
    );
  }
  if (/^class\b/.test(text)) {
    throw new NotShareableError(
      `Cannot send class "${name}": a class is not called as a function; export a function that uses it`,
    );
  }
  return { kind: "source", text, name };
}

/**
 * The function that a target names, in this thread.
 *
 * @throws {NotShareableError} When the module cannot be imported or does not export it, or the source text is
 * no function on its own.
 */
export async function loadTarget(target: Target): Promise<AnyFunction> {
  return target.kind === "module"
    ? await importTarget(target.url, target.name)
    : compileTarget(target.text, target.name);
}

async function importTarget(url: string, name: string): Promise<AnyFunction> {
  let module: Record<string, unknown>;
  try {
    module = await import(url);
  } catch (error) {
    throw new NotShareableError(
      `Cannot load task "${name}": its module "${url}" failed to import here: ${describe(error)}`,
      { cause: error },
    );
  }
  const value = module[name];
  if (typeof value !== "function") {
    throw new NotShareableError(
      `Cannot load task "${name}": module "${url}" has no export "${name}" that is a function; export the task under the name of its function`,
    );
  }
  return value as AnyFunction;
}

function compileTarget(text: string, name: string): AnyFunction {
  // A method's source is valid only inside an object; the result is the value of its one property.
  const forms = [`return (${text}\n)`, `return Object.values({ ${text} })[0]`];
  let failure: unknown;
  for (const form of forms) {
    try {
      const fn: unknown = new Function(`"use strict"; ${form}`)();
      if (typeof fn === "function") return fn as AnyFunction;
    } catch (error) {
      failure ??= error;
    }
  }
  throw new NotShareableError(
    `Cannot load function "${name}" from its source text: ${
      describe(failure)
    }; export it from a module and mark it with task(import.meta, ...)`,
    { cause: failure },
  );
}

/**
 * What to tell about an error that a function sent as source text threw: where a name was not defined, it most
 * likely was a variable from around the function, which did not cross with it.
 */
export function explainCapture(target: Target, error: unknown): unknown {
  if (target.kind !== "source" || !(error instanceof ReferenceError)) return error;
  const match = /^(\S+) is not defined$/.exec(error.message);
  if (match === null) return error;
  const who = target.name === "" ? "the function" : `function "${target.name}"`;
  return new NotShareableError(
    `Cannot run ${who} here: it uses "${
      match[1]
    }" from around it, which does not cross to a worker; pass it as an argument, or export the function from a module and mark it with task(import.meta, ...)`,
    { cause: error },
  );
}

/** An error in a few words. */
export function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** What a failed submission is told: the signal's reason as it is, anything else as not shareable. */
export function submissionError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true || NotShareableError.is(error)) return error;
  return new NotShareableError(`Cannot submit task: ${describe(error)}`, { cause: error });
}

/** The error in place of an outcome that cannot be sent back. */
export function unsendable(error: unknown): NotShareableError {
  return new NotShareableError(`Cannot send the task's outcome: ${describe(error)}`, {
    cause: error,
  });
}
