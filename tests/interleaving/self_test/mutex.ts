/**
 * A mutex of three states, and variants in which one line is wrong: the explorer must tell them
 * apart.
 *
 * Word 0: UNLOCKED, LOCKED, or CONTENDED (locked, and some thread may sleep).
 *
 * @module
 */

import { exchange, load, notify, replace, store, wait } from "../../../_platform/atomics.ts";

const UNLOCKED = 0;
const LOCKED = 1;
const CONTENDED = 2;

/**
 * Right: a thread that has slept takes the mutex as contended, so that the next sleeper is woken in
 * turn.
 */
export class Mutex {
  protected readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  acquire(): void {
    if (replace(this.words, 0, UNLOCKED, LOCKED)) return;
    while (exchange(this.words, 0, CONTENDED) !== UNLOCKED) {
      wait(this.words, 0, CONTENDED, Infinity);
    }
  }

  release(): void {
    if (exchange(this.words, 0, UNLOCKED) === CONTENDED) notify(this.words, 0, 1);
  }
}

/** Wrong: looks, then takes. Two threads look before either takes. */
export class LookThenTake extends Mutex {
  override acquire(): void {
    while (load(this.words, 0) !== UNLOCKED) wait(this.words, 0, LOCKED, Infinity);
    store(this.words, 0, LOCKED);
  }

  override release(): void {
    store(this.words, 0, UNLOCKED);
    notify(this.words, 0, 1);
  }
}

/** Wrong: releases by a look and a store. A thread that goes to sleep in between is not woken. */
export class ForgetsSleeper extends Mutex {
  override release(): void {
    const isContended = load(this.words, 0) === CONTENDED;
    store(this.words, 0, UNLOCKED);
    if (isContended) notify(this.words, 0, 1);
  }
}

/**
 * Wrong: a thread that has slept takes the mutex as if no other thread slept. A third thread sleeps
 * on; with two threads nothing goes wrong.
 */
export class WakesOnlyOne extends Mutex {
  override acquire(): void {
    while (!replace(this.words, 0, UNLOCKED, LOCKED)) {
      if (replace(this.words, 0, LOCKED, CONTENDED) || load(this.words, 0) === CONTENDED) {
        wait(this.words, 0, CONTENDED, Infinity);
      }
    }
  }
}

/** Wrong: keeps looking, and never lets the holder run. */
export class SpinsForEver extends Mutex {
  override acquire(): void {
    while (!replace(this.words, 0, UNLOCKED, LOCKED));
  }
}
