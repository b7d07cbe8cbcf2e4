/**
 * What the source text of a function may call although its author never wrote it: compilers put
 * such calls there, to keep the names of functions, and in place of `using` where the target is a
 * runtime without it. The functions called are elsewhere in the compiled file, so they do not cross
 * with the text.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";

/** What the end of a block disposes of. */
interface Resource {
  readonly isAsync: boolean;
  dispose(): unknown;
}

/** A block's resources, and what it threw, as TypeScript and swc keep them. */
interface Block {
  readonly stack: Resource[];
  readonly error: unknown;
  readonly hasError: boolean;
}

function keepName(fn: object, name: string): object {
  return Object.defineProperty(fn, "name", { value: name, configurable: true });
}

/** Keeps the value of a `using` or `await using` until its block ends; returns the value. */
function use(stack: Resource[], value: unknown, isAsync = false): unknown {
  if (value === undefined || value === null) {
    // The end of the block awaits all the same.
    if (isAsync) stack.push({ isAsync, dispose() {} });
    return value;
  }
  const methods = value as Partial<Disposable & AsyncDisposable>;
  const disposeAsync = isAsync ? methods[Symbol.asyncDispose] : undefined;
  const dispose = disposeAsync ?? methods[Symbol.dispose];
  if (Object(value) !== value || typeof dispose !== "function") {
    throw new TypeError(`Cannot use ${describe(value)}: it cannot be disposed of`);
  }
  stack.push({
    isAsync,
    dispose() {
      const result = dispose.call(value);
      // What a method returns that is not asynchronous is not awaited.
      return disposeAsync && result;
    },
  });
  return value;
}

/** Disposes of a block's resources, the last first; then throws what the block, or this, threw. */
function disposeAll(stack: Resource[], error: unknown, hasError = false): Promise<void> | void {
  const caught = (thrown: unknown): void => {
    error = hasError ? suppressing(thrown, error) : thrown;
    hasError = true;
  };
  const disposeRest = (): Promise<void> | void => {
    for (let resource = stack.pop(); resource !== undefined; resource = stack.pop()) {
      try {
        const result = resource.dispose();
        if (resource.isAsync) return Promise.resolve(result).catch(caught).then(disposeRest);
      } catch (thrown) {
        caught(thrown);
      }
    }
    if (hasError) throw error;
  };
  return disposeRest();
}

function suppressing(error: unknown, suppressed: unknown): Error {
  const message = "An error was suppressed during disposal";
  return typeof SuppressedError === "function"
    ? new SuppressedError(error, suppressed, message)
    : Object.assign(new Error(message), { name: "SuppressedError", error, suppressed });
}

function useIn({ stack }: Block, value: unknown, isAsync: boolean): unknown {
  return use(stack, value, isAsync);
}

function endBlock({ stack, error, hasError }: Block): Promise<void> | void {
  return disposeAll(stack, error, hasError);
}

/** The functions, by the names that compilers call them. */
export const compilerHelpers: Readonly<Record<string, (...args: never[]) => unknown>> = {
  // esbuild, and so tsx and Vitest
  __name: keepName,
  __using: use,
  __callDispose: disposeAll,
  // TypeScript
  __addDisposableResource: useIn,
  __disposeResources: endBlock,
  // swc
  _ts_add_disposable_resource: useIn,
  _ts_dispose_resources: endBlock,
};
