import { inspect } from "node:util";

/** The error that every failed assertion throws. */
export class AssertionError extends Error {
  /** Takes the message and, optionally, the cause. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** Throws an {@linkcode AssertionError} whose text ends with the caller's own message, if any. */
export function failWith(text: string, msg: string | undefined): never {
  throw new AssertionError(msg ? `${text}: ${msg}` : `${text}.`);
}

/** A value as it is printed in a failure message. */
export function format(value: unknown): string {
  return inspect(value, { depth: 8, maxArrayLength: 100, sorted: true });
}
