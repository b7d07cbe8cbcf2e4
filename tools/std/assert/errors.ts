import { AssertionError, failWith } from "./assertion_error.ts";

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** Fails unless `error` is an `Error`, of the given class, whose message holds the given text. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) failWith(`Expected "error" to be an Error object`, msg);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    const actual = Reflect.get(error, "constructor")?.name;
    failWith(
      `Expected error to be instance of "${ErrorClass.name}", but was "${actual}" (${error.message})`,
      msg,
    );
  }
  if (!msgMatches) return;
  const found = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches.test(error.message);
  if (found) return;
  const wanted = typeof msgMatches === "string" ? JSON.stringify(msgMatches) : String(msgMatches);
  failWith(
    `Expected error message to include ${wanted}, but got ${JSON.stringify(error.message)}`,
    msg,
  );
}

/** Fails unless `fn` throws. Returns what was thrown. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an error of the given class and message. Returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: ErrorClass<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const message = typeof classOrMsg === "string" ? classOrMsg : msg;
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    return checkThrown(thrown, classOrMsg, msgIncludes, message);
  }
  failWith("Expected function to throw", message);
}

/** Fails unless the promise of `fn` rejects. Resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise rejects with an error of that class and message. Resolves to it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const message = typeof classOrMsg === "string" ? classOrMsg : msg;
  const promise = startRejecting(fn, message);
  try {
    await promise;
  } catch (error) {
    return checkThrown(error, classOrMsg, msgIncludes, message);
  }
  failWith("Expected function to reject", message);
}

/** Calls `fn`. Throwing at once, or returning no promise, is not a rejection. */
function startRejecting(
  fn: () => PromiseLike<unknown>,
  msg: string | undefined,
): PromiseLike<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    const text = "Function throws when expected to reject";
    throw new AssertionError(msg ? `${text}: ${msg}` : `${text}.`, { cause: error });
  }
  if (typeof promise?.then !== "function") failWith("Function throws when expected to reject", msg);
  return promise;
}

function checkThrown(
  error: unknown,
  classOrMsg: ErrorClass<Error> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): unknown {
  if (typeof classOrMsg === "function") assertIsError(error, classOrMsg, msgIncludes, msg);
  return error;
}
