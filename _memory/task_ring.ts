/**
 * A bounded queue of tasks in shared memory: one owner publishes, many workers claim, and the owner
 * may take back what nobody has claimed. First in, first out; no lock; no thread waits for another.
 *
 * Tasks are numbered 0, 1, 2 ... modulo 2^32. Task n lies in slot n mod SLOTS, in lap n / SLOTS.
 *
 * Word HEAD: number of the next task to be claimed.
 *
 * Each slot's word STAMP: lap (22 bits), worker (8 bits), state (2 bits):
 *
 *   FREE(lap)          the owner may fill it with the task of that lap
 *   READY(lap)         published; the payload is readable
 *   TAKEN(lap, worker) claimed by that worker, which now copies the payload
 *   CANCELLED(lap)     taken back before anybody claimed it
 *
 *   FREE(lap)      -> READY(lap)          publish()   owner
 *   READY(lap)     -> TAKEN(lap, worker)  claim()     one worker, by compare-exchange
 *   READY(lap)     -> CANCELLED(lap)      cancel()    owner, by compare-exchange
 *   TAKEN(lap, w)  -> FREE(lap + 1)       release()   that worker, by compare-exchange, the payload copied
 *                                         recover()   owner, by compare-exchange, once the worker is ignored
 *   CANCELLED(lap) -> FREE(lap + 1)       freeSlot()  owner, once HEAD has passed it
 *
 * Invariants
 * 1. Exactly one compare-exchange takes a slot out of READY: a task runs at most once, and never
 *    after it was taken back.
 * 2. HEAD moves by one, by compare-exchange, and only past a slot that is no longer READY in HEAD's
 *    lap. A claimer may die or be suspended before it moves HEAD; the thread that looks next then
 *    moves it. A claimer releases only after HEAD has moved.
 * 3. The payload is written only in FREE (by the owner) and read only in TAKEN (by the claimer);
 *    the stamp publishes it. If `release` succeeds, what was copied is the task's payload;
 *    otherwise it must not be used. If the slot at HEAD is still TAKEN or CANCELLED in the lap
 *    before HEAD's, the owner could not fill it yet: the ring is empty. Mistaking it for a slot
 *    claimed in HEAD's lap would move HEAD past a task that is yet to be published:
 *      W1: claims task 0, is suspended       W2: claims tasks 1 to 1023, finds slot 0 TAKEN, moves HEAD
 *      O: publishes task 1024 in slot 0      nobody ever claims it
 * 4. A slot is given back as soon as its payload has been copied, before the payload is decoded,
 *    and not when the task ends: a task of an hour does not hold up the ring.
 * 5. Exactly one compare-exchange takes a slot from TAKEN to FREE: either the worker keeps the
 *    task, and what belongs to it, or the owner has it back. So a slot can be recovered from a
 *    thread that may run on, and the worker number in its stamp can be given to another worker at
 *    once, provided that the thread claims nothing more: in that lap the slot is never TAKEN again.
 *    With a plain store instead,
 *      O: recovers slot, publishes the next lap's task in it      W, ignored: stores FREE, the task is gone
 *
 * The lap in the stamp makes a late compare-exchange fail: a worker suspended between its load and
 * its compare-exchange would have to sleep for exactly 2^32 tasks to be deceived.
 *
 * Word ASKED: what the owner wants to be told of; see Invariant 1 of `executors/_crew.ts`.
 *
 *   0                      -> WHILE_OTHERS_WAIT, ANY   ask()        owner
 *   WHILE_OTHERS_WAIT      -> ANY                      ask()        owner
 *   WHILE_OTHERS_WAIT, ANY -> 0                        mustTell()   one worker, by compare-exchange,
 *                                                                 which then tells
 *
 * Word CLOSED: 0 -> 1, close(). Word BACKLOG: 0 <-> 1, setBacklog(), by the owner; it becomes 0 only
 * after the last of the tasks that waited was published. Words SLEEPING, LOOKING: see
 * `executors/_worker_state.ts`; WORKERS: see `executors/_crew.ts`; RETURNED: see
 * `executors/_pool_child.ts`.
 *
 * Why a cancelled slot is freed by the owner and not by the worker that moves HEAD past it: a
 * worker that died between the two steps would leave the slot shut, and if the owner then freed it
 * as well,
 *   W: moves HEAD past slot, is suspended      O: frees the slot, publishes the next lap's task in it
 *   W: stores FREE                             O: the task is gone
 *
 * The stamps are the idea of D. Vyukov's bounded queue. One queue per worker would be simpler to
 * write and worse to use: a short task behind a long one would wait although another worker is
 * idle.
 *
 * @module
 */

import { load, replace, store } from "../_platform/atomics.ts";
import { createSharedMemory } from "../_platform/memory.ts";
import { TASK_RING, WORD_BYTES } from "./layout.ts";

