/**
 * What the cores of Lock and RLock have in common, apart from their words.
 *
 * @module
 */

import type { CoreCall } from "../_memory/core.ts";
import type { Contexts } from "./_contexts.ts";
import { LockWords } from "./_lock_words.ts";
import type { SharedWords } from "./_shared.ts";

/** How a lock was held, kept while a condition waits without it. */
export interface Held {
  readonly context: number;
  readonly depth: number;
}

/** A lock, with its kind's rules of ownership. */
export abstract class OwnedLock extends LockWords {
  /** The id of this thread. */
  protected readonly me: number;
  readonly #shared: SharedWords;

  constructor(shared: SharedWords, kind: string) {
    super(shared, kind);
    this.me = shared.seat.id;
    this.#shared = shared;
  }

  /** What stands for the lock in handles. */
  get data(): unknown {
    return this.#shared.data;
  }

  /** True while somebody holds the lock. */
  locked(): boolean {
    return this.owner !== 0;
  }

  /** True when code of this thread inside of these `run` calls owns the lock. */
  abstract isOwned(inside: Contexts): boolean;

  /** Releases the lock, however deep; returns how it was held. Call as the owner. */
  abstract releaseAll(): Held;

  /** Makes the lock, just acquired again, held as before. */
  abstract restore(held: Held): void;

  /**
   * Makes the lock held as an `acquire` with these arguments would leave it; returns how it was
   * held before. Call as the owner.
   */
  abstract handOver(args: readonly unknown[]): Held;

  /** Whether the call acquires this lock while its thread holds the lock already. */
  isHeldFor({ core, method }: CoreCall): boolean {
    return method === "acquire" && core instanceof LockWords && core.buffer === this.buffer &&
      this.owner === this.me;
  }
}
