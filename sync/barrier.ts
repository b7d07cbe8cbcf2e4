/**
 * Barrier: a number of parties wait for each other, round after round.
 *
 * All words are written under the latch. Word COUNT: parties that wait in this round. Word ROUND: changes whenever a
 * round ends, well or not. Word STATE:
 *
 *   FILLING -> FILLING   wait(), the last party, without an action; reset()
 *   FILLING -> ACTING    wait(), the last party, which runs the action; ACTING names its thread
 *   ACTING  -> FILLING   the same, after the action; reset()
 *   FILLING, ACTING -> BROKEN   abort(); a party that gave up, or died; an action that threw
 *   BROKEN  -> FILLING   reset()
 *
 * The list holds the parties of the round, the gate those who came during an action: they try again after it, and their time
 * counts from then.
 *
 * Invariants
 * 1. The list has COUNT nodes while the barrier is FILLING or ACTING; it is empty while it is BROKEN.
 * 2. A round ends in one step, under the latch: all its parties are told how by their nodes. A party of the next round cannot be
 *    taken for one of this, however slow some are to notice.
 * 3. Who runs an action ends the round only if ROUND is still what it was: `abort` and `reset` end it before.
 * 4. The gate is emptied whenever STATE ceases to be ACTING.
 *
 * Python's fourth state, draining, has no counterpart: it keeps the next round out while the parties of this one read
 * a common result. Here each is told by itself (Invariant 2).
 *
 * @module
 */

import { load, store } from "../_platform/atomics.ts";
import { checkTimeout, deadlineAfter } from "../_platform/clock.ts";
import { HANDLE, type Handle, registerHandle } from "../_memory/handle.ts";
import { BARRIER } from "../_memory/layout.ts";
import { type Seat, Wait } from "../_memory/seat.ts";
import { Latch, WaitList } from "../_memory/wait_list.ts";
import { checkMayBlock } from "./_acquire.ts";
import { dataOf, SharedWords } from "./_shared.ts";
import { BrokenBarrierError, RuntimeError } from "./errors.ts";
import type { WaitOptions, WaitSyncOptions } from "./options.ts";

const KIND = "Barrier";

const FILLING = 0;
const ACTING = 1;
const BROKEN = 2;

/** What a waiter is told: its round is complete, or broken, or the gate is open. */
const COMPLETE = 1;
const FAILED = 2;
const RETRY = 3;

const PARTIES_LIST = 1;
const GATE_LIST = 2;

const MOST_PARTIES = 2 ** 31 - 1;

/** What a barrier is made with, beside the number of parties. */
export interface BarrierOptions {
  /** Called once a round, by the last party to arrive, before any of them goes on. */
  action?: () => unknown;
  /** Milliseconds that a party waits if its `wait` does not say otherwise. */
  timeout?: number | null;
  /** Shown in error texts. */
  name?: string;
}

/** A party's wait. */
class BarrierWait extends Wait {
  grant = 0;
  readonly #object: BarrierWords;

  constructor(object: BarrierWords) {
    super(object.seat);
    this.#object = object;
  }

  /** See {@linkcode Wait}. */
  granted(grant: number): boolean {
    this.grant = grant;
    return true;
  }

  /** See {@linkcode Wait}. */
  protected withdraw(): boolean {
    return this.#object.leave(this.node);
  }

  /** Too late while an action runs: all parties have come, and who waits at the gate has not come yet. */
  override giveUp(): boolean {
    if (this.isOver) return true;
    this.isOver = this.#object.leave(this.node);
    if (this.isOver) return false;
    return this.seat.isHere || super.giveUp();
  }

  /** See {@linkcode Wait}. Being told is nothing that could be given back. */
  giveBack(): void {}

  /** See {@linkcode Wait}. */
  override examine(): boolean {
    this.#object.breakIfDeserted();
    return false;
  }
}

/** How an arrival at the barrier goes on. */
type Arrival =
  | { readonly kind: "complete"; readonly index: number }
  | { readonly kind: "act"; readonly index: number; readonly round: number }
  | { readonly kind: "wait"; readonly index: number; readonly wait: BarrierWait };

/** The steps that are made under the latch. */
class BarrierWords {
  readonly seat: Seat;
  readonly #words: Int32Array;
  readonly #latch: Latch;
  readonly #parties: WaitList;
  readonly #gate: WaitList;
  /** Threads to ring once the latch is given back. */
  readonly #toRing = new Set<number>();
  /** Deaths after which nobody was found missing; none were looked for yet. */
  #deathsSeen = -1;

  constructor({ words, seat }: SharedWords) {
    this.seat = seat;
    this.#words = words;
    this.#latch = new Latch(words, BARRIER.LATCH);
    this.#parties = new WaitList(words, BARRIER.LIST, seat, PARTIES_LIST);
    this.#gate = new WaitList(words, BARRIER.GATE, seat, GATE_LIST);
  }