/** Binary logarithm of the number of slots. */
const SLOT_BITS = 10;
const SLOTS = 1 << SLOT_BITS;
const SLOT_MASK = SLOTS - 1;

/** Words of a slot: four of head, the rest payload. */
const SLOT_WORDS = 64;

/** Words of a slot, by name. */
export const SLOT = {
  STAMP: 0,
  /** Index of the task in the owner's table. */
  TASK: 1,
  /** The function number, and the form of the payload; see `executors/_protocol.ts`. */
  FUNCTION: 2,
  FORM: 3,
  PAYLOAD: 4,
} as const;

/** Words of payload that a slot holds; a larger payload lies elsewhere, as the task's form says. */
export const SLOT_PAYLOAD_WORDS: number = SLOT_WORDS - SLOT.PAYLOAD;

/** The most workers that a stamp can name. */
export const MAX_WORKERS = 255;

const FREE = 0;
const READY = 1;
const TAKEN = 2;
const CANCELLED = 3;

/**
 * Values of word ASKED besides 0: the owner wants to be told of a task begun while others wait in
 * the ring, or of any.
 */
const WHILE_OTHERS_WAIT = 1;
const ANY = 2;

const STATE_MASK = 3;
const LAP_SHIFT = 10;
const WORKER_SHIFT = 2;

function stamp(number: number, state: number): number {
  return ((number >>> SLOT_BITS) << LAP_SHIFT) | state;
}

/**
 * True when the slot is still free for task `number`, or holds the task of the lap before: task
 * `number` has not been published.
 */
function isBefore(value: number, number: number): boolean {
  return value === stamp(number, FREE) ||
    value >>> LAP_SHIFT === stamp(number - SLOTS, FREE) >>> LAP_SHIFT;
}

function takenBy(number: number, worker: number): number {
  return stamp(number, TAKEN) | (worker << WORKER_SHIFT);
}

function isTaken(value: number): boolean {
  return (value & STATE_MASK) === TAKEN;
}

function takerOf(value: number): number {
  return (value >>> WORKER_SHIFT) & MAX_WORKERS;
}

/** The ring as a worker sees it. */
export class TaskRing {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;

  constructor(
    buffer: SharedArrayBuffer = createSharedMemory(
      (TASK_RING.SIZE + SLOTS * SLOT_WORDS) * WORD_BYTES,
    ),
  ) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** Index of the first word of a task's slot. */
  slotOf(number: number): number {
    return TASK_RING.SIZE + (number & SLOT_MASK) * SLOT_WORDS;
  }

  /** Number of the next task to be claimed. */
  get head(): number {
    return load(this.words, TASK_RING.HEAD);
  }

  /**
   * Copies the first `count` words of a claimed task's payload. They are that task's only if
   * {@linkcode release} then succeeds.
   */
  copyPayload(number: number, to: Int32Array, count: number): void {
    const { words } = this;
    const at = this.slotOf(number) + SLOT.PAYLOAD;
    for (let i = 0; i < count; i++) to[i] = words[at + i];
  }

  /** True once no further task will be published, as a worker sees it. */
  get isClosed(): boolean {
    return load(this.words, TASK_RING.CLOSED) === 1;
  }

  /** True while there is a task to claim, or tasks that wait at the owner for room in the ring. */
  get hasMore(): boolean {
    // In this order: the other one would miss a task that is published between the two looks.
    return load(this.words, TASK_RING.BACKLOG) === 1 || this.hasReady();
  }

  /**
   * True when the owner has asked to be told of a worker that begins a task, and this worker must
   * be the one to tell it. Call once the worker shows that it runs the task, and again once it has
   * given back the memory of the arguments.
   */
  mustTell(): boolean {
    const { words } = this;
    for (;;) {
      const asked = load(words, TASK_RING.ASKED);
      if (asked === 0 || (asked === WHILE_OTHERS_WAIT && !this.hasReady())) return false;
      if (replace(words, TASK_RING.ASKED, asked, 0)) return true;
    }
  }

  /** True when there is a task to claim. */
  hasReady(): boolean {
    const { words } = this;
    for (;;) {
      const head = load(words, TASK_RING.HEAD);
      const seen = load(words, this.slotOf(head) + SLOT.STAMP);
      if (seen === stamp(head, READY)) return true;
      if (isBefore(seen, head)) return false;
      this.#pass(head);
    }
  }

  /**
   * Claims the oldest task for `worker` and returns its number, or -1 when there is none. The
   * caller copies the payload and then calls {@linkcode release}. As numbers wrap, -1 is not one of
   * them: they are returned unsigned.
   */
  claim(worker: number): number {
    const { words } = this;
    for (;;) {
      const head = load(words, TASK_RING.HEAD);
      const at = this.slotOf(head) + SLOT.STAMP;
      const seen = load(words, at);
      if (seen === stamp(head, READY)) {
        if (!replace(words, at, seen, takenBy(head, worker))) continue;
        this.#pass(head);
        return head >>> 0;
      }
      if (isBefore(seen, head)) return -1;
      this.#pass(head);
    }
  }

