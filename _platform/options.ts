/**
 * Checks that are common to all options. A number in the place of options, as Python takes a
 * timeout, would be ignored, and the wait that it should end would be endless.
 *
 * @module
 */

import { deadlineAfter } from "./clock.ts";
import { describe } from "./describe.ts";

/**
 * Throws unless options are an object and not a list; a list there is one of arguments.
 *
 * @param act What is attempted, for the error text: `make Lock`.
 * @param example An example of options, for the error text.
 */
export function checkOptions(act: string, options: unknown, example: string): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new TypeError(
    `Cannot ${act}: expected options such as ${example}, got ${describe(options)}`,
  );
}

/**
 * The point in time until which a call with these options waits.
 *
 * @throws {RangeError} When the timeout is negative or NaN.
 * @throws {TypeError} When the timeout is neither a number nor left out, the signal is none, or
 * `options` is not an object.
 */
export function deadlineOf(
  options: { readonly timeout?: number | null; readonly signal?: AbortSignal },
): number {
  checkOptions("wait", options, "{ timeout: 100 }");
  checkSignal("wait", options.signal);
  return deadlineAfter(options.timeout);
}

/**
 * Throws unless `signal` is a signal or left out: it is often mistaken for its controller. A signal
 * of another realm is one too, though it is no instance of this realm's class. As in `fetch`, `null`
 * is none.
 */
export function checkSignal(act: string, signal: unknown): void {
  if (signal === undefined || signal === null || isSignal(signal)) return;
  throw new TypeError(`Cannot ${act}: signal must be an AbortSignal, got ${describe(signal)}`);
}

function isSignal(value: unknown): boolean {
  return typeof value === "object" && value !== null && "aborted" in value &&
    typeof (value as Partial<AbortSignal>).addEventListener === "function";
}

/** Throws unless an option is a function or left out. */
export function checkFunction(act: string, name: string, option: unknown): void {
  if (option === undefined || typeof option === "function") return;
  throw new TypeError(`Cannot ${act}: ${name} must be a function, got ${describe(option)}`);
}

/** Throws unless an option is an array or left out. */
export function checkArray(act: string, name: string, option: unknown): void {
  if (option === undefined || Array.isArray(option)) return;
  throw new TypeError(`Cannot ${act}: ${name} must be an array, got ${describe(option)}`);
}

/** Throws unless a value is an integer. */
export function checkInteger(act: string, name: string, value: unknown): void {
  if (Number.isInteger(value)) return;
  throw new TypeError(`Cannot ${act}: ${name} must be an integer, got ${describe(value)}`);
}

/** Throws unless an option is an integer of 1 or more, or left out. */
export function checkCount(act: string, name: string, option: number | undefined): void {
  if (option === undefined) return;
  checkInteger(act, name, option);
  if (option < 1) throw new RangeError(`Cannot ${act}: ${name} must be 1 or more, got ${option}`);
}

/** The name that options give to an object; `act` is for error texts. */
export function nameIn(act: string, options: { readonly name?: string }): string | undefined {
  checkOptions(act, options, '{ name: "accounts" }');
  return options.name;
}
