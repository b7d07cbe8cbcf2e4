/**
 * What is asked of all options: that they are there. A number in their place, as Python would have it, would be ignored, and
 * a wait that it was to end be endless.
 *
 * @module
 */

import { deadlineAfter } from "./clock.ts";

/**
 * Throws unless options are an object, and no list, which is one of arguments.
 *
 * @param act What is attempted, for the error text: `make Lock`.
 * @param example What options look like.
 */
export function checkOptions(act: string, options: unknown, example: string): void {
  const isList = Array.isArray(options);
  if (typeof options === "object" && options !== null && !isList) return;
  const got = isList ? "a list" : options === null ? "null" : typeof options;
  throw new TypeError(`Cannot ${act}: expected options such as ${example}, got ${got}`);
}

/**
 * The point in time until which a call waits that has these options.
 *
 * @throws {RangeError} When the timeout is negative or not a number.
 * @throws {TypeError} When the timeout is no number, or these are no options.
 */
export function deadlineOf(options: { readonly timeout?: number | null }): number {
  checkOptions("wait", options, "{ timeout: 100 }");
  return deadlineAfter(options.timeout);
}

/** The name that options give an object; `act` is for error texts. */
export function nameIn(act: string, options: { readonly name?: string }): string | undefined {
  checkOptions(act, options, '{ name: "accounts" }');
  return options.name;
}
