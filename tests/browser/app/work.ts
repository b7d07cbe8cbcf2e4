/** Tasks in a module of their own. */

import { Lock, registerError, task, taskContext } from "@concurrent/futures";

export const gcd = task(import.meta, function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
});

export const lcm = task(import.meta, function lcm(a: number, b: number): number {
  return a * b / gcd(a, b);
});

/** What a task can see that shares its package with the worker that runs it. */
export const look = task(import.meta, function look(lock: Lock): unknown[] {
  return [typeof taskContext().id, lock instanceof Lock, lock.acquireSync({ blocking: false })];
});

/** An error that arrives as what it was, where its class is registered on both sides. */
export class LimitError extends Error {
  readonly limit = 10;
}
registerError(LimitError);

export const check = task(import.meta, function check(n: number): number {
  if (n > 10) throw new LimitError();
  return n;
});
