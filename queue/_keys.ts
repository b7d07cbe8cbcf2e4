/**
 * Comparing what priority queues sort by: numbers, bigints, strings, and arrays of these, element
 * by element.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";

/** What a priority queue sorts by: the smallest comes first. */
export type PriorityKey = number | bigint | string | readonly PriorityKey[];

const EXPECTED = "must be a number, a bigint, a string, or an array of such";

/** Throws unless a value can be a key; returns a copy of it. */
export function checkKey(act: string, key: unknown): PriorityKey {
  if (isKey(key)) return copyOf(key);
  throw new TypeError(`Cannot ${act}: a priority ${EXPECTED}, got ${got(key)}`);
}

/** Throws unless an item can be its own key; returns a copy of it. */
export function checkOwnKey(act: string, item: unknown): PriorityKey {
  if (isKey(item)) return copyOf(item);
  // In Python, an item is often a pair of a number and of what is not compared.
  const example = Array.isArray(item) ? "(item) => item[0]" : "(item) => item.rank";
  throw new TypeError(
    `Cannot ${act}: without a priority function the item itself is the priority, which ${EXPECTED}, got ${
      got(item)
    }; give the function: new PriorityQueue({ priority: ${example} })`,
  );
}

function got(key: unknown): string {
  return Array.isArray(key) ? "an array with something else in it" : describe(key);
}

/** Copies a key: while the item waits for room, the caller may change its array. */
function copyOf(key: PriorityKey): PriorityKey {
  return typeof key === "object" ? Array.from(key, copyOf) : key;
}

function isKey(key: unknown): key is PriorityKey {
  switch (typeof key) {
    case "number":
      return !Number.isNaN(key);
    case "bigint":
    case "string":
      return true;
    default:
      return Array.isArray(key) && Array.from(key).every(isKey); // `every` alone passes over holes.
  }
}

/**
 * Less than 0, 0, or more than 0, as `a` sorts before, with or after `b`. Numbers sort before
 * strings and strings before arrays, so that keys which cannot be compared have an order too.
 */
export function compareKeys(a: PriorityKey, b: PriorityKey): number {
  const rank = rankOf(a);
  const difference = rank - rankOf(b);
  if (difference !== 0) return difference;
  if (rank < ARRAY) return a < b ? -1 : a > b ? 1 : 0;
  const these = a as readonly PriorityKey[];
  const those = b as readonly PriorityKey[];
  const common = Math.min(these.length, those.length);
  for (let i = 0; i < common; i++) {
    const order = compareKeys(these[i], those[i]);
    if (order !== 0) return order;
  }
  return these.length - those.length;
}

/**
 * True when two keys can be compared as Python demands: element by element, they are of the same
 * kind up to the first difference.
 */
export function areComparable(a: PriorityKey, b: PriorityKey): boolean {
  const rank = rankOf(a);
  if (rank !== rankOf(b)) return false;
  if (rank < ARRAY) return true;
  const these = a as readonly PriorityKey[];
  const those = b as readonly PriorityKey[];
  const common = Math.min(these.length, those.length);
  for (let i = 0; i < common; i++) {
    if (!areComparable(these[i], those[i])) return false;
    if (compareKeys(these[i], those[i]) !== 0) return true;
  }
  return true;
}

const NUMBER = 0;
const STRING = 1;
const ARRAY = 2;

function rankOf(key: PriorityKey): number {
  switch (typeof key) {
    case "string":
      return STRING;
    case "object":
      return ARRAY;
    default:
      return NUMBER;
  }
}
