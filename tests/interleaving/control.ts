/**
 * The shared block through which exactly one thread of a model runs at a time, and which determines
 * which one.
 *
 * The thread that runs holds the token. Before each of its operations it checks whether the
 * schedule wants another thread to go on, and if so hands the token over. Everything but the gates
 * is touched by the holder alone.
 *
 * Word GATE of each thread, and of the main thread: SHUT, or OPEN, which means: the token is yours.
 *
 *   SHUT -> OPEN   open()   the holder, as the last thing it does
 *   OPEN -> SHUT   pass()   the thread whose gate it is
 *
 * A thread is in one of three states, which the masks RUNNABLE, TIMED and ENDED show:
 *
 *   RUNNABLE -> ASLEEP     sleep()   in no mask, or in TIMED if it sleeps until a deadline
 *   ASLEEP   -> RUNNABLE   wake()    the holder notified its word; first come, first served
 *   ASLEEP   -> RUNNABLE   #give()   chosen while in TIMED: the clock is set to its deadline
 *   RUNNABLE -> ENDED      end()
 *
 * The log has a record for each step. A schedule is a list of switches (step, thread): at that
 * step, that thread goes on. At every other step a rule decides: the running thread goes on; after
 * a pause, the next runnable thread in turn; after a sleep or an end, the lowest runnable thread,
 * and if there is none, the one whose deadline comes first.
 *
 * Invariants
 * 1. One thread has the token, or one gate is OPEN. Opening it publishes all that was written under
 *    the token, also by plain writes, to the thread that passes.
 * 2. The same schedule makes the same log.
 * 3. A thread that gets the token by a switch does at least one operation before the next switch.
 *
 * Here, `Atomics` are the real ones. To step the library's, its `_platform/atomics.ts` is replaced.
 *
 * @module
 */

import { HEADER, LOG, MAX_THREADS } from "./control_layout.ts";

const SHUT = 0;
const OPEN = 1;

/** How often a thread looks at a gate before it sleeps there. */
const LOOKS = 50;

/** The most bytes of what a thread has returned or thrown. */
const TEXT_BYTES = 1 << 14;

/** The most words of a schedule. */
const SCHEDULE_WORDS = 1 << 10;

/** The clock at the beginning of a schedule; not 0, which code might take for "never". */
const EPOCH_MS = 1_000;

/** The gate by which the main thread learns that a schedule is over. */
export const MAIN_GATE: number = MAX_THREADS;

/** The memory of a control block. */
export interface ControlMemory {
  readonly words: SharedArrayBuffer;
  /** The clock, then each thread's deadline, in milliseconds. */
  readonly times: SharedArrayBuffer;
  readonly log: SharedArrayBuffer;
  readonly texts: SharedArrayBuffer;
}

/** What all threads can do with the block. */
export abstract class Control {
  readonly words: Int32Array;
  /** The clock, then each thread's deadline, in milliseconds. */
  readonly times: Float64Array;
  readonly log: Int32Array;
  readonly #texts: Uint8Array;

  constructor(memory: ControlMemory) {
    this.words = new Int32Array(memory.words);
    this.times = new Float64Array(memory.times);
    this.log = new Int32Array(memory.log);
    this.#texts = new Uint8Array(memory.texts);
  }

  /** Opens a gate: gives the token away. */
  protected open(gate: number): void {
    Atomics.store(this.words, HEADER.GATE + gate, OPEN);
    Atomics.notify(this.words, HEADER.GATE + gate, 1);
  }

  /**
   * Waits until a gate is open, and shuts it. {@linkcode open} ends the wait; it stores before it
   * notifies, so that a thread that has already looked does not fall asleep.
   *
   * @returns False if the gate stayed shut for `timeoutMs`.
   */
  protected pass(gate: number, timeoutMs = Infinity): boolean {
    const { words } = this;
    const at = HEADER.GATE + gate;
    for (let i = 0; i < LOOKS && Atomics.load(words, at) === SHUT; i++);
    while (Atomics.load(words, at) === SHUT) {
      if (Atomics.wait(words, at, SHUT, timeoutMs) === "timed-out") return false;
    }
    Atomics.store(words, at, SHUT);
    return true;
  }

  /** Leaves a value for the main thread. */
  protected writeText(thread: number, value: unknown): void {
    const bytes = new TextEncoder().encode(JSON.stringify(value ?? null));
    if (bytes.length > TEXT_BYTES) {
      throw new RangeError("Cannot report to the main thread: too long");
    }
    this.#texts.set(bytes, thread * TEXT_BYTES);
    this.words[HEADER.TEXT_LENGTH + thread] = bytes.length;
  }

  /** Reads what a thread left for the main thread. */
  protected readText(thread: number): unknown {
    const start = thread * TEXT_BYTES;
    const bytes = this.#texts.slice(start, start + this.words[HEADER.TEXT_LENGTH + thread]);
    return bytes.length === 0 ? undefined : JSON.parse(new TextDecoder().decode(bytes));
  }
}

/** The block as the main thread sees it. */
export class MainControl extends Control {
  readonly memory: ControlMemory;
  readonly #threads: number;
  readonly #maxSteps: number;

  constructor(threads: number, maxSteps: number) {
    const memory = {
      words: new SharedArrayBuffer((HEADER.SCHEDULE + SCHEDULE_WORDS) * 4),
      times: new SharedArrayBuffer((1 + MAX_THREADS) * 8),
      log: new SharedArrayBuffer(maxSteps * LOG.SIZE * 4),
      texts: new SharedArrayBuffer(MAX_THREADS * TEXT_BYTES),
    };
    super(memory);
    this.memory = memory;
    this.#threads = threads;
    this.#maxSteps = maxSteps;
  }

  /**
   * Begins a schedule: thread 0 gets the token to prepare itself. Call it while no thread is
   * running.
   */
  begin(schedule: readonly number[]): void {
    const { words } = this;
    if (schedule.length >= SCHEDULE_WORDS) throw new RangeError("Cannot run: too many switches");
    words.fill(0, 0, HEADER.SCHEDULE);
    words.set(schedule, HEADER.SCHEDULE);
    words[HEADER.SCHEDULE + schedule.length] = -1;
    words[HEADER.NEXT_SWITCH] = words[HEADER.SCHEDULE];
    words[HEADER.RUNNABLE] = (1 << this.#threads) - 1;
    words[HEADER.THREADS] = this.#threads;
    words[HEADER.MAX_STEPS] = this.#maxSteps;
    this.times.fill(0);
    this.times[0] = EPOCH_MS;
    this.open(0);
  }

  /** Blocks until the schedule is over; returns false if it is not over after `timeoutMs`. */
  finish(timeoutMs: number): boolean {
    return this.pass(MAIN_GATE, timeoutMs);
  }

  /** What each thread returned. */
  results(): unknown[] {
    return Array.from({ length: this.#threads }, (_, thread) => this.readText(thread));
  }

  /** What a thread threw, which has ended the schedule. */
  error(): string {
    return String(this.readText(this.words[HEADER.CULPRIT]));
  }
}
