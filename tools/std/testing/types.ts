/**
 * A stand-in for `@std/testing/types` with the type-level checks this project's tests use.
 *
 * Differs from the real one: `IsExact` compares the two types as TypeScript compares the constraints
 * of a generic function, which also tells `readonly` and optional members apart; a reduced and an
 * unreduced intersection (`{ a: 1 } & { b: 2 }` and `{ a: 1; b: 2 }`) are not the same to it.
 *
 * @module
 */

/** Compiles only where the type argument is the boolean literal that was passed. */
export function assertType<T extends boolean>(_expectTrue: T): void {}

/** Compiles only if the type argument is `true`. */
export type AssertTrue<_T extends true> = never;

/** Compiles only if the type argument is `false`. */
export type AssertFalse<_T extends false> = never;

/** Compiles only if the first type argument is the second. */
export type Assert<T extends boolean, _Expected extends T> = never;

/** Whether `T` is `any`. */
export type IsAny<T> = 0 extends (1 & T) ? true : false;

/** Whether `T` is `never`. */
export type IsNever<T> = [T] extends [never] ? true : false;

/** Whether `T` is `unknown` (`any` is not). */
export type IsUnknown<T> = IsAny<T> extends true ? false : unknown extends T ? true : false;

/** Whether `null` or `undefined` is among `T`'s members. */
export type IsNullable<T> = [Extract<T, null | undefined>] extends [never] ? false : true;

/** Whether `T` and `U` are the same type. */
export type IsExact<T, U> = (<X>() => X extends T ? 1 : 2) extends (<X>() => X extends U ? 1 : 2)
  ? true
  : false;

/** Whether `U` is among `T`'s members. */
export type Has<T, U> = IsAny<T> extends true ? true
  : IsAny<U> extends true ? false
  : [Extract<T, U>] extends [never] ? false
  : true;

/** Whether `U` is not among `T`'s members. */
export type NotHas<T, U> = Has<T, U> extends true ? false : true;