  get state(): number {
    return load(this.#words, BARRIER.STATE);
  }

  get waiting(): number {
    return this.state === FILLING ? load(this.#words, BARRIER.COUNT) : 0;
  }

  #locked<R>(step: () => R): R {
    this.#latch.take();
    try {
      return step();
    } finally {
      this.#latch.give();
      for (const thread of this.#toRing) this.seat.ring(thread);
      this.#toRing.clear();
    }
  }

  /** A party arrives; `undefined` when the barrier is broken. */
  arrive(): Arrival | undefined {
    const words = this.#words;
    // Before the latch, which is not held while memory is asked for.
    const wait = new BarrierWait(this);
    const arrival = this.#locked((): Arrival | undefined => {
      this.#breakIfDeserted();
      if (this.state === BROKEN) return undefined;
      if (this.state === ACTING) {
        this.#gate.push(wait.node);
        return { kind: "wait", index: -1, wait };
      }
      const index = words[BARRIER.COUNT];
      if (index + 1 < words[BARRIER.PARTIES]) {
        this.#parties.push(wait.node);
        store(words, BARRIER.COUNT, index + 1);
        return { kind: "wait", index, wait };
      }
      if (words[BARRIER.HAS_ACTION] === 0) {
        this.#endRound(COMPLETE, FILLING);
        return { kind: "complete", index };
      }
      store(words, BARRIER.STATE, ACTING);
      words[BARRIER.ACTING] = this.seat.id;
      return { kind: "act", index, round: words[BARRIER.ROUND] };
    });
    if (arrival?.kind !== "wait") {
      wait.isOver = true;
      this.seat.close(wait);
    }
    return arrival;
  }

  /** Ends the round whose action has run; false when it was ended before. */
  finish(round: number, isWell: boolean): boolean {
    return this.#locked(() => {
      if (this.#words[BARRIER.ROUND] !== round) return false;
      this.#endRound(isWell ? COMPLETE : FAILED, isWell ? FILLING : BROKEN);
      return true;
    });
  }

  /** Tells all who wait that it was in vain. */
  end(state: number): void {
    this.#locked(() => this.#endRound(FAILED, state));
  }

  /** Takes out a party that gives up, which breaks the barrier; false when it was told already, or will be after the action. */
  leave(node: number): boolean {
    return this.#locked(() => {
      this.#breakIfDeserted();
      if (this.state === ACTING || !this.#parties.remove(node)) return false;
      this.#endRound(FAILED, BROKEN);
      return true;
    });
  }

  /** Breaks the barrier if a party of the round is dead, or the one that runs the action. */
  breakIfDeserted(): void {
    this.#locked(() => this.#breakIfDeserted());
  }

  // Call these with the latch held.

  #breakIfDeserted(): void {
    const { table } = this.seat;
    if (table.deaths === this.#deathsSeen) return;
    this.#deathsSeen = table.deaths;
    const isDeserted = this.state === ACTING && !table.isAlive(this.#words[BARRIER.ACTING]);
    if (isDeserted || this.#hasDeadParty()) this.#endRound(FAILED, BROKEN);
  }

  #hasDeadParty(): boolean {
    for (const node of this.#parties.nodes()) {
      if (!this.seat.table.isAlive(this.#parties.threadOf(node))) return true;
    }
    return false;
  }

  #endRound(grant: number, state: number): void {
    const words = this.#words;
    this.#grantAll(this.#parties, grant);
    this.#grantAll(this.#gate, RETRY);
    store(words, BARRIER.COUNT, 0);
    store(words, BARRIER.STATE, state);
    words[BARRIER.ROUND]++;
  }

  #grantAll(list: WaitList, grant: number): void {
    for (let node = list.firstAlive(); node !== 0; node = list.firstAlive()) {
      this.#toRing.add(list.grant(node, grant));
    }
  }
}

/**
 * A meeting point for a fixed number of parties, threads or async tasks: each waits until all have come, then all go on.
 * It can be used again at once, any number of times.
 *
 * It can be sent to any task in its arguments, and used there and here in both forms. After a round each party sees all that the
 * others had written to shared memory before they came.
 *
 * **Broken:** when one party gives up, by its timeout or its signal, or its thread dies, or the action throws, or somebody calls
 * `abort`, then all who wait and all who come get a {@linkcode BrokenBarrierError}, until `reset`.
 *
 * **Action:** a function stays in the thread that made it. So the last party to arrive must have one in its own view: set
 * {@linkcode Barrier.action} in each thread, to the same function. A barrier that was made with an action and ends a round
 * without one throws a {@linkcode RuntimeError} there, and is broken.
 *
 * Semantics: Python's `threading.Barrier`.
 *
 * **Differs from Python:** timeouts are in milliseconds; `abort` and `reset` do not wait for a running action, whose round they end; the
 * death of a party is noticed.
 *
 * @example
 * ```ts
 * import { Barrier, ThreadPoolExecutor } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const barrier = new Barrier(2);
 * const meet = (barrier: Barrier): number => barrier.waitSync();
 * const arrivals = await Promise.all([pool.submit(meet, barrier), pool.submit(meet, barrier)]);
 * assertEquals(arrivals.sort(), [0, 1]);
 * ```
 */
