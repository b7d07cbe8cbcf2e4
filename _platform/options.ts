/**
 * Checks that are common to all options. A number in the place of options, as Python takes a
 * timeout, would be ignored, and the wait that it should end would be endless.
 *
 * @module
 */

import { deadlineAfter } from "./clock.ts";

/**
 * Throws unless options are an object and not a list; a list there is one of arguments.
 *
 * @param act What is attempted, for the error text: `make Lock`.
 * @param example An example of options, for the error text.
 */
export function checkOptions(act: string, options: unknown, example: string): void {
  const isList = Array.isArray(options);
  if (typeof options === "object" && options !== null && !isList) return;
  const got = isList ? "a list" : options === null ? "null" : typeof options;
  throw new TypeError(`Cannot ${act}: expected options such as ${example}, got ${got}`);
}

/**
 * The point in time until which a call with these options waits.
 *
 * @throws {RangeError} When the timeout is negative or NaN.
 * @throws {TypeError} When the timeout is neither a number nor left out, or `options` is not an
 * object.
 */
export function deadlineOf(options: { readonly timeout?: number | null }): number {
  checkOptions("wait", options, "{ timeout: 100 }");
  return deadlineAfter(options.timeout);
}

/** The name that options give to an object; `act` is for error texts. */
export function nameIn(act: string, options: { readonly name?: string }): string | undefined {
  checkOptions(act, options, '{ name: "accounts" }');
  return options.name;
}
