/**
 * The control block as a thread of a model sees it: one method for each step of `control.ts`. All
 * methods but `prepare` need the token; those that give it away return once it has come back.
 *
 * @module
 */

import { Control, type ControlMemory, MAIN_GATE } from "./control.ts";
import { HEADER, LOG, OP, OUTCOME } from "./control_layout.ts";

/** By how much a pause advances the clock; sums of this are exact. */
const PAUSE_MS = 1 / 1024;

/** Gives the token to the thread that the schedule, or else the rule, wants. */
export class ThreadControl extends Control {
  readonly #thread: number;
  /**
   * Whether this thread has done no operation yet: to interrupt it here would be the same as to
   * start it later.
   */
  #isFresh = true;

  constructor(memory: ControlMemory, thread: number) {
    super(memory);
    this.#thread = thread;
  }

  /** The clock of the model, in milliseconds. */
  get nowMs(): number {
    return this.times[0];
  }

  /**
   * Runs `open` when it is this thread's turn, after the threads before it, and returns when its
   * part of the schedule begins.
   */
  prepare(open: () => void): void {
    const { words } = this;
    this.#isFresh = true;
    this.pass(this.#thread);
    open();
    if (this.#thread + 1 < words[HEADER.THREADS]) this.open(this.#thread + 1);
    else this.#leave(OP.START);
    this.pass(this.#thread);
  }

  /**
   * Comes before each operation: gives way first if the schedule wants it.
   *
   * @returns The index of the operation's record, whose RESULT the caller writes.
   */
  step(op: number, buffer: number, index: number, first: number, second: number): number {
    const self = this.#thread;
    const others = this.#isFresh ? 0 : this.#all() & ~this.#bit;
    const target = this.#chosen(self, others);
    let choices = dear(others);
    if (target !== self) {
      choices = 0;
      this.#record(OP.PREEMPTED, 0, 0, target, 0, 0);
      this.#give(target);
      this.pass(self);
    }
    this.#isFresh = false;
    return this.#record(op, buffer, index, first, second, choices);
  }

  /**
   * Lets the next thread in turn go on. This is no preemption; to let any other thread go on is
   * one.
   */
  pause(): void {
    this.#isFresh = false;
    this.times[0] += PAUSE_MS;
    const target = this.#chosen(this.#nextInTurn(), this.#all());
    this.#record(OP.PAUSE, 0, 0, target, 0, dear(this.#all() & ~(1 << target)));
    if (target === this.#thread) return;
    this.#give(target);
    this.pass(this.#thread);
  }

  /** Sleeps at a word; returns what has ended the sleep. */
  sleep(buffer: number, index: number, timeoutMs: number): "ok" | "timed-out" {
    const { words } = this;
    const self = this.#thread;
    words[HEADER.WAIT_BUFFER + self] = buffer;
    words[HEADER.WAIT_INDEX + self] = index;
    words[HEADER.WAIT_TICKET + self] = words[HEADER.TICKET]++;
    words[HEADER.TIMED_OUT + self] = 0;
    words[HEADER.RUNNABLE] &= ~this.#bit;
    if (timeoutMs < Infinity) {
      words[HEADER.TIMED] |= this.#bit;
      this.times[1 + self] = this.nowMs + timeoutMs;
    }
    this.#leave(OP.SLEEP);
    this.pass(self);
    const timedOut = words[HEADER.TIMED_OUT + self];
    this.#record(OP.WAKE, buffer, index, timedOut, 0, 0);
    return timedOut === 1 ? "timed-out" : "ok";
  }

  /** Wakes up to `count` threads that sleep at a word; returns how many. */
  wake(buffer: number, index: number, count: number): number {
    const { words } = this;
    let woken = 0;
    while (woken < count) {
      const thread = this.#longestAsleep(buffer, index);
      if (thread < 0) break;
      words[HEADER.RUNNABLE] |= 1 << thread;
      words[HEADER.TIMED] &= ~(1 << thread);
      woken++;
    }
    return woken;
  }

  /** Ends this thread's part of the schedule. */
  end(result: unknown): void {
    const { words } = this;
    this.writeText(this.#thread, result);
    words[HEADER.RUNNABLE] &= ~this.#bit;
    words[HEADER.ENDED] |= this.#bit;
    this.#leave(OP.END);
  }

  /**
   * Ends the schedule with a violation. This thread and the others stay where they are until they
   * are terminated.
   */
  fail(outcome: number, error?: unknown): never {
    if (error !== undefined) this.writeText(this.#thread, describe(error));
    this.#conclude(outcome);
    for (;;) this.pass(this.#thread);
  }

  get #bit(): number {
    return 1 << this.#thread;
  }

  /** The threads that could be given the token. */
  #all(): number {
    return this.words[HEADER.RUNNABLE] | this.words[HEADER.TIMED];
  }

  /** The step of a thread that cannot go on: the choice of the next thread is free. */
  #leave(op: number): void {
    const { words } = this;
    const runnable = words[HEADER.RUNNABLE];
    const timed = words[HEADER.TIMED];
    const target = this.#chosen(this.#nextByRule(), this.#all());
    const others = ~(1 << target);
    const choices = runnable === 0 ? timed & others : (runnable & others) | dear(timed & others);
    this.#record(op, 0, 0, target, 0, target < 0 ? 0 : choices);
    if (target >= 0) this.#give(target);
    else this.#conclude(this.#haveAllEnded() ? OUTCOME.COMPLETED : OUTCOME.DEADLOCK);
  }

  #haveAllEnded(): boolean {
    return this.words[HEADER.ENDED] === (1 << this.words[HEADER.THREADS]) - 1;
  }

  #nextInTurn(): number {
    const { words } = this;
    const threads = words[HEADER.THREADS];
    let thread = this.#thread;
    do {
      thread = (thread + 1) % threads;
    } while ((words[HEADER.RUNNABLE] & (1 << thread)) === 0);
    return thread;
  }

  /**
   * The lowest runnable thread, or else the one whose deadline comes first; -1 if there is none.
   */
  #nextByRule(): number {
    const { words, times } = this;
    let found = -1;
    for (let thread = 0; thread < words[HEADER.THREADS]; thread++) {
      if ((words[HEADER.RUNNABLE] & (1 << thread)) !== 0) return thread;
      if ((words[HEADER.TIMED] & (1 << thread)) === 0) continue;
      if (found < 0 || times[1 + thread] < times[1 + found]) found = thread;
    }
    return found;
  }

  #longestAsleep(buffer: number, index: number): number {
    const { words } = this;
    const awake = words[HEADER.RUNNABLE] | words[HEADER.ENDED];
    let found = -1;
    let ticket = Infinity;
    for (let thread = 0; thread < words[HEADER.THREADS]; thread++) {
      if ((awake & (1 << thread)) !== 0) continue;
      if (words[HEADER.WAIT_BUFFER + thread] !== buffer) continue;
      if (words[HEADER.WAIT_INDEX + thread] !== index) continue;
      if (words[HEADER.WAIT_TICKET + thread] > ticket) continue;
      found = thread;
      ticket = words[HEADER.WAIT_TICKET + thread];
    }
    return found;
  }

  /**
   * The thread that the schedule wants to go on at this step, if it is one of `allowed`; otherwise
   * the one that the rule wants.
   */
  #chosen(byRule: number, allowed: number): number {
    const { words } = this;
    if (words[HEADER.STEP] !== words[HEADER.NEXT_SWITCH]) return byRule;
    const at = HEADER.SCHEDULE + 2 * words[HEADER.SEEN]++;
    words[HEADER.NEXT_SWITCH] = words[at + 2];
    const wanted = words[at + 1];
    if ((allowed & (1 << wanted)) === 0) return byRule;
    words[HEADER.SWITCHES]++;
    return wanted;
  }