export class Barrier {
  /** What this thread runs when it is the last to arrive; see the class. */
  action: (() => unknown) | undefined;
  readonly #shared: SharedWords;
  readonly #barrier: BarrierWords;
  readonly #timeout: number | null | undefined;

  static {
    registerHandle(KIND, (data) => Barrier.#open(data));
  }

  static #open(data: unknown): Barrier {
    const { timeout } = data as { timeout: number | null | undefined };
    const shared = SharedWords.open(data, BARRIER.SIZE);
    return new Barrier(shared as never, { timeout });
  }

  /**
   * Makes a barrier at which nobody waits.
   *
   * @param parties How many have to come.
   * @param options The action, the parties' timeout, the barrier's name.
   * @throws {RangeError} When there are less than 1 or a fractional number of parties, or the timeout is negative.
   */
  constructor(parties: number, options?: BarrierOptions);
  constructor(parties: number | SharedWords, options: BarrierOptions = {}) {
    const { action, timeout, name } = options;
    checkTimeout(timeout);
    if (parties instanceof SharedWords) {
      this.#shared = parties;
    } else {
      checkParties(parties);
      if (action !== undefined && typeof action !== "function") {
        throw new TypeError(
          `Cannot make Barrier: action must be a function, got ${typeof action}`,
        );
      }
      this.#shared = SharedWords.create(BARRIER.SIZE, name);
      this.#shared.words[BARRIER.PARTIES] = parties;
      this.#shared.words[BARRIER.HAS_ACTION] = action === undefined ? 0 : 1;
    }
    this.action = action;
    this.#timeout = timeout;
    this.#barrier = new BarrierWords(this.#shared);
  }

  /** The barrier's name, if it was given one. */
  get name(): string | undefined {
    return this.#shared.name;
  }

  /** How many parties have to come. */
  get parties(): number {
    return this.#shared.words[BARRIER.PARTIES];
  }

  /** How many parties wait now; 0 while the barrier is broken. Not reliable: it may have changed when you read it. */
  get nWaiting(): number {
    return this.#barrier.waiting;
  }

  /** True while the barrier is broken. */
  get broken(): boolean {
    return this.#barrier.state === BROKEN;
  }

