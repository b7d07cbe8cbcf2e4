/**
 * How objects of the runtime's classes are recognised, of which structured clone, or a copy of the
 * keys, would make an empty object.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";

/** How the source text of a function begins that is not written in JavaScript. */
const NATIVE = /^function \w*\(\)\s*\{\s*\[native code\]/;

/** Whether an object is of the global class of that name, or of one that extends it. */
export function isOfGlobalClass(value: object, name: string): boolean {
  const constructor: unknown = Reflect.get(globalThis, name);
  return typeof constructor === "function" && value instanceof constructor;
}

/** Whether a constructor is a native class of that name, of whatever realm. */
export function isNativeClass(constructor: unknown, name: string): boolean {
  return typeof constructor === "function" && constructor.name === name &&
    NATIVE.test(Function.prototype.toString.call(constructor));
}

/**
 * Whether an object without keys stands for something that cannot leave the thread, such as an open
 * file: it must be disposed of, or its class is the runtime's and not global.
 */
export function isTied(value: object): boolean {
  if (Symbol.dispose in value || Symbol.asyncDispose in value) return true;
  const prototypeOf = Object.getPrototypeOf;
  // The last prototype is that of Object, of whatever realm.
  for (let at = prototypeOf(value); at !== null && prototypeOf(at) !== null; at = prototypeOf(at)) {
    const made = Object.getOwnPropertyDescriptor(at, "constructor")?.value;
    if (typeof made !== "function" || isOfGlobalClass(value, made.name)) continue;
    if (isNativeClass(made, made.name) || platform.hasClass?.(made)) return true;
  }
  return false;
}
