/**
 * The core of Condition: waiting, with a lock released meanwhile, until another thread says that
 * something has changed.
 *
 * A waiter is a node: first in the condition's own list and then, once notified, in the lock's
 * list.
 *
 *   condition's list -> lock's list       notify(), by the thread that holds the lock
 *   condition's list -> out               a waiter whose time is up, or whose signal aborted
 *   lock's list      -> out               granted the lock, as any waiter for it
 *
 * Invariants
 * 1. A waiter queues before it releases the lock, and a notifier holds the lock. So no notification
 *    that comes after the release is missed.
 * 2. Notified waiters are moved, not woken: the releases of the lock wake them one by one, when
 *    each can have it. So `notifyAll` does not cause a thundering herd.
 * 3. The move is made under the condition's latch and, inside it, the lock's. So a waiter that
 *    gives up takes the condition's latch and either finds itself in the condition's list, and
 *    leaves it, or knows that it was notified in time.
 *
 * Why not a single counter, as in a condition over a futex: it wakes any thread that sleeps on it,
 * and it cannot move a waiter to the lock.
 *
 * @module
 */

import { NEVER } from "../_platform/clock.ts";
import {
  type Core,
  type CoreCall,
  isRemoteData,
  type PassedOn,
  type PassingCore,
  type Promised,
  registerCore,
} from "../_memory/core.ts";
import { HANDLE, type Handle, isShareable } from "../_memory/handle.ts";
import { CONDITION } from "../_memory/layout.ts";
import type { Limits, Seat } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import type { Contexts } from "./_contexts.ts";
import { KIND as LOCK_KIND, LocalLockCore } from "./_lock_core.ts";
import { LockWait, type LockWords } from "./_lock_words.ts";
import type { Held, OwnedLock } from "./_owned_lock.ts";
import { KIND as RLOCK_KIND, LocalRLockCore } from "./_rlock_core.ts";
import { dataOf, labelOf, type SharedData, SharedWords } from "./_shared.ts";
import { NotShareableError, RuntimeError } from "./errors.ts";

/** The kind of Condition in handles and error texts. */
export const KIND = "Condition";

/** The number by which nodes know the condition's list; the lock's is 1. */
const LIST_NUMBER = 2;

/**
 * The result of a wait that ended without the lock. A wait that throws instead holds the lock, or
 * was refused before it began.
 */
export interface LostLock {
  /** Why the lock was lost; the public wait throws it. */
  readonly error: unknown;
}

/** What Condition calls. `inside` are the `run` calls around the code that calls. */
export interface ConditionCore extends Core {
  /**
   * Does nothing: what a process has called is kept for it by the process that has the object. A
   * stub does not wait for the answer: mail may be read meanwhile, which holds the condition.
   */
  use(): void;
  /**
   * Releases the lock, waits for a notification, and acquires the lock again; false when time was
   * up first. A caller that does not own the lock is refused at once: where the core is in this
   * process, the call itself throws, instead of a promise that rejects.
   *
   * @param isBlocked Whether the thread does nothing else meanwhile.
   */
  wait(isBlocked: boolean, inside: Contexts, limits: Limits): Promise<boolean | LostLock>;
  /** Like {@linkcode ConditionCore.wait}, but blocks. */
  waitSync(isBlocked: boolean, inside: Contexts, deadlineMs: number): boolean | LostLock;
  /** Notifies up to `n` waiters. */
  notify(n: number, inside: Contexts): void;
}

/** A wait that has begun, and how the lock was held before. */
interface Begun {
  readonly wait: ConditionWait;
  readonly held: Held;
}

/** A waiter, until it has the lock again. */
class ConditionWait extends LockWait {
  readonly #leave: (node: number) => boolean;

  constructor(lock: LockWords, leave: (node: number) => boolean) {
    super(lock);
    this.#leave = leave;
  }

  /** See {@linkcode Wait}. A node moves from the condition's list to the lock's, and not back. */
  protected override withdraw(): boolean {
    return this.#leave(this.node) || super.withdraw();
  }

  /**
   * Fails once notified: the wait then ends with the lock (Invariant 3), unless its thread has left
   * and gets no lock any more.
   */
  override tryGiveUp(): boolean {
    if (this.isOver) return false;
    this.isOver = this.#leave(this.node);
    if (this.isOver) return true;
    return !this.seat.isHere && super.tryGiveUp();
  }

  /**
   * See {@linkcode Wait}. Nobody can notify this wait while an async task of the thread holds the
   * lock. A task that gets it after the notification cedes it.
   */
  override checkNotInVain(): void {
    const { lock, seat } = this;
    if (lock.owner === seat.id && this.#leave(this.node)) throw lock.heldByTask();
  }
}

/** The core for threads that share the memory. */
export class LocalConditionCore implements ConditionCore, PassingCore {
  readonly name: string | undefined;
  readonly #shared: SharedWords;
  readonly #lock: OwnedLock;
  readonly #latch: Latch;
  readonly #waiters: WaitList;