  /**
   * Moves HEAD past a slot that was seen claimed or cancelled. If it fails, another thread has
   * moved HEAD (Invariant 2).
   */
  #pass(head: number): void {
    replace(this.words, TASK_RING.HEAD, head, (head + 1) | 0);
  }

  /**
   * Gives back the slot of a task that `worker` has claimed, once its payload is copied; false when
   * the owner has taken the task back, because it ignores the worker from now on.
   */
  release(number: number, worker: number): boolean {
    const at = this.slotOf(number) + SLOT.STAMP;
    return replace(this.words, at, takenBy(number, worker), stamp(number + SLOTS, FREE));
  }
}

/** The ring as its owner sees it. */
export class OwnedTaskRing extends TaskRing {
  /** Number of the next task to be published. Only the owner needs it. */
  #next = 0;

  /** Number that the next published task gets. */
  get next(): number {
    return this.#next;
  }

  /** How many tasks are published and not yet claimed. Not reliable while workers claim. */
  get unclaimed(): number {
    return (this.#next - this.head) | 0;
  }

  /** Tells the workers whether tasks wait at the owner for room. */
  setBacklog(waits: boolean): void {
    const value = waits ? 1 : 0;
    if (load(this.words, TASK_RING.BACKLOG) !== value) store(this.words, TASK_RING.BACKLOG, value);
  }

  /** Tells the workers that no further task will be published. */
  close(): void {
    store(this.words, TASK_RING.CLOSED, 1);
  }

  /**
   * Asks to be told of the next worker that begins a task: if others wait in the ring then, or,
   * with `forRoom`, in any case. False when this much was asked already.
   */
  ask(forRoom: boolean): boolean {
    const asked = forRoom ? ANY : WHILE_OTHERS_WAIT;
    if (load(this.words, TASK_RING.ASKED) >= asked) return false;
    store(this.words, TASK_RING.ASKED, asked);
    return true;
  }

  /** Index of the slot for the next task, or -1 when the ring is full. */
  freeSlot(): number {
    const next = this.#next;
    const at = this.slotOf(next);
    const seen = load(this.words, at + SLOT.STAMP);
    if (seen === stamp(next, FREE)) return at;
    return this.#freeCancelled(next - SLOTS, seen) ? at : -1;
  }

  /**
   * Frees the slot of a cancelled task once HEAD has passed it; moves HEAD itself if no worker has
   * done so.
   */
  #freeCancelled(number: number, seen: number): boolean {
    if (seen !== stamp(number, CANCELLED)) return false;
    this.hasReady();
    if (((this.head - number) | 0) <= 0) return false;
    store(this.words, this.slotOf(number) + SLOT.STAMP, stamp(number + SLOTS, FREE));
    return true;
  }

  /** Publishes the task written to {@linkcode freeSlot}; returns its number. */
  publish(): number {
    const number = this.#next;
    store(this.words, this.slotOf(number) + SLOT.STAMP, stamp(number, READY));
    this.#next = (number + 1) | 0;
    return number >>> 0;
  }

  /** True while the task waits in the ring: not claimed, not cancelled. */
  isWaiting(number: number): boolean {
    return load(this.words, this.slotOf(number) + SLOT.STAMP) === stamp(number, READY);
  }

  /** The numbers of the tasks that are published and not known to be claimed, oldest first. */
  *waiting(): Generator<number> {
    for (let number = this.head; number !== this.#next; number = (number + 1) | 0) {
      if (this.isWaiting(number)) yield number >>> 0;
    }
  }

  /** Takes a task back; false when a worker has claimed it first. */
  cancel(number: number): boolean {
    const at = this.slotOf(number) + SLOT.STAMP;
    return replace(this.words, at, stamp(number, READY), stamp(number, CANCELLED));
  }

  /**
   * Takes back what a worker has claimed and not released; returns the slots, which nobody writes
   * to before the next task is published. Call once that worker can claim nothing more.
   */
  recover(worker: number): number[] {
    const slots: number[] = [];
    for (let i = 0; i < SLOTS; i++) {
      const slot = TASK_RING.SIZE + i * SLOT_WORDS;
      const at = slot + SLOT.STAMP;
      const seen = load(this.words, at);
      if (!isTaken(seen) || takerOf(seen) !== worker) continue;
      const next = ((seen >>> LAP_SHIFT) + 1) << LAP_SHIFT | FREE;
      if (replace(this.words, at, seen, next)) slots.push(slot);
    }
    return slots;
  }
}
