/**
 * What the models of queues have in common.
 *
 * @module
 */

import type { Handle } from "../../../_memory/handle.ts";
import { ACCOUNT, QUEUE, WAIT_LIST } from "../../../_memory/layout.ts";
import type { QueueOptions } from "../../../queue/_access.ts";
import { countOf } from "../../../queue/_items.ts";
import { Queue } from "../../../queue/queue.ts";
import { emptyTable, sit, tableOf, wake } from "./_seats.ts";
import { assertOneOf, wordsOf } from "./_support.ts";

/** The timeout of a timed call. */
export const TIMEOUT_MS = 10;

/** Little memory, as each schedule has a queue of its own. */
export const CAPACITY_BYTES = 4096;

/** What the threads share. */
export interface Shared {
  readonly queue: Handle;
}

/** For `setUp`: makes a queue with items in it. */
export function setUpWith(items: readonly number[], options?: QueueOptions): () => Shared {
  return () => {
    const queue = new Queue<number>({ capacityBytes: CAPACITY_BYTES, ...options });
    queue.putManySync(items);
    return { queue: queue.handle };
  };
}

/** For `open`: opens the queue. */
export function open({ queue }: Shared): Queue<number> {
  return Queue.from(queue);
}

/** For `setUp`, where threads die: like {@linkcode setUpWith}, in an empty table of threads. */
export function setUpSeatsWith(items: readonly number[], options?: QueueOptions): () => Shared {
  const setUp = setUpWith(items, options);
  return () => {
    emptyTable();
    return setUp();
  };
}

/** For `open`, where threads die: seats the thread and opens the queue. */
export function openSeated(shared: Shared, thread: number): Queue<number> {
  sit(tableOf(shared.queue), thread);
  wake();
  return open(shared);
}

/**
 * Throws if a thread for which nobody was woken sleeps while there is an item, or room, for it.
 * Does no steps: call it right after an operation of the queue, before the queue is shut down.
 */
export function assertNobodyOverlooked(words: Int32Array): void {
  if (words[QUEUE.PUT_LATCH] + words[QUEUE.TAKE_LATCH] !== 0) return; // The words may be changing.
  const count = countOf(words);
  const isLeft = (list: number, woken: number, wanted: number): boolean =>
    words[list + WAIT_LIST.HEAD] !== 0 && words[woken] < wanted;
  if (isLeft(QUEUE.GETTERS, QUEUE.WOKEN_GETTERS, count)) throw new Error("a getter is overlooked");
  const room = words[QUEUE.MAXSIZE] - count;
  if (isLeft(QUEUE.PUTTERS, QUEUE.WOKEN_PUTTERS, room)) throw new Error("a putter is overlooked");
}

/** The state in which a queue is left. */
export interface Left {
  readonly count: number;
  readonly unfinished: number;
  readonly isClosed?: boolean;
  /**
   * Whether a thread has died while it waited: it may still be in a list, or count as about to try.
   */
  readonly hasDead?: boolean;
}

/**
 * Throws unless the queue is left as described, nobody waits, and nobody counts as about to try.
 */
export function checkLeft({ queue }: Shared, left: Left): void {
  const { count, unfinished, isClosed = false, hasDead = false } = left;
  const words = wordsOf(queue);
  assertOneOf(
    [countOf(words), words[QUEUE.UNFINISHED], words[QUEUE.STATE]],
    [count, unfinished, isClosed ? 1 : 0],
  );
  assertOneOf(accountsOf(words), unfinished - count);
  for (const [name, at] of ZERO_WORDS) {
    if (hasDead && WORDS_OF_WAITERS.includes(at)) continue;
    if (words[at] !== 0) throw new Error(`the queue is left with ${name} ${words[at]}`);
  }
}

/** Words that are 0 in a queue at rest. */
const ZERO_WORDS = [
  ["PUT_LATCH", QUEUE.PUT_LATCH],
  ["TAKE_LATCH", QUEUE.TAKE_LATCH],
  ["WOKEN_GETTERS", QUEUE.WOKEN_GETTERS],
  ["WOKEN_PUTTERS", QUEUE.WOKEN_PUTTERS],
  ["HELD", QUEUE.HELD],
  ["the first getter", QUEUE.GETTERS + WAIT_LIST.HEAD],
  ["the last getter", QUEUE.GETTERS + WAIT_LIST.TAIL],
  ["the first putter", QUEUE.PUTTERS + WAIT_LIST.HEAD],
  ["the last putter", QUEUE.PUTTERS + WAIT_LIST.TAIL],
  ["the first joiner", QUEUE.JOINERS + WAIT_LIST.HEAD],
  ["the last joiner", QUEUE.JOINERS + WAIT_LIST.TAIL],
] as const;

/** Those of {@linkcode ZERO_WORDS} in which a dead waiter may show. */
const WORDS_OF_WAITERS: readonly number[] = [
  QUEUE.WOKEN_GETTERS,
  QUEUE.WOKEN_PUTTERS,
  QUEUE.GETTERS + WAIT_LIST.HEAD,
  QUEUE.GETTERS + WAIT_LIST.TAIL,
  QUEUE.PUTTERS + WAIT_LIST.HEAD,
  QUEUE.PUTTERS + WAIT_LIST.TAIL,
];

/** How many items all threads together have taken and not reported done. */
function accountsOf(words: Int32Array): number {
  let taken = 0;
  for (let at = QUEUE.ACCOUNTS; at < QUEUE.ACCOUNTS_END; at += ACCOUNT.SIZE) {
    taken += words[at + ACCOUNT.TAKEN];
  }
  return taken;
}

/** Throws unless each item was got exactly once. */
export function assertSameItems(got: readonly number[], put: readonly number[]): void {
  const sorted = (items: readonly number[]): number[] => [...items].sort((a, b) => a - b);
  assertOneOf(sorted(got), sorted(put));
}

/** Throws unless the items that both lists have come in the order of `expected`. */
export function assertInOrder(items: readonly number[], expected: readonly number[]): void {
  const kept = (among: readonly number[], of: readonly number[]): number[] =>
    among.filter((item) => of.includes(item));
  assertOneOf(kept(items, expected), kept(expected, items));
}
