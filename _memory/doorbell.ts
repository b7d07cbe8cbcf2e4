/**
 * The one place where a thread sleeps until another thread has left something for it in shared
 * memory.
 *
 * Word BELL of the thread's place in the table of threads: AWAKE or SLEEPING.
 *
 *   AWAKE    -> SLEEPING   sleep(), waitSync()   the owning thread, which then looks at its sources once more
 *   SLEEPING -> AWAKE      ring()                a thread that has published something; it notifies
 *   SLEEPING -> AWAKE      the owning thread, when it found something or its time is up
 *
 * Invariants
 * 1. A thread that publishes looks at BELL afterwards; a thread that goes to sleep looks at its
 *    sources after it has stored SLEEPING. One of the two sees the other's store, so nothing lies
 *    unseen while the owner sleeps.
 * 2. The event loop is held open from when an unspared outcome is expected until a turn after none
 *    is: what a callback submits in that turn finds it open. An idle thread can end.
 * 3. A wait spins only while spins have paid off lately, for a moment (see Spinner), and never in a
 *    turn of the event loop that has lasted for TURN_MS already: timers and messages are not
 *    starved.
 *
 * The promise form drains in a microtask after the code that submitted, then sleeps in `waitAsync`;
 * the blocking form drains in the caller's stack and sleeps in `Atomics.wait`. Both may be under
 * way at once: `ring` wakes both.
 *
 * @module
 */

import { notify, store } from "../_platform/atomics.ts";
import { NEVER, nowMs } from "../_platform/clock.ts";
import { createSharedMemory, hasSharedMemory } from "../_platform/memory.ts";
import { platform } from "../_platform/mod.ts";
import { park, parkSync, SPIN_MS, Spinner } from "../_platform/park.ts";
import { soon } from "../_platform/timers.ts";
import { AWAKE, ring, SLEEPING } from "./thread_table.ts";

/**
 * How long outcomes may be handed out in one turn of the event loop before timers get their chance.
 */
const TURN_MS = 4;

/**
 * Microtasks to let pass after outcomes were handed out, so that their receivers can ask for more.
 */
const PATIENCE = 6;

/**
 * On runtimes where nothing else tells a blocked thread that one of its own workers has died, it
 * looks for itself: first after FIRST_LOOK_MS, then after pauses that double up to MOST_LOOK_MS. A
 * runtime may tell of a death only if it was asked while the worker lived.
 */
const FIRST_LOOK_MS = 10;
const MOST_LOOK_MS = 200;

/** Looks at this thread's workers now and then during one blocking wait. */
class WorkerWatch {
  #pauseMs = FIRST_LOOK_MS;
  #dueMs = NEVER;

  /** Looks if a look is due; returns the time of the next one. */
  look(): number {
    const { workers } = platform;
    if (workers === undefined || workers.size === 0) return NEVER;
    const ms = nowMs();
    if (ms >= this.#dueMs) {
      workers.examine();
      this.#pauseMs = Math.min(2 * this.#pauseMs, MOST_LOOK_MS);
    } else if (this.#dueMs !== NEVER) return this.#dueMs;
    return this.#dueMs = ms + this.#pauseMs;
  }
}

/** Something that a thread waits for and other threads fill. */
export interface Source {
  /** True when {@linkcode drain} would find something. */
  ready(): boolean;
  /**
   * Takes what is there, but starts on nothing more after `untilMs` (a time); true when there was
   * something.
   */
  drain(untilMs: number): boolean;
  /** When {@linkcode expire} must be called: a blocking wait stops the event loop's own timers. */
  readonly deadlineMs?: number;
  /** How many threads or processes work for this thread at the moment. */
  readonly working?: number;
  /**
   * How long a spin for their outcomes may last, where that is longer than usual and a processor is
   * free for it.
   */
  readonly lookMs?: number;
  /** Settles what is overdue. */
  expire?(): void;
  /** Called when the thread is about to sleep: blocked, or as a promise. */
  sleeping?(isBlocking: boolean): void;
  /**
   * Whether other threads or processes have work from this thread that it sees through before it
   * ends.
   */
  readonly hasWork?: boolean;
}

/**
 * How many doorbells of this thread hold the event loop open: it has several if it has seats in
 * several tables.
 */
let holders = 0;

function holdLoop(): void {
  if (holders++ === 0) platform.loopHold.hold();
}

function releaseLoop(): void {
  if (--holders === 0) platform.loopHold.release();
}

/** A thread's doorbell, as other threads see it. */
export class Bell {
  protected words: Int32Array;
  protected index: number;

