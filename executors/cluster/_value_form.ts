/**
 * The form of values on their way to other machines, as JSON text. `_value_writer.ts` writes it,
 * `_value_reader.ts` reads it.
 *
 * A value that JSON has is written as such. All others are written as an object with a tag under
 * the key `$` and, if there is one, a payload under the key `v`:
 *
 *   {"$":"undefined"}                     {"$":"number","v":"-0"}         also NaN, Infinity, -Infinity
 *   {"$":"bigint","v":"-ff"}              {"$":"Date","v":0}              null for an invalid one
 *   {"$":"Map","v":[[key,value],...]}     {"$":"Set","v":[...]}           {"$":"RegExp","v":["a+","g"]}
 *   {"$":"Uint8Array","v":"AQI="}         any other typed array, ArrayBuffer and DataView
 *   {"$":"Error","v":{"class":"RangeError","name":...,"message":...,"stack":...,
 *                     "cause":...,"errors":[...],"fields":[[key,value],...]}}
 *   {"$":"DOMException","v":{...}}        the same, without a class
 *   {"$":"Object","v":[[key,value],...]}  an object that has a key `$` itself, or the key `__proto__`
 *   {"$":"Array","v":[[...],[[key,value],...]]}  an array that has properties beside its items
 *   {"$":"Boxed","v":1}                   Object(1)
 *
 * **Not kept:** the identity of an object that occurs twice (each occurrence becomes a copy), and
 * classes other than those of errors.
 *
 * @module
 */

import { VIEW_CONSTRUCTORS, VIEW_NAMES, type ViewConstructor } from "../../_memory/tags.ts";

/**
 * The most objects that a written value has within one another: far fewer than a thread's stack has
 * room for.
 */
export const MOST_DEPTH = 500;

/** The lists around it, where the results of a chunk were written one by one and put together. */
export const CHUNK_DEPTH = 2;

/** The properties of an error that have places of their own, and are no fields. */
export const NO_FIELDS: ReadonlySet<string> = new Set([
  "name",
  "message",
  "stack",
  "cause",
  "errors",
]);

/** The constructors of views, by tag: those that this runtime has. */
export const VIEWS: ReadonlyMap<string, ViewConstructor> = new Map(
  VIEW_CONSTRUCTORS.flatMap((constructor, kind) =>
    constructor === undefined ? [] : [[VIEW_NAMES[kind], constructor]]
  ),
);
