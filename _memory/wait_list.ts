/**
 * First-come-first-served lists of waiters in an object's own words, and the latch that guards
 * them.
 *
 * A list is doubly linked through nodes of the table of threads, so that a waiter that gives up is
 * taken out in one step wherever it stands.
 *
 * Word of a latch:
 *
 *   FREE    -> TAKEN     take()
 *   FREE    -> SLEPT_ON  take(), by a thread that has slept: others may sleep still
 *   TAKEN   -> SLEPT_ON  take(), by a thread that goes to sleep
 *   TAKEN   -> FREE      give()
 *   SLEPT_ON -> FREE     give(), which wakes one sleeper
 *
 * Invariants
 * 1. Links, LIST, GRANT and ARGUMENT of a node in a list change only under the latch of that list's
 *    object.
 * 2. A latch is held for a few steps (those of a queue that is short of memory, for a walk over its
 *    blocks), during which its holder neither waits, nor runs code of others, nor takes another
 *    latch. Two exceptions: the holder of a condition's latch takes the latch of the condition's
 *    lock, and the holder of a queue's latch for puts takes the queue's latch for takes.
 * 3. If the stack overflows in `give()`, the latch is not given back and still belongs to this
 *    thread; the next `take()` of that latch returns at once. By Invariant 2 nothing else of this
 *    thread can hold it.
 * 4. A thread that takes a latch after sleeping leaves it SLEPT_ON, as it cannot know whether
 *    others still sleep; so each sleeper is woken in turn.
 * 5. A node in a list has that list's number in LIST until it is taken out: a node is opened for
 *    another wait only when it is in no list (Invariants 2 and 3 of `seat.ts`). So the first node
 *    of a list can always be removed, and a loop that takes out one first node after another ends.
 * 6. No thread is stopped while it holds a latch; see `inside.ts`.
 *
 * Source: the three states are those of Drepper's second mutex, in "Futexes Are Tricky".
 *
 * @module
 */

import { exchange, load, notify, pause, replace, wait } from "../_platform/atomics.ts";
import { platform } from "../_platform/mod.ts";
import { backOff } from "../_platform/park.ts";
import { inside } from "./inside.ts";
import { NODE, WAIT_LIST, WORD_BYTES } from "./layout.ts";
import type { Seat } from "./seat.ts";
import type { ThreadTable } from "./thread_table.ts";

const FREE = 0;
const TAKEN = 1;
const SLEPT_ON = 2;

/**
 * How often a thread looks at a latch before it sleeps, and the longest pause between two looks, in
 * pauses of the processor (about 35 ns each). The latch's holder needs less than a microsecond, if
 * it runs; each look takes the cache line from it.
 */
const LOOKS = platform.cores > 1 ? 14 : 0;
const LONGEST_PAUSE = 16;

