import { failWith, format } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/** Fails unless the two values have the same structure: see {@linkcode equal}. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  failWith(
    `Values are not equal\n  actual:   ${format(actual)}\n  expected: ${format(expected)}\n`,
    msg,
  );
}

/** Fails if the two values have the same structure. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) {
    failWith(`Expected actual: ${format(actual)} not to be: ${format(expected)}`, msg);
  }
}

/** Fails unless `Object.is(actual, expected)`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  failWith(
    `Values are not strictly equal\n  actual:   ${format(actual)}\n  expected: ${
      format(expected)
    }\n`,
    msg,
  );
}

/** Fails if `Object.is(actual, expected)`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) {
    failWith(`Expected "actual" to not be strictly equal to: ${format(actual)}`, msg);
  }
}

/** Fails unless each expected item is among the actual ones. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  msg?: string,
): void {
  const items = Array.from(actual);
  const missing = Array.from(expected).filter((item) => !items.some((other) => equal(other, item)));
  if (missing.length === 0) return;
  failWith(
    `Expected ${format(actual)} to include ${format(expected)}; missing ${format(missing)}`,
    msg,
  );
}

/** Fails unless `actual` has at least the properties of `expected`, objects inside it likewise. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  if (matches(actual, expected)) return;
  failWith(`Expected ${format(actual)} to match ${format(expected)}`, msg);
}

/** An array, `Map`, `Set`, `Date` or primitive must be equal; a plain object need only contain. */
function matches(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && actual.length === expected.length &&
      expected.every((item, index) => matches(actual[index], item));
  }
  if (!isContainer(expected)) return equal(actual, expected);
  if (!isContainer(actual)) return false;
  return Reflect.ownKeys(expected).every((key) =>
    key in actual && matches(Reflect.get(actual, key), Reflect.get(expected, key))
  );
}

function isContainer(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return ![Date, RegExp, Map, Set, URL].some((kind) => value instanceof kind);
}