  /**
   * Waits until all parties have come. The promise holds the event loop open.
   *
   * @param options How long to wait, and what ends the wait early; either breaks the barrier. Without a timeout, the
   * barrier's own counts. Only waiting for the others is timed, not the action.
   * @returns How many parties had come before, 0 to `parties - 1`, each once a round.
   * @throws {BrokenBarrierError} When the barrier is or becomes broken, or is reset.
   *
   * @example
   * ```ts
   * import { Barrier } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const order: string[] = [];
   * const barrier = new Barrier(2, { action: () => order.push("all are here") });
   * const party = async (name: string) => {
   *   order.push(name);
   *   await barrier.wait();
   * };
   * await Promise.all([party("a"), party("b")]);
   * assertEquals(order, ["a", "b", "all are here"]);
   * ```
   */
  async wait(options: WaitOptions = {}): Promise<number> {
    for (;;) {
      const limits = { deadlineMs: this.#deadlineOf(options), signal: options.signal };
      options.signal?.throwIfAborted();
      const arrival = this.#arrive();
      if (arrival.kind === "complete") return arrival.index;
      if (arrival.kind === "act") return await this.#act(arrival.index, arrival.round);
      if (!await this.#barrier.seat.wait(arrival.wait, limits)) throw this.#gaveUp();
      if (this.#isThrough(arrival.wait)) return arrival.index;
    }
  }

  /**
   * Blocks this thread until all parties have come.
   *
   * @param options How long to wait; a timeout breaks the barrier. Without one, the barrier's own counts.
   * @returns How many parties had come before, 0 to `parties - 1`, each once a round.
   * @throws {BrokenBarrierError} When the barrier is or becomes broken, or is reset.
   * @throws {RuntimeError} Where the host forbids blocking; or when the action is missing here, or is async.
   *
   * @example
   * ```ts
   * import { Barrier, BrokenBarrierError } from "@concurrent/futures";
   * import { assertThrows } from "@std/assert";
   *
   * const barrier = new Barrier(2);
   * assertThrows(() => barrier.waitSync({ timeout: 5 }), BrokenBarrierError);
   * ```
   */
  waitSync(options: WaitSyncOptions = {}): number {
    checkMayBlock(`wait at ${this.#label}`);
    for (;;) {
      const deadlineMs = this.#deadlineOf(options);
      const arrival = this.#arrive();
      if (arrival.kind === "complete") return arrival.index;
      if (arrival.kind === "act") return this.#actSync(arrival.index, arrival.round);
      if (!this.#barrier.seat.waitSync(arrival.wait, deadlineMs)) throw this.#gaveUp();
      if (this.#isThrough(arrival.wait)) return arrival.index;
    }
  }

  /** Makes the barrier as new: those who wait get a {@linkcode BrokenBarrierError}. Never waits. */
  reset(): void {
    this.#barrier.end(FILLING);
  }

  /** Breaks the barrier until `reset`: those who wait, and who come, get a {@linkcode BrokenBarrierError}. Never waits. */
  abort(): void {
    this.#barrier.end(BROKEN);
  }

  /** What stands for this barrier in a message to a raw `Worker`; see {@linkcode Barrier.from}. */
  get handle(): Handle {
    const { kind, data } = this.#shared.handle(KIND);
    return { kind, data: { ...(data as object), timeout: this.#timeout } };
  }

  /**
   * Rebuilds a barrier from a handle, without an action. Only those who post messages themselves need it: in the arguments of
   * a task, barriers cross by themselves.
   *
   * @throws {TypeError} When it is no handle of a Barrier.
   *
   * @example
   * ```ts
   * import { Barrier } from "@concurrent/futures";
   * import { assertEquals } from "@std/assert";
   *
   * const barrier = new Barrier(3);
   * assertEquals(Barrier.from(barrier.handle).parties, 3);
   * ```
   */
  static from(handle: Handle): Barrier {
    return Barrier.#open(dataOf(handle, KIND));
  }

  /** See {@linkcode Barrier.handle}. */
  [HANDLE](): Handle {
    return this.handle;
  }

  /** Shows as `Barrier` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return KIND;
  }

  get #label(): string {
    return this.#shared.label(KIND);
  }

  #deadlineOf({ timeout = this.#timeout }: WaitSyncOptions): number {
    return deadlineAfter(timeout ?? this.#timeout);
  }

  #arrive(): Arrival {
    const arrival = this.#barrier.arrive();
    if (arrival !== undefined) return arrival;
    throw new BrokenBarrierError(`Cannot wait at ${this.#label}: it is broken; reset() repairs it`);
  }

  /** True when the round is complete, false when the party has to try again. */
  #isThrough({ grant }: BarrierWait): boolean {
    if (grant === COMPLETE) return true;
    if (grant === RETRY) return false;
    throw this.#wasBroken();
  }

  async #act(index: number, round: number): Promise<number> {
    let isWell = false;
    try {
      await this.#actionHere()();
      isWell = true;
    } finally {
      this.#finish(round, isWell);
    }
    return index;
  }

  #actSync(index: number, round: number): number {
    let isWell = false;
    try {
      const result = this.#actionHere()();
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
        throw new RuntimeError(
          `Cannot wait at ${this.#label}: its action is async, and the thread is blocked; await wait() instead`,
        );
      }
      isWell = true;
    } finally {
      this.#finish(round, isWell);
    }
    return index;
  }

  #finish(round: number, isWell: boolean): void {
    if (!this.#barrier.finish(round, isWell) && isWell) throw this.#wasBroken();
  }

  #actionHere(): () => unknown {
    if (this.action !== undefined) return this.action;
    throw new RuntimeError(
      `Cannot run the action of ${this.#label}: it is not here; set barrier.action in each thread that waits`,
    );
  }

  #wasBroken(): BrokenBarrierError {
    return new BrokenBarrierError(
      `Cannot wait at ${this.#label}: it was broken or reset while ${this.parties} parties gathered`,
    );
  }

  #gaveUp(): BrokenBarrierError {
    return new BrokenBarrierError(
      `Cannot wait at ${this.#label}: the other parties did not come in time; the barrier is broken`,
    );
  }
}

function checkParties(parties: unknown): void {
  if (typeof parties !== "number") {
    throw new TypeError(`Cannot make Barrier: parties must be a number, got ${typeof parties}`);
  }
  if (!Number.isInteger(parties) || parties < 1 || parties > MOST_PARTIES) {
    throw new RangeError(
      `Cannot make Barrier: parties must be a whole number from 1 up, got ${parties}`,
    );
  }
}
