/**
 * A stand-in for `@std/assert` with the functions this project's tests use, so that they run where
 * the registry cannot be reached: same names, signatures and error class as the real package.
 *
 * Differs from the real one: failure messages print both values without a diff; what `equal` treats
 * otherwise is said there.
 *
 * @module
 */

export { AssertionError } from "./assertion_error.ts";
export { equal } from "./equal.ts";
export {
  assertArrayIncludes,
  assertEquals,
  assertNotEquals,
  assertNotStrictEquals,
  assertObjectMatch,
  assertStrictEquals,
} from "./equality.ts";
export { assertIsError, assertRejects, assertThrows } from "./errors.ts";
export {
  assert,
  assertAlmostEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
  fail,
} from "./values.ts";
