/**
 * One worker's own words, shared with its pool's owner; behind them the rings of its records and of
 * the owner's replies.
 *
 * Word STATE: what the worker may do.
 *
 *   AWAKE    -> SLEEPING   the worker, which then looks at the task ring once more
 *   SLEEPING -> AWAKE      whoever wakes it: the owner, who then notifies; or the worker itself,
 *                          having found a task
 *   SLEEPING -> RETIRED    the worker, having slept for its idle timeout, and no task waits
 *   AWAKE, SLEEPING -> RETIRED   the owner, who wants no more of it; or the worker, which ends
 *
 * Word PHASE: BETWEEN tasks, or RUNNING the task that CURRENT (its number in the task ring) and
 * CURRENT_TASK (its index in the owner's table) name. Written by the worker.
 * Word ABORTED: number of the task that was last asked to stop. Word ABORTS: how often a task was
 * asked to stop. Written by the owner, who notifies. Ring numbers wrap, so ABORTED alone proves
 * nothing: the running task is asked to stop if ABORTED is its number and ABORTS has changed since
 * its worker last called `mayClaim`.
 * Word DECIDED: number of the task, among those that came by the wire, that was last begun or taken
 * back; see `_wire.ts`.
 * Word HELD: the block of the pool's arena that holds the arguments of the task that the worker has
 * claimed, as a byte position.
 *
 *   NONE            -> block            hold()          worker, before it releases the task's slot
 *   block           -> block + READING  beginReading()  worker, by compare-exchange
 *   block + READING -> NONE             endReading()    worker, by compare-exchange, after it has
 *                                                       given the block back
 *   block           -> NONE             letGo()         worker, from which the owner has taken the
 *                                                       slot, and so the block, back
 *                                       takeBlock()     owner, by compare-exchange: it gives the
 *                                                       block back
 *   block + READING -> ... + LEFT       takeBlock()     owner, by compare-exchange: it ignores the
 *                                                       worker from now on
 *   ... + LEFT      -> NONE             endReading()    worker, after it has given the block back
 *
 * Word LIFE: whether the worker has begun. Not used for a worker that is a process.
 *
 *   COMING  -> ARRIVED      arrive()     worker, by compare-exchange, having asked for its sign of
 *                                        life and before it touches anything else
 *   ARRIVED -> ALIVE        setAlive()   worker, once it holds its sign of life
 *   COMING  -> CALLED_OFF   callOff()    owner, by compare-exchange: the worker will touch nothing,
 *                                        so its place can be given back at once
 *
 * Word READY: 1 once the worker takes tasks.
 *
 * Invariants
 * 1. The worker stores BETWEEN before it looks at STATE, and looks at STATE before it claims. The
 *    owner stores RETIRED before it looks at PHASE. So an owner that sees RUNNING after it stored
 *    RETIRED knows that the worker claims nothing more: it can be given up without losing a task
 *    that it has just taken.
 * 2. The task ring's SLEEPING is never less than the number of workers whose STATE is SLEEPING: a
 *    worker adds to it before it changes STATE to SLEEPING, and whoever changes STATE from SLEEPING
 *    subtracts afterwards.
 * 3. A block is given back once, by a side that will not read it, and while nobody reads it: by the
 *    owner if its compare-exchange comes before that of `beginReading`, else by the worker. A
 *    thread that is abandoned while it reads is not ended before it has finished reading (see
 *    `_crew.ts`), calls nothing afterwards, and rings the owner, who may be waiting for the room.
 *    Not promised: that a block comes back from a thread that ends itself while it reads, as a
 *    getter of an error's class may make it do.
 *
 * @module
 */

import { add, load, notify, replace, store } from "../_platform/atomics.ts";
import { callAt, nowMs } from "../_platform/clock.ts";
import { createSharedMemory } from "../_platform/memory.ts";
import { platform } from "../_platform/mod.ts";
import { park, Spinner } from "../_platform/park.ts";
import { RECORD_RING, TASK_RING, WORD_BYTES, WORKER } from "../_memory/layout.ts";
import type { RecordRingPlace } from "../_memory/record_ring.ts";
import type { TaskRing } from "../_memory/task_ring.ts";

const COMING = 0;
const ARRIVED = 1;
const ALIVE = 2;
const CALLED_OFF = 3;

const AWAKE = 0;
const SLEEPING = 1;
const RETIRED = 2;

const BETWEEN = 0;
const RUNNING = 1;

/** In word HELD, no block. A block's position is a multiple of 8. */
const NONE = 0;
const READING = 1;
const LEFT = 2;

/** A worker whose idle timeout is shorter looks this often whether it may retire. */
const LOOK_AGAIN_MS = 10;

