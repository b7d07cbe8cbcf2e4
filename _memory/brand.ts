/**
 * How the class of an error is recognised when the error was made elsewhere: in another thread, or
 * by a second copy of the package. There `instanceof` fails; a brand on the prototype does not.
 *
 * @module
 */

import { registerErrorClass } from "./errors.ts";

const BRAND: unique symbol = Symbol.for("@concurrent/futures.error");

/** A class of errors. */
type ErrorClass = abstract new (...args: never[]) => Error;

/**
 * Brands a class of errors, and makes the codec rebuild its errors in other threads. `name` becomes
 * the errors' name.
 */
export function brandError(errorClass: ErrorClass, name: string): void {
  Object.defineProperty(errorClass.prototype, BRAND, { value: name });
  Object.defineProperty(errorClass.prototype, "name", {
    value: name,
    writable: true,
    configurable: true,
  });
  registerErrorClass(errorClass as new (...args: never[]) => Error, name);
}

/** True when the error's class, or a class that it extends, has the brand of that name. */
export function hasBrand(error: unknown, name: string): boolean {
  if (typeof error !== "object" || error === null) return false;
  for (let at: object | null = error; at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.getOwnPropertyDescriptor(at, BRAND)?.value === name) return true;
  }
  return false;
}