  /** @param share Returns the condition's words, given the seat and the name of its lock. */
  constructor(lock: Handle, share: (seat: Seat, name: string | undefined) => SharedWords) {
    const [lockKind, { open }] = lock.kind === LOCK_KIND
      ? [LOCK_KIND, LocalLockCore]
      : [RLOCK_KIND, LocalRLockCore];
    const data = dataOf(lock, lockKind);
    if (isRemoteData(data)) {
      throw new NotShareableError(
        `Cannot make ${KIND}: its ${labelOf(lockKind, data.name)} belongs to another process`,
      );
    }
    this.#lock = open(data);
    const { seat, name } = this.#lock;
    this.#shared = share(seat, name);
    const { words } = this.#shared;
    this.name = this.#shared.name;
    this.#latch = new Latch(words, CONDITION.LATCH);
    this.#waiters = new WaitList(words, CONDITION.LIST, seat, LIST_NUMBER);
  }

  /**
   * The core of a condition that another thread has made. The data hold its lock, or the lock's
   * handle.
   */
  static open(data: unknown): LocalConditionCore {
    const { lock, ...rest } = data as SharedData & { readonly lock: unknown };
    const handle = isShareable(lock) ? lock[HANDLE]() : lock as Handle;
    return new LocalConditionCore(handle, () => SharedWords.open(rest, CONDITION.SIZE));
  }

  /** The core of a new condition, for which nobody waits. */
  static create(lock: Handle): LocalConditionCore {
    return new LocalConditionCore(
      lock,
      (seat, name) => SharedWords.create(CONDITION.SIZE, name, seat),
    );
  }

  /** See {@linkcode Core}. */
  get data(): unknown {
    return this.#shared.data;
  }

  /** See {@linkcode ConditionCore}. */
  use(): void {}

  /** See {@linkcode ConditionCore}. */
  wait(isBlocked: boolean, inside: Contexts, limits: Limits): Promise<boolean | LostLock> {
    return this.#await(this.#begin(isBlocked, inside), isBlocked, limits);
  }

  async #await(
    { wait, held }: Begun,
    isBlocked: boolean,
    limits: Limits,
  ): Promise<boolean | LostLock> {
    const lock = this.#lock;
    let isHeld = false;
    try {
      try {
        const isNotified = isHeld = await lock.seat.wait(wait, limits);
        return isNotified;
      } finally {
        // A failure of the wait itself means that the lock is lost with its owner.
        if (!isHeld && wait.failure === undefined) {
          if (isBlocked) lock.checkNotOwn();
          isHeld = await lock.take({ ...limits, deadlineMs: NEVER, signal: undefined });
        }
      }
    } catch (error) {
      if (!isHeld) return { error };
      throw error;
    } finally {
      if (isHeld) lock.restore(held);
    }
  }

  /** See {@linkcode ConditionCore}. */
  waitSync(isBlocked: boolean, inside: Contexts, deadlineMs: number): boolean | LostLock {
    const { wait, held } = this.#begin(isBlocked, inside);
    const lock = this.#lock;
    try {
      const isNotified = lock.seat.waitSync(wait, deadlineMs);
      if (!isNotified) {
        if (isBlocked) lock.checkNotOwn();
        lock.takeSync(NEVER);
      }
      lock.restore(held);
      return isNotified;
    } catch (error) {
      return { error };
    }
  }

  /**
   * Queues, and releases the lock. Throws if the caller does not own it, or could not get it back.
   */
  #begin(isBlocked: boolean, inside: Contexts): Begun {
    this.#checkOwned("wait", inside);
    if (isBlocked) this.#lock.checkNotAwaited();
    const wait = this.#queue();
    return { wait, held: this.#lock.releaseAll() };
  }

  /**
   * See {@linkcode PassingCore}. Passes on the lock, which a wait holds again however it has ended,
   * unless the lock was lost.
   */
  passOn({ hasThrown, value }: Promised, blocked: CoreCall): PassedOn | undefined {
    const lock = this.#lock;
    const isLost = !hasThrown && typeof value !== "boolean";
    if (isLost || !lock.isHeldFor(blocked)) return undefined;
    const held = lock.handOver(blocked.args);
    const again = async (limits: Limits): Promise<unknown> => {
      try {
        await lock.take({ ...limits, deadlineMs: NEVER, signal: undefined }, true);
      } catch (error) {
        return { error };
      }
      lock.restore(held);
      if (hasThrown) throw value;
      return value;
    };
    return { value: true, again };
  }

  /** See {@linkcode ConditionCore}. */
  notify(n: number, inside: Contexts): void {
    this.#checkOwned("notify", inside);
    const waiters = this.#waiters;
    let hasMoved = false;
    this.#latch.take();
    for (let i = 0; i < n; i++) {
      const node = waiters.firstAlive();
      if (node === 0) break;
      waiters.remove(node);
      this.#lock.adopt(node);
      hasMoved = true;
    }
    this.#latch.give();
    if (hasMoved) this.#lock.announceDeadOwner(); // See Invariant 4 of `_lock_words.ts`.
  }

  #queue(): ConditionWait {
    const leave = (node: number): boolean => this.#latch.hold(() => this.#waiters.remove(node));
    const wait = new ConditionWait(this.#lock, leave);
    this.#latch.hold(() => this.#waiters.push(wait.node));
    return wait;
  }

  #checkOwned(act: string, inside: Contexts): void {
    const lock = this.#lock;
    if (lock.isOwned(inside)) return;
    throw new RuntimeError(
      `Cannot ${act} on ${
        labelOf(KIND, this.name)
      }: its ${lock.label} is not held here, ${lock.describeOwner()}`,
    );
  }
}

registerCore<ConditionCore>(KIND, LocalConditionCore.open, {
  waiting: ["wait"],
  others: ["use", "notify"],
});
