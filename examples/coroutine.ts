/**
 * A coroutine: a generator that receives numbers, and answers each with the smallest so far.
 *
 *   deno run -A examples/coroutine.ts
 *
 * What a generator yields goes out to the caller of `next`; what the caller passes to the next
 * `next` comes in as the value of that `yield`. Between two calls the generator is suspended at the
 * `yield`, with all its variables. A thread can be used in the same way: numbers go to it through
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

/** Receives a number with each `next`, and yields the smallest so far. */
export function* runningMinimum(): Generator<number, never, number> {
  let minimum = Infinity;
  for (;;) minimum = Math.min(minimum, yield minimum);
}

/** Makes a coroutine, and runs it to its first `yield`, where it can receive the first number. */
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
