/**
 * The core of Lock: a lock that belongs to nobody. The algorithm is in `_lock_words.ts`.
 *
 * @module
 */

import { replace } from "../_platform/atomics.ts";
import {
  type Core,
  type CoreCall,
  type PassedOn,
  type PassingCore,
  type Promised,
  registerCore,
} from "../_memory/core.ts";
import { LOCK } from "../_memory/layout.ts";
import type { Limits } from "../_memory/seat.ts";
import { type Held, OwnedLock } from "./_owned_lock.ts";
import { SharedWords } from "./_shared.ts";

/** The kind of Lock in handles and error texts. */
export const KIND = "Lock";

/** How a Lock is held: always the same. */
const HELD: Held = { context: 0, depth: 1 };

/** What Lock calls. */
export interface LockCore extends Core {
  /** Takes the lock if it is free; throws if its owner is dead. */
  tryAcquire(): boolean;
  /** Takes the lock, within limits; false when time was up first. */
  acquire(limits: Limits): Promise<boolean>;
  /** Like {@linkcode LockCore.acquire}, but blocks. */
  acquireSync(deadlineMs: number): boolean;
  /** Frees the lock, whoever holds it; throws if nobody does. */
  release(): void;
  /** Takes the lock over from a dead owner; false when there is none. */
  recover(): boolean;
  /** True while somebody holds it. */
  locked(): boolean;
  /** Says who holds it, as the end of a sentence. */
  describeOwner(): string;
}

/** The core for threads that share the memory. */
export class LocalLockCore extends OwnedLock implements LockCore, PassingCore {
  constructor(shared: SharedWords) {
    super(shared, KIND);
  }

  /** The core of a lock that another thread has made. */
  static open(data: unknown): LocalLockCore {
    return new LocalLockCore(SharedWords.open(data, LOCK.SIZE));
  }

  /** The core of a new lock, which is free. */
  static create(name: string | undefined): LocalLockCore {
    return new LocalLockCore(SharedWords.create(LOCK.SIZE, name));
  }

  /** See {@linkcode LockCore}. */
  tryAcquire(): boolean {
    return this.tryOrExplain();
  }

  /** See {@linkcode LockCore}. */
  acquire(limits: Limits): Promise<boolean> {
    return this.tryTake() ? Promise.resolve(true) : this.take(limits);
  }

  /** See {@linkcode LockCore}. */
  acquireSync(deadlineMs: number): boolean {
    return replace(this.words, LOCK.OWNER, 0, this.me) || this.takeSync(deadlineMs);
  }

  /** See {@linkcode LockCore}. */
  release(): void {
    if (!this.free(this.me)) this.#releaseForeign();
  }

  /** Releases what another thread has acquired. */
  #releaseForeign(): void {
    for (;;) {
      const { owner } = this;
      // A thread that was given up must not release what others have taken over from it.
      if (owner === 0 || !this.seat.isHere) throw this.cannotRelease();
      if (this.free(owner)) return;
    }
  }

  /** See {@linkcode OwnedLock}. */
  isOwned(): boolean {
    return this.owner === this.me;
  }

  /** See {@linkcode OwnedLock}. */
  releaseAll(): Held {
    this.free(this.me);
    return HELD;
  }

  /** See {@linkcode OwnedLock}. */
  restore(): void {}

  /** See {@linkcode OwnedLock}. */
  handOver(): Held {
    return HELD;
  }

  /** See {@linkcode PassingCore}. */
  passOn({ value }: Promised, blocked: CoreCall): PassedOn | undefined {
    if (value !== true || !this.isHeldFor(blocked)) return undefined;
    return { value, again: (limits) => this.take(limits, true) };
  }
}

registerCore<LockCore>(KIND, LocalLockCore.open, {
  waiting: ["acquire"],
  others: ["tryAcquire", "release", "recover", "locked", "describeOwner"],
});
