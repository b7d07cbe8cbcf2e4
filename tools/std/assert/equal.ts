/**
 * Whether two values have the same structure: own enumerable properties (string and symbol keys),
 * constructors, entries of a `Map` or `Set` in any order, `NaN` equal to itself, `-0` equal to `0`.
 * A cycle is equal to a cycle of the same form.
 *
 * Differs from the real one: two errors must also agree in `message`, two array buffers in their
 * bytes, and each entry of a `Map` or `Set` with object keys finds a partner of its own.
 */
export function equal(actual: unknown, expected: unknown): boolean {
  return compare(actual, expected, []);
}

/** Pairs of objects under comparison further up: meeting one again closes a cycle. */
type OpenPairs = ReadonlyArray<readonly [object, object]>;

function compare(a: unknown, b: unknown, open: OpenPairs): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b) || kindOf(a) !== kindOf(b)) return false;
  if (open.some(([x, y]) => x === a && y === b)) return true;
  const inner: OpenPairs = [...open, [a, b]];
  return sameContents(a, b, inner) && sameProperties(a, b, inner);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** An object without a prototype is compared as a plain one. */
function kindOf(value: object): unknown {
  return value.constructor ?? Object;
}

/** Compares what an object holds outside of its properties. */
function sameContents(a: object, b: object, open: OpenPairs): boolean {
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof Error && b instanceof Error) return a.message === b.message;
  if (a instanceof Map && b instanceof Map) return sameEntries(a, b, open);
  if (a instanceof Set && b instanceof Set) return sameEntries(a, b, open);
  if (a instanceof WeakRef && b instanceof WeakRef) return compare(a.deref(), b.deref(), open);
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`Cannot compare ${a.constructor.name} instances`);
  }
  if (isBuffer(a) && isBuffer(b)) {
    return compare(new Uint8Array(a), new Uint8Array(b), open);
  }
  return true;
}

function isBuffer(value: object): value is ArrayBuffer {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

type Entries = { readonly size: number; entries(): Iterable<[unknown, unknown]> };

/** Whether each entry of `a` has a partner of its own in `b`, in any order. */
function sameEntries(a: Entries, b: Entries, open: OpenPairs): boolean {
  if (a.size !== b.size) return false;
  const left = [...b.entries()];
  return [...a.entries()].every((entry) => {
    const index = left.findIndex((other) => compare(entry, other, open));
    if (index >= 0) left.splice(index, 1);
    return index >= 0;
  });
}

function sameProperties(a: object, b: object, open: OpenPairs): boolean {
  const keys = enumerableKeys(a);
  if (keys.length !== enumerableKeys(b).length) return false;
  return keys.every((key) =>
    Object.prototype.propertyIsEnumerable.call(b, key) &&
    compare(Reflect.get(a, key), Reflect.get(b, key), open)
  );
}

function enumerableKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}
