/**
 * What an error says, even if it is made of unusual parts.
 *
 * @module
 */

import { describe } from "../../_platform/describe.ts";
import { messageText } from "../../_memory/errors.ts";

/** The most characters of an error's title; see {@linkcode titleOf}. */
const MOST_TITLE = 500;

/** A part of an error; `undefined` if its getter throws. */
export function readField(error: object, key: string): unknown {
  try {
    return (error as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** The name of an error; if that is no text, or cannot be read, the one that its class gives it. */
export function nameOf(error: Error): string {
  for (let at: object | null = error; at !== null; at = Object.getPrototypeOf(at)) {
    const name = readField(at, "name");
    if (typeof name === "string") return name;
  }
  return "Error";
}

/** The message of an error, as text. */
export function messageOf(error: Error): string {
  return messageText(readField(error, "message"));
}

/**
 * The beginning of what was thrown, in the usual form: "RangeError: odd". Never throws, whatever it
 * is given.
 */
export function titleOf(thrown: unknown): string {
  let title: string | undefined;
  try {
    if (thrown instanceof Error) title = `${nameOf(thrown)}: ${messageOf(thrown)}`;
  } catch {
    // Then it is described like any other object.
  }
  return (title ?? describe(thrown)).slice(0, MOST_TITLE);
}
