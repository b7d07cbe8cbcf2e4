/**
 * A coroutine: a generator that is given numbers, and answers each with the smallest so far.
 *
 *   deno run -A examples/coroutine.ts
 *
 * What a generator yields goes out, and what `next` is called with comes in, as the value of that `yield`. Between two
 * calls it stands still there, with all its variables. A thread can be asked in the same way: numbers go to it through
 * one queue, and the minima come back through another.
 *
 * It prints:
 *
 *   As a coroutine: 7 -> 7, 4 -> 4, 9 -> 4, 2 -> 2, 5 -> 2
 *   In a thread:    7 -> 7, 4 -> 4, 9 -> 4, 2 -> 2, 5 -> 2
 *
 * @module
 */

import { Queue, task, Thread } from "@concurrent/futures";

const NUMBERS = [7, 4, 9, 2, 5];

/** Is given numbers, one with each `next`; yields the smallest of them. */
export function* runningMinimum(): Generator<number, never, number> {
  let minimum = Infinity;
  for (;;) minimum = Math.min(minimum, yield minimum);
}

/** A coroutine that stands at its first `yield`: only from there on it can be given anything. */
export function start(): Generator<number, never, number> {
  const coroutine = runningMinimum();
  coroutine.next();
  return coroutine;
}

/** What the thread does: answers each number, until no more will come. */
export const answer = task(
  import.meta,
  function answer(numbers: Queue<number>, minima: Queue<number>): void {
    const coroutine = start();
    for (const number of numbers) minima.putSync(coroutine.next(number).value);
  },
);

// The thread imports this module too, and must not run the program again.
if (import.meta.main) {
  const coroutine = start();
  const minimaHere = NUMBERS.map((number) => `${number} -> ${coroutine.next(number).value}`);
  console.log(`As a coroutine: ${minimaHere.join(", ")}`);

  const numbers = new Queue<number>();
  const minima = new Queue<number>();
  const thread = new Thread({ target: answer, args: [numbers, minima] });
  thread.start();
  const minimaThere: string[] = [];
  for (const number of NUMBERS) {
    await numbers.put(number);
    minimaThere.push(`${number} -> ${await minima.get()}`);
  }
  numbers.shutdown(); // The thread's loop ends, and with it the thread.
  await thread.join();
  console.log(`In a thread:    ${minimaThere.join(", ")}`);
}