/** Guards the slow paths of one object. */
export class Latch {
  readonly #words: Int32Array;
  readonly #index: number;
  /** Whether this thread holds the latch. */
  #isOurs = false;

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Takes the latch; blocks for an instant if another thread has it. */
  take(): void {
    if (this.#isOurs) return; // Invariant 3.
    inside?.enter(); // Invariant 6.
    if (!replace(this.#words, this.#index, FREE, TAKEN)) this.#waitFor();
    this.#isOurs = true;
  }

  #waitFor(): void {
    const words = this.#words;
    const index = this.#index;
    let length = 1;
    for (let i = 0; i < LOOKS; i++) {
      length = backOff(length, LONGEST_PAUSE);
      if (load(words, index) === FREE && replace(words, index, FREE, TAKEN)) return;
    }
    while (exchange(words, index, SLEPT_ON) !== FREE) {
      if (platform.canBlock) wait(words, index, SLEPT_ON, Infinity);
      else pause();
    }
  }

  /** Runs a step with the latch held; returns what the step returns. */
  hold<R>(step: () => R): R {
    this.take();
    try {
      return step();
    } finally {
      this.give();
    }
  }

  /** Gives the latch back, and wakes one sleeper if there may be one. */
  give(): void {
    const before = exchange(this.#words, this.#index, FREE);
    this.#isOurs = false;
    if (before === SLEPT_ON) notify(this.#words, this.#index, 1);
    inside?.leave();
  }
}

/** The identity of each list of a buffer, by the list's byte position. */
const identities = new WeakMap<ArrayBufferLike, Map<number, object>>();

/** A list of waiters. Call every method with the latch of its object held. */
export class WaitList {
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #table: ThreadTable;
  readonly #number: number;

  /**
   * @param words The object's words.
   * @param base Where in them the list is.
   * @param seat This thread's seat in the object's table.
   * @param number Tells the list from the others that the same node could be in at another time;
   * not 0.
   */
  constructor(words: Int32Array, base: number, seat: Seat, number: number) {
    this.#words = words;
    this.#base = base;
    this.#table = seat.table;
    this.#number = number;
  }

  /** An object that stands for this list: the same one for every WaitList of it in this thread. */
  get identity(): object {
    const { buffer, byteOffset } = this.#words;
    let inBuffer = identities.get(buffer);
    if (inBuffer === undefined) identities.set(buffer, inBuffer = new Map());
    const at = byteOffset + this.#base * WORD_BYTES;
    let identity = inBuffer.get(at);
    if (identity === undefined) inBuffer.set(at, identity = {});
    return identity;
  }

  /** True when nobody waits. */
  get isEmpty(): boolean {
    return this.first === 0;
  }

  /** The node that waits longest, 0 for none. */
  get first(): number {
    return this.#words[this.#base + WAIT_LIST.HEAD];
  }

  /** True while a node is in this list. */
  has(node: number): boolean {
    return this.#table.words[node + NODE.LIST] === this.#number;
  }

  /** Queues a node behind all others. */
  push(node: number): void {
    this.#link(node, this.#words[this.#base + WAIT_LIST.TAIL], 0);
  }

  /** Queues a node before all others. */
  pushFirst(node: number): void {
    this.#link(node, 0, this.first);
  }

  /** Queues a node before all others but those at the front for which `isFirst` holds. */
  pushBehind(node: number, isFirst: (other: number) => boolean): void {
    const nodes = this.#table.words;
    let previous = 0;
    let next = this.first;
    while (next !== 0 && isFirst(next)) {
      previous = next;
      next = nodes[next + NODE.NEXT];
    }
    this.#link(node, previous, next);
  }

  #link(node: number, previous: number, next: number): void {
    const nodes = this.#table.words;
    nodes[node + NODE.PREVIOUS] = previous;
    nodes[node + NODE.NEXT] = next;
    nodes[node + NODE.LIST] = this.#number;
    if (previous === 0) this.#words[this.#base + WAIT_LIST.HEAD] = node;
    else nodes[previous + NODE.NEXT] = node;
    if (next === 0) this.#words[this.#base + WAIT_LIST.TAIL] = node;
    else nodes[next + NODE.PREVIOUS] = node;
  }

  /** Takes a node out; false when it is not in this list. */
  remove(node: number): boolean {
    if (!this.has(node)) return false;
    const nodes = this.#table.words;
    const previous = nodes[node + NODE.PREVIOUS];
    const next = nodes[node + NODE.NEXT];
    nodes[node + NODE.LIST] = 0;
    if (previous === 0) this.#words[this.#base + WAIT_LIST.HEAD] = next;
    else nodes[previous + NODE.NEXT] = next;
    if (next === 0) this.#words[this.#base + WAIT_LIST.TAIL] = previous;
    else nodes[next + NODE.PREVIOUS] = previous;
    return true;
  }

  /**
   * Puts a node, which is in no list, in the place of another; false when that one is not in this
   * list.
   */
  exchange(node: number, other: number): boolean {
    if (!this.has(other)) return false;
    const nodes = this.#table.words;
    const previous = nodes[other + NODE.PREVIOUS];
    const next = nodes[other + NODE.NEXT];
    nodes[other + NODE.LIST] = 0;
    this.#link(node, previous, next);
    return true;
  }

  /**
   * The node that waits longest and whose thread is alive, 0 for none. Nodes of dead threads before
   * it are taken out.
   */
  firstAlive(): number {
    for (;;) {
      const node = this.first;
      if (node === 0 || this.#table.isAlive(this.threadOf(node))) return node;
      this.remove(node);
    }
  }

  /**
   * Takes a node out and hands it to its thread, with what it is granted.
   *
   * @returns The thread; ring it once the latch is given back.
   */
  grant(node: number, grant: number): number {
    const thread = this.threadOf(node);
    this.remove(node);
    this.#table.words[node + NODE.GRANT] = grant;
    this.#table.pushGranted(node);
    return thread;
  }

  /** The thread whose wait the node is. */
  threadOf(node: number): number {
    return this.#table.words[node + NODE.THREAD];
  }

  /** The nodes, longest waiting first. */
  *nodes(): Generator<number> {
    for (let node = this.first; node !== 0; node = this.#table.words[node + NODE.NEXT]) yield node;
  }
}