  /**
   * @param words The shared memory.
   * @param index Where in it the doorbell is.
   */
  constructor(words: Int32Array, index: number) {
    this.words = words;
    this.index = index;
  }

  /** Wakes the owning thread if it sleeps. Call after publishing. */
  ring(): void {
    ring(this.words, this.index);
  }
}

/** A thread's doorbell, as the thread itself sees it. */
export class Doorbell extends Bell {
  readonly #sources = new Set<Source>();
  #expected = 0;
  /** How many of the expected outcomes need not hold the event loop open. */
  #spared = 0;
  /** How many blocking waits are under way: a callback that one of them runs may block too. */
  depth = 0;
  /** A microtask or macrotask that will pump is scheduled. */
  #scheduled = false;
  /** A promise of `waitAsync` is pending. */
  #parked = false;
  /** The thread that this bell was for has gone. */
  #isClosed = false;
  /** This thread will go to sleep with nothing expected, in a turn of the event loop to come. */
  #isResting = false;
  /** The event loop is held open. */
  #isHeld = false;
  /** Empty microtasks to let pass before a spin. */
  #patience = 0;
  #turnStartMs = 0;
  #mayWait: () => boolean = () => true;
  #onArrived: (() => void) | undefined;
  readonly #spinner = new Spinner();
  /** When the promise form went to sleep last. */
  #sleepStartMs = 0;
  readonly #looksReady = (): boolean => this.#isReady();
  #runBy: (step: () => void) => void = (step) => step();
  readonly #step = (): void => this.#run();
  readonly #restStep = (): void => this.#settleDown();
  readonly #pump = (): void => this.#runBy(this.#step);
  readonly #pumpInNewTurn = (): void => {
    this.#turnStartMs = nowMs();
    this.#pump();
  };

  /**
   * Takes over the word that other threads know; before, nobody could ring.
   *
   * @param mayWait Whether this thread may block; the thread that makes it turn false rings.
   */
  adopt(words: Int32Array, index: number, mayWait: () => boolean): void {
    // This thread may be asleep already on its previous word, whatever that says: it must wake, to
    // sleep on the new one.
    notify(this.words, this.index);
    this.words = words;
    this.index = index;
    this.#mayWait = mayWait;
  }

  /**
   * Makes `call` run the steps of the promise form: it sets an async context of theirs. There may
   * be several such calls.
   */
  runBy(call: (step: () => void) => void): void {
    const inner = this.#runBy;
    this.#runBy = (step) => call(() => inner(step));
  }

  /** Watches a source until {@linkcode remove}. */
  add(source: Source): void {
    this.#sources.add(source);
  }

  /** Stops watching a source. */
  remove(source: Source): void {
    this.#sources.delete(source);
  }

