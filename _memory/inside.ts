/**
 * What keeps a thread from being stopped while it holds a latch, where the runtime stops threads in
 * the midst of their code: the latch would stay taken for ever, and a page that wants it would
 * freeze.
 *
 * Word INSIDE of a thread's place:
 *
 *   OUTSIDE -> INSIDE   enter(), before the thread takes a latch
 *   INSIDE  -> OUTSIDE  leave(), after it has given the last one back
 *
 * Invariants
 * 1. A thread stores INSIDE and then looks whether it is alive; if not, it takes no latch. Whoever
 *    wants to stop it declares it dead and then looks at INSIDE, and stops it only when it is
 *    OUTSIDE. One of the two sees the other's write: a thread that is stopped holds no latch.
 * 2. Only the thread itself writes the word, from when it has taken its seat until it leaves.
 *
 * Why the thread looks after it has stored INSIDE, and not before:
 *
 *   T1: finds itself alive
 *   T2:                      declares T1 dead, finds it OUTSIDE
 *   T1: stores INSIDE, takes the latch
 *   T2:                      stops T1
 *
 * @module
 */

import type { ThreadTable } from "./thread_table.ts";

/** Shows, in a thread's place, when the thread is inside latches. */
export class Inside {
  readonly #table: ThreadTable;
  readonly #id: number;
  /** How many latches the thread holds, or is about to take. */
  #depth = 0;

  constructor(table: ThreadTable, id: number) {
    this.#table = table;
    this.#id = id;
  }

  /**
   * Comes before a latch is taken.
   *
   * @throws {Error} If the thread was given up.
   */
  enter(): void {
    if (this.#depth++ > 0) return;
    this.#table.setInside(this.#id, true);
    if (this.#table.isAlive(this.#id)) return;
    this.leave();
    throw new Error("Cannot go on: this thread was given up, as its task did not stop in time");
  }

  /** Comes after a latch was given back. */
  leave(): void {
    if (--this.#depth === 0) this.#table.setInside(this.#id, false);
  }
}

/** This thread's; none where the runtime lets a thread finish what it does. */
export let inside: Inside | undefined;

/** Makes this thread show when it is inside latches; `undefined` ends that. */
export function showInside(shown: Inside | undefined): void {
  inside = shown;
}