  /** Gives the token to a thread, whose sleep times out if it was not runnable. */
  #give(target: number): void {
    const { words, times } = this;
    const bit = 1 << target;
    if ((words[HEADER.RUNNABLE] & bit) === 0) {
      words[HEADER.RUNNABLE] |= bit;
      words[HEADER.TIMED] &= ~bit;
      words[HEADER.TIMED_OUT + target] = 1;
      times[0] = Math.max(times[0], times[1 + target]);
    }
    this.open(target);
  }

  #conclude(outcome: number): void {
    this.words[HEADER.OUTCOME] = outcome;
    this.words[HEADER.CULPRIT] = this.#thread;
    this.open(MAIN_GATE);
  }

  #record(
    op: number,
    buffer: number,
    index: number,
    first: number,
    second: number,
    choices: number,
  ): number {
    const { words, log } = this;
    const step = words[HEADER.STEP];
    if (step === words[HEADER.MAX_STEPS]) this.fail(OUTCOME.LIVELOCK);
    words[HEADER.STEP] = step + 1;
    const at = step * LOG.SIZE;
    const hash = words[HEADER.HASH];
    log[at + LOG.THREAD] = this.#thread;
    log[at + LOG.OP] = op;
    log[at + LOG.BUFFER] = buffer;
    log[at + LOG.INDEX] = index;
    log[at + LOG.FIRST] = first;
    log[at + LOG.SECOND] = second;
    log[at + LOG.RESULT] = 0;
    log[at + LOG.CHOICES] = choices;
    log[at + LOG.HASH] = hash;
    words[HEADER.HASH] = Math.imul(hash ^ (this.#thread << 8) ^ op, 0x01000193) + 1;
    return at;
  }
}

/** Shifts a mask of threads to that of choices which cost a preemption. */
function dear(threads: number): number {
  return threads << 8;
}

/** The error, and where it was thrown, up to where the explorer has called the model. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const lines = (error.stack ?? `${error.name}: ${error.message}`).split("\n");
  const end = lines.findIndex((line) => line.includes("/model_worker.ts"));
  return lines.slice(0, end < 0 ? undefined : end).join("\n");
}