/**
 * Words of the ring of a worker's records: 256 KiB, of which only as much is touched as outcomes
 * pile up.
 */
const RECORD_WORDS = 1 << 16;
/** Words of the ring of the owner's replies. */
const REPLY_WORDS = 1 << 14;

const REPLIES = WORKER.SIZE + RECORD_RING.SIZE + RECORD_WORDS;

/** One worker's shared words, from both sides. */
export class WorkerState {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #spinner = new Spinner();
  #abortsBefore = 0;

  constructor(
    buffer: SharedArrayBuffer = createSharedMemory(
      (REPLIES + RECORD_RING.SIZE + REPLY_WORDS) * WORD_BYTES,
    ),
  ) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /** Where the worker's records are. */
  get records(): RecordRingPlace {
    return {
      words: this.#words,
      bytes: new Uint8Array(this.buffer),
      base: WORKER.SIZE,
      capacity: RECORD_WORDS,
    };
  }

  /** Where the owner's replies are. */
  get replies(): RecordRingPlace {
    return {
      words: this.#words,
      bytes: new Uint8Array(this.buffer),
      base: REPLIES,
      capacity: REPLY_WORDS,
    };
  }

  // The worker's side.

  /** Says that the worker begins; false when it has been called off, and must not. */
  arrive(): boolean {
    return replace(this.#words, WORKER.LIFE, COMING, ARRIVED);
  }

  /** Says that no task runs; false when the worker must not claim another (Invariant 1). */
  mayClaim(): boolean {
    store(this.#words, WORKER.PHASE, BETWEEN);
    this.#abortsBefore = load(this.#words, WORKER.ABORTS);
    return load(this.#words, WORKER.STATE) !== RETIRED;
  }

  /** Says which task runs. */
  begin(number: number, task: number): void {
    this.#words[WORKER.CURRENT] = number;
    this.#words[WORKER.CURRENT_TASK] = task;
    store(this.#words, WORKER.PHASE, RUNNING);
  }

  /**
   * Says that the worker holds the block of a task that it has claimed; call before the slot is
   * given back.
   */
  hold(block: number): void {
    store(this.#words, WORKER.HELD, block);
  }

  /** Says that the worker holds no block after all. */
  letGo(): void {
    store(this.#words, WORKER.HELD, NONE);
  }

  /** Says that the worker reads the block that it holds; false when the owner has taken it back. */
  beginReading(block: number): boolean {
    return replace(this.#words, WORKER.HELD, block, block | READING);
  }

  /**
   * Says that the worker has given that block back; false when the owner ignores this worker from
   * now on.
   */
  endReading(block: number): boolean {
    if (replace(this.#words, WORKER.HELD, block | READING, NONE)) return true;
    this.letGo();
    return false;
  }

  /**
   * Decides about a task that came by the wire; false when the other side has decided: then the
   * task is not the caller's.
   */
  decide(number: number): boolean {
    return replace(this.#words, WORKER.DECIDED, (number - 1) | 0, number);
  }

  /**
   * Looks for a task for a moment, while looking pays off; true when there is one. For `lookMs` at
   * most, where that is longer than usual.
   */
  look(ring: TaskRing, lookMs?: number): boolean {
    const spinner = this.#spinner;
    if (!spinner.isDue()) return false;
    const { words } = ring;
    // Spinning threads must leave a processor to the working ones, all the more if they spin longer:
    // to those of this pool, that is.
    const mayLook = add(words, TASK_RING.LOOKING, 1) < platform.cores - 1;
    const awake = load(words, TASK_RING.WORKERS) - load(words, TASK_RING.SLEEPING);
    const longestMs = awake < platform.cores ? lookMs : undefined;
    const found = mayLook ? spinner.look(() => ring.hasReady(), longestMs) : spinner.miss();
    add(words, TASK_RING.LOOKING, -1);
    return found;
  }

  /**
   * Sleeps until the owner wakes this worker, unless the ring has something; retires once the idle
   * timeout has passed and no task waits: otherwise another worker would have to be started for it.
   */
  async sleep(ring: TaskRing, idleTimeoutMs: number | undefined): Promise<void> {
    const words = this.#words;
    // Counted first: otherwise a thread that wakes this worker meanwhile would take another sleeper
    // off the count.
    add(ring.words, TASK_RING.SLEEPING, 1);
    if (!replace(words, WORKER.STATE, AWAKE, SLEEPING)) {
      add(ring.words, TASK_RING.SLEEPING, -1);
      return;
    }
    if (!ring.hasReady() && !ring.isClosed) {
      let stopTimer = (): void => {};
      const retireIn = (ms: number): void => {
        stopTimer = callAt(nowMs() + ms, () => {
          if (ring.hasMore) retireIn(Math.max(ms, LOOK_AGAIN_MS));
          else this.#endSleep(ring, RETIRED);
        });
      };
      if (idleTimeoutMs !== undefined) retireIn(idleTimeoutMs);
      const startMs = nowMs();
      await park(words, WORKER.STATE, SLEEPING);
      this.#spinner.waited(nowMs() - startMs);
      stopTimer();
    }
    this.#leaveSleep(ring, AWAKE);
  }

  #leaveSleep(ring: TaskRing, state: number): boolean {
    if (!replace(this.#words, WORKER.STATE, SLEEPING, state)) return false;
    add(ring.words, TASK_RING.SLEEPING, -1);
    return true;
  }

  /** Ends the worker's sleep; false when it does not sleep. */
  #endSleep(ring: TaskRing, state: number): boolean {
    if (!this.#leaveSleep(ring, state)) return false;
    notify(this.#words, WORKER.STATE);
    return true;
  }

  /** Says that this worker holds its sign of life. */
  setAlive(): void {
    store(this.#words, WORKER.LIFE, ALIVE);
  }

  /** Says that this worker takes tasks. */
  setReady(): void {
    store(this.#words, WORKER.READY, 1);
  }

  /** How often a task had been asked to stop before the running one was claimed. */
  get abortsBefore(): number {
    return this.#abortsBefore;
  }

  /**
   * True when the task with that number is asked to stop; `abortsBefore` is the value of
   * {@linkcode abortsBefore} when it began.
   */
  isAborted(number: number, abortsBefore: number): boolean {
    return load(this.#words, WORKER.ABORTS) !== abortsBefore &&
      this.#words[WORKER.ABORTED] === (number | 0);
  }

  /** A promise for the next change of ABORTS. */
  async abortChange(): Promise<void> {
    await park(this.#words, WORKER.ABORTS, load(this.#words, WORKER.ABORTS));
  }

  // The owner's side.

  /** Calls the worker off; false when it has begun. */
  callOff(): boolean {
    return replace(this.#words, WORKER.LIFE, COMING, CALLED_OFF);
  }

  /** True when the worker has begun, and so holds its sign of life or has asked for it. */
  get hasArrived(): boolean {
    const life = load(this.#words, WORKER.LIFE);
    return life === ARRIVED || life === ALIVE;
  }

  /** True when the worker holds its sign of life. */
  get isAlive(): boolean {
    return load(this.#words, WORKER.LIFE) === ALIVE;
  }

  /** True when the worker has begun to take tasks. */
  get isReady(): boolean {
    return load(this.#words, WORKER.READY) === 1;
  }

  /** True when the worker has gone to rest for good. */
  get isRetired(): boolean {
    return load(this.#words, WORKER.STATE) === RETIRED;
  }

  /** True while a task runs. */
  get isRunning(): boolean {
    return load(this.#words, WORKER.PHASE) === RUNNING;
  }

  /** True while the task with that number runs. */
  isRunningTask(number: number): boolean {
    return this.isRunning && this.#words[WORKER.CURRENT] === (number | 0);
  }

  /** Index of the task that runs, or ran last. */
  get currentTask(): number {
    return this.#words[WORKER.CURRENT_TASK];
  }

  /** Number of the task that runs, or ran last. */
  get currentNumber(): number {
    return this.#words[WORKER.CURRENT];
  }

  /**
   * Takes the block back from a worker that claims nothing more and is ignored from now on.
   *
   * @returns The block that it holds and now will not read, for the caller to give back; 0 if it
   * holds none, or gives it back itself.
   */
  takeBlock(): number {
    const words = this.#words;
    const held = load(words, WORKER.HELD);
    if (held === NONE) return NONE;
    if ((held & READING) === 0 && replace(words, WORKER.HELD, held, NONE)) return held;
    // The worker reads the block, or has read it by now.
    replace(words, WORKER.HELD, held | READING, held | READING | LEFT);
    return NONE;
  }

  /** True while the worker still reads the block that it held when it was abandoned. */
  get isLeftReading(): boolean {
    return (load(this.#words, WORKER.HELD) & LEFT) !== 0;
  }

  /** Wakes the worker; false when it does not sleep. */
  wake(ring: TaskRing): boolean {
    return this.#endSleep(ring, AWAKE);
  }

  /** Makes the worker claim nothing more. */
  retire(ring: TaskRing): void {
    while (!this.isRetired) {
      if (!this.#endSleep(ring, RETIRED)) replace(this.#words, WORKER.STATE, AWAKE, RETIRED);
    }
  }

  /** Asks the task with that number to stop. */
  abort(number: number): void {
    this.#words[WORKER.ABORTED] = number;
    add(this.#words, WORKER.ABORTS, 1);
    notify(this.#words, WORKER.ABORTS);
  }
}
