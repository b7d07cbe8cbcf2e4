/**
 * Values in error texts.
 *
 * @module
 */

import { isDetached } from "./memory.ts";

/** Of a longer text, the beginning tells what it is. */
const MOST_CHARACTERS = 100;

/**
 * Names a value for an error text so that its type can be seen: `5`, `"5"`, `5n`, `null`,
 * `function "cb"`, `Symbol(id)`, `Array`, `Promise`. A long text is cut.
 */
export function describe(value: unknown): string {
  const text = textOf(value);
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}...`;
}

function textOf(value: unknown): string {
  try {
    switch (typeof value) {
      case "function":
        return value.name === "" ? "anonymous function" : `function "${value.name}"`;
      case "string":
        return JSON.stringify(value.slice(0, MOST_CHARACTERS));
      case "bigint":
        return `${value}n`;
      case "object": {
        if (value === null) break;
        const tag = Object.prototype.toString.call(value).slice(8, -1);
        if (tag === "ArrayBuffer" && isDetached(value as ArrayBuffer)) return `detached ${tag}`;
        const constructor: unknown = value.constructor;
        // A class may have a static `name` of any type.
        const name: unknown = typeof constructor === "function" ? constructor.name : undefined;
        return tag === "Object" && typeof name === "string" && name !== "" ? name : tag;
      }
    }
    return String(value);
  } catch {
    return typeof value;
  }
}