  /** Counts one more expected outcome: the event loop is held open until it has come. */
  expect(): void {
    this.#expected++;
    if (!this.#isHeld) this.#hold();
    if (!this.#scheduled) this.#schedule();
  }

  /**
   * Lets the event loop end in spite of `count` more of the expected outcomes; a negative count
   * takes that back.
   */
  spare(count: number): void {
    this.#spared += count;
    if (!this.#isHeld) this.#hold();
    if (!this.isExpecting) this.#rest();
    this.#onArrived?.();
  }

  #hold(): void {
    if (this.#isClosed || !this.isExpecting) return;
    this.#isHeld = true;
    holdLoop();
  }

  /** Counts `count` expected outcomes as come. */
  arrived(count: number): void {
    this.#expected -= count;
    if (!this.isExpecting) this.#rest();
    this.#onArrived?.();
  }

  /** Whether more outcomes are expected than are spared. */
  get isExpecting(): boolean {
    return this.expectsMoreThan(0);
  }

  /** Whether more than `count` of them are. */
  expectsMoreThan(count: number): boolean {
    return this.#expected - this.#spared > count;
  }

  /**
   * Whether others have work from this thread: tasks, threads and processes that have not ended.
   */
  get hasWork(): boolean {
    for (const source of this.#sources) {
      if (source.hasWork === true) return true;
    }
    return false;
  }

  /**
   * Resolves once no others have work from this thread, and nothing more is to come of the work
   * that they had. Only one caller may wait for this: the code that ends the thread.
   */
  async whenDone(): Promise<void> {
    while (this.hasWork) {
      await new Promise<void>((resolve) => this.#onArrived = resolve);
      // The code that awaited that outcome runs first, and may hand out more work.
      await new Promise<void>((resolve) => platform.nextTurn(resolve));
    }
  }

  /**
   * Blocks this thread until `isDone` or the deadline; returns what `isDone` says then. Sources are
   * drained meanwhile, so outcomes of other waits are settled, callbacks included, in this call.
   *
   * @throws {Error} When this thread is given up by whoever started it.
   */
  waitSync(isDone: () => boolean, deadlineMs: number): boolean {
    this.depth++;
    try {
      return this.#waitSync(isDone, deadlineMs);
    } finally {
      this.depth--;
      // BELL is AWAKE now, so nobody rings for the promise form, which still sleeps: it must look,
      // and go to sleep anew.
      if (this.#parked) this.nudge();
    }
  }

  #waitSync(isDone: () => boolean, deadlineMs: number): boolean {
    let watch: WorkerWatch | undefined;
    for (;;) {
      // No further: a callback must not block for what this wait was granted just now.
      this.#drain(NEVER, isDone);
      if (isDone()) return true;
      if (deadlineMs !== NEVER && nowMs() >= deadlineMs) return false;
      if (this.#spin()) continue;
      let wakeMs = deadlineMs;
      for (const source of this.#sources) {
        source.sleeping?.(true);
        if (source.deadlineMs !== undefined) wakeMs = Math.min(wakeMs, source.deadlineMs);
      }
      watch ??= new WorkerWatch();
      const lookMs = watch.look();
      store(this.words, this.index, SLEEPING);
      // `sleeping` of a source may have settled what is waited for.
      if (!isDone() && !this.#isReady() && this.#mayWait()) {
        const startMs = nowMs();
        parkSync(this.words, this.index, SLEEPING, Math.min(wakeMs, lookMs));
        this.#spinner.waited(nowMs() - startMs);
      }
      store(this.words, this.index, AWAKE);
      if (!this.#mayWait()) {
        throw new Error("Cannot wait: this thread was given up, as its task did not stop in time");
      }
      if (wakeMs !== NEVER && nowMs() >= wakeMs) {
        for (const source of this.#sources) source.expire?.();
      }
    }
  }

  /** Makes the promise form look soon: this thread has left something for itself. */
  nudge(): void {
    if (!this.#scheduled) this.#schedule();
  }

  /** Listens although nothing is expected: a ring is heard, but the event loop is not held open. */
  rest(): void {
    if (this.#expected === 0) this.#rest();
  }

  /**
   * Closes the doorbell for good, before its word becomes another thread's: nothing here sleeps on
   * that word or looks at a source any more.
   */
  close(): void {
    this.#isClosed = true;
    this.#sources.clear();
    if (this.#isHeld) releaseLoop();
    this.#isHeld = false;
    this.ring();
  }

  /** Drains once, without waiting. */
  poll(): void {
    this.#drain(NEVER);
  }

  /**
   * In a later turn, if still no unspared outcome is expected, lets the event loop end, and sleeps
   * all the same, so as to hear of workers that end.
   */
  #rest(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    platform.nextTurn(() => this.#runBy(this.#restStep));
  }

  #settleDown(): void {
    this.#isResting = false;
    if (this.#isClosed || this.isExpecting) return;
    if (this.#isHeld) releaseLoop();
    this.#isHeld = false;
    // Tries again until this thread sleeps: until then, a thread that leaves something for it does
    // not wake it.
    if (this.#drain(NEVER) || !this.#sleep()) this.#rest();
  }

  #schedule(): void {
    this.#scheduled = true;
    soon(this.#pump);
  }

  /** One step of the promise form: drains, then lets a microtask pass, spins, or sleeps. */
  #run(): void {
    this.#scheduled = false;
    if (this.#isClosed) return;
    if (this.#expected === 0) {
      this.#drain(NEVER);
      this.#rest();
      return;
    }
    const turnEndMs = this.#turnStartMs + TURN_MS;
    let isTurnOver = false;
    if (this.#drain(turnEndMs)) {
      this.#patience = PATIENCE;
      isTurnOver = nowMs() >= turnEndMs;
    } else if (this.#patience > 0) {
      this.#patience--;
    } else {
      isTurnOver = nowMs() >= turnEndMs;
      if (!isTurnOver && this.#spin()) {
        this.#drain(turnEndMs);
        this.#patience = PATIENCE;
      } else if (this.#sleep()) {
        return;
      }
    }
    if (this.#expected === 0 || this.#scheduled) return;
    if (isTurnOver) {
      this.#scheduled = true;
      platform.nextTurn(this.#pumpInNewTurn);
    } else {
      this.#schedule();
    }
  }

  /** Sleeps as a promise; false when something arrived meanwhile. */
  #sleep(): boolean {
    store(this.words, this.index, SLEEPING);
    if (this.#isReady()) {
      store(this.words, this.index, AWAKE);
      return false;
    }
    for (const source of this.#sources) source.sleeping?.(false);
    this.#sleepStartMs = nowMs();
    if (this.#parked) return true;
    const woken = park(this.words, this.index, SLEEPING);
    if (woken === undefined) return false;
    this.#parked = true;
    woken.then(() => {
      this.#parked = false;
      this.#spinner.waited(nowMs() - this.#sleepStartMs);
      if (!this.#scheduled) this.#pumpInNewTurn();
    });
    return true;
  }

  #drain(untilMs: number, isDone?: () => boolean): boolean {
    let found = false;
    for (const source of this.#sources) {
      if (!source.drain(untilMs)) continue;
      found = true;
      if (isDone?.()) break;
    }
    return found;
  }

  #isReady(): boolean {
    for (const source of this.#sources) {
      if (source.ready()) return true;
    }
    return false;
  }

  /** Spins for a while; true when something arrived (Invariant 3). */
  #spin(): boolean {
    if (platform.cores < 2 || !this.#spinner.isDue()) return false;
    store(this.words, this.index, AWAKE);
    let working = 0;
    let lookMs = Infinity;
    for (const source of this.#sources) {
      if (!source.working) continue;
      working += source.working;
      lookMs = Math.min(lookMs, source.lookMs ?? SPIN_MS);
    }
    // A thread that spins must leave the processors to the working ones.
    const mayLook = working > 0 && working < platform.cores;
    return this.#spinner.look(this.#looksReady, mayLook ? lookMs : SPIN_MS);
  }
}

/** This thread's doorbell; its word is in no table until the thread has taken a seat in one. */
export const doorbell: Doorbell = new Doorbell(
  // Where there is no shared memory, nobody will ring.
  new Int32Array(hasSharedMemory ? createSharedMemory(4) : new ArrayBuffer(4)),
  0,
);
