/**
 * One call of `map`: inputs to chunks, chunks to futures, futures to results in order.
 *
 *   inputs -- pull --> items -- dispatch --> chunks in flight -- in order --> results
 *
 * Chunks of a fixed size are all submitted at once, as Python does. Without a given size, a few
 * chunks per worker are in flight at a time, the first ones of a single item; from the time that a
 * chunk took follows the size of the next ones. So a million tiny items cost a few dozen tasks, and
 * ten slow ones are spread over the workers. The items of an asynchronous input come one by one, so
 * while no more may be in flight, those of the next chunk are read ahead; they are sent, however few
 * they are, once a chunk is done.
 *
 * @module
 */

import { doorbell } from "../_memory/doorbell.ts";
import { whenAborted } from "../_platform/aborts.ts";
import { callAt, deadlineAfter, NEVER } from "../_platform/clock.ts";
import { NotShareableError, RuntimeError, TimeoutError } from "../sync/errors.ts";
import { blockUntil } from "./_blocking.ts";
import type { ChunkOutcome } from "./_chunk.ts";
import { CancelledError } from "./errors.ts";
import type { ExecutorBackend, TaskOptions } from "./executor.ts";
import { type HasStanding, STANDING, type Standing } from "./_standing.ts";
import { optionsForLater } from "./_submit_context.ts";
import { ChunkSizer, IN_FLIGHT_PER_WORKER, Inputs, type MapInput } from "./_map_inputs.ts";
import { Future, futureInternals } from "./future.ts";
import { marksOf, transfer } from "./task.ts";

/** Options of `map`. */
export interface MapOptions {
  /** Items per task, from 1; chosen by the time that items take unless given. */
  chunksize?: number | undefined;
  /**
   * Milliseconds from the call until the last result. A wait for a result that has not come by then
   * throws a `TimeoutError`.
   */
  timeout?: number | null | undefined;
  /** Reads the inputs lazily: at most this many items are read and not yet handed out. */
  buffersize?: number | null | undefined;
  /** Ends the call: what has not started is cancelled, and iterating throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The list of chunks is shortened only when at least this many of them were handed out. */
const MOST_LEFT = 32;

/** Some items, submitted as one task. */
interface Chunk {
  readonly count: number;
  readonly future: Future<unknown>;
  /** Index of the next entry to be handed out. */
  next: number;
}

/** A caller that waits for a result. */
interface Waiter {
  readonly wake: () => void;
  /** The object that must not be garbage-collected meanwhile; see `_map_result.ts`. */
  readonly keeper: object;
}

/** One call of `map`. */
export class MapRun implements HasStanding {
  readonly #backend: ExecutorBackend;
  readonly #taskOptions: TaskOptions | undefined;
  readonly #fn: (...args: never[]) => unknown;
  readonly #inputs: Inputs;
  readonly #sizer: ChunkSizer;
  readonly #bufferSize: number;
  readonly #timeout: number | null | undefined;
  readonly #deadlineMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #stopListening: () => void;

  /** Items read, `arity` values each; the first `#itemsTaken` items are submitted. */
  #items: unknown[] = [];
  #itemsTaken = 0;
  #exhausted = false;
  #pulling = false;
  #feeding = false;

  /** Submitted chunks; the first `#chunksTaken` are handed out. */
  readonly #chunks: Chunk[] = [];
  #chunksTaken = 0;
  #inFlight = 0;
  /** Items submitted and not handed out. */
  #buffered = 0;
  /** Items with an outcome. */
  #done = 0;
  #total: number | undefined;

  /** The error of an input, which is its end: thrown once all items read before are handed out. */
  #inputFailure: { readonly error: unknown } | undefined;
  /** What is thrown once the submitted chunks are handed out: an error of submitting. */
  #failure: { readonly error: unknown } | undefined;
  /** Nothing more is handed out. */
  #ended = false;
  /** Called when the run is over or has been ended. */
  onOver: (() => void) | undefined;
  #isOverTold = false;

  /** Callers that wait for something to change. */
  #waiters: Waiter[] = [];

  constructor(
    backend: ExecutorBackend,
    taskOptions: TaskOptions | undefined,
    fn: (...args: never[]) => unknown,
    inputs: readonly MapInput<unknown>[],
    options: MapOptions,
  ) {
    this.#backend = backend;
    this.#taskOptions = optionsForLater(backend, taskOptions);
    this.#fn = fn;
    this.#timeout = options.timeout;
    this.#deadlineMs = deadlineAfter(options.timeout);
    this.#bufferSize = options.buffersize ?? Infinity;
    this.#sizer = new ChunkSizer(
      options.chunksize ?? (backend.chunkMs > 0 ? undefined : 1),
      backend.concurrency,
      backend.chunkMs,
    );
    this.#signal = options.signal;
    this.#signal?.throwIfAborted();
    this.#inputs = new Inputs(inputs);
    this.#total = this.#inputs.length;
    this.#stopListening = whenAborted(this.#signal, () => this.#failNow(this.#signal!.reason));
    if (this.#bufferSize === Infinity && !this.#inputs.isAsync) {
      try {
        this.#readAll(inputs);
      } catch (error) {
        this.#end();
        throw error;
      }
      if (this.#items.length > 0) mapsOf(backend).add(this);
    }
    this.#feed(true);
  }

  // Submitting

  #readAll(inputs: readonly MapInput<unknown>[]): void {
    if (Array.isArray(inputs[0]) && inputs.length === 1) this.#items = Array.from(inputs[0]);
    else while (this.#inputs.pullSync(this.#items));
    this.#exhausted = true;
    this.#total = this.#available;
  }

  get #available(): number {
    return this.#items.length / this.#inputs.arity - this.#itemsTaken;
  }

  /**
   * Submits as much as may be in flight. If `throws`, an error, also of an input, is thrown to the
   * caller; otherwise iterating throws it later.
   */
  #feed(throws: boolean): void {
    // A task that fails at submit calls back within #dispatch, and so comes here again.
    if (this.#feeding) return;
    this.#feeding = true;
    const { isAdaptive } = this.#sizer;
    const most = isAdaptive ? this.#backend.concurrency * IN_FLIGHT_PER_WORKER : Infinity;
    try {
      while (!this.#ended && this.#failure === undefined) {
        const isFull = this.#inFlight >= most;
        // Only of asynchronous inputs is the next chunk read meanwhile.
        if (isFull && !this.#inputs.isAsync) break;
        const room = this.#bufferSize - this.#buffered;
        if (room <= 0) break;
        const size = Math.min(room, this.#sizer.next(this.#exhausted ? this.#available : Infinity));
        if (!this.#exhausted && this.#available < size) this.#pull(size, throws);
        if (isFull) break;
        const count = Math.min(size, this.#available);
        // A chunk of a size that was asked for waits until an asynchronous input has filled it.
        if (count === 0 || (count < size && !isAdaptive && !this.#exhausted)) break;
        this.#dispatch(count);
      }
    } catch (error) {
      if (throws) {
        this.#end();
        throw error;
      }
      this.#refuse(error);
    } finally {
      this.#feeding = false;
    }
    if (this.#isAllSubmitted) mapsOf(this.#backend).delete(this);
    // No chunk says so when there was none, or when the inputs ended after the last one.
    if (this.isOver) this.#tellOver();
  }

  /**
   * Reads inputs until `size` items are available or the inputs end; asynchronous inputs are read
   * later. See `#feed` for `throws`.
   */
  #pull(size: number, throws: boolean): void {
    if (this.#inputs.isAsync) {
      this.#pullLater();
      return;
    }
    try {
      while (!this.#exhausted && this.#available < size) {
        this.#exhausted = !this.#inputs.pullSync(this.#items);
      }
    } catch (error) {
      if (throws) throw error;
      this.#failInput(error);
    }
  }

  /** Reads one item of asynchronous inputs, and submits what is available. */
  async #pullLater(): Promise<void> {
    if (this.#pulling) return;
    this.#pulling = true;
    try {
      // Never set back: submitting may have failed meanwhile.
      if (!await this.#inputs.pull(this.#items)) this.#exhausted = true;
    } catch (error) {
      this.#failInput(error);
    }
    this.#pulling = false;
    this.#feed(false);
    this.#wake();
  }

  /** Submits the next `count` items as one task. */
  #dispatch(count: number): void {
    const { arity } = this.#inputs;
    const start = this.#itemsTaken * arity;
    const items = this.#items.slice(start, start + count * arity);
    const marks = count > 1 ? marksOf(items) : [];
    const future = this.#backend.submit(this.#fn, items, this.#taskOptions, arity);
    if (count > 1 && isUnsendable(future)) {
      // One of the items cannot be sent. None has run, so each is submitted on its own, marked as
      // it was.
      for (const [value, buffers] of marks) transfer(value, buffers);
      for (let i = 0; i < count; i++) this.#dispatch(1);
      return;
    }
    this.#itemsTaken += count;
    this.#buffered += count;
    this.#inFlight++;
    // Not with each chunk, as the remaining items are moved to the front.
    if (this.#itemsTaken >= this.#available) {
      this.#items.splice(0, this.#itemsTaken * arity);
      this.#itemsTaken = 0;
    }
    this.#chunks.push({ count, future, next: 0 });
    futureInternals.whenDone(future, () => {
      this.#inFlight--;
      if (!future.cancelled()) this.#done += count;
      if (!futureInternals.hasFailed(future) && !future.cancelled()) {
        const [elapsedMs] = futureInternals.outcomeOf(future) as ChunkOutcome;
        this.#sizer.observe(count, elapsedMs);
      }
      if (!this.#isAllSubmitted) this.#feed(false);
      if (this.isOver) this.#tellOver();
      this.#wake();
    });
  }

  /** Whether all outcomes that will come are here, or the run has been ended. */
  get isOver(): boolean {
    if (this.#ended) return true;
    if (!this.#exhausted || this.#inFlight > 0) return false;
    return this.#available === 0 || this.#failure !== undefined;
  }

  #tellOver(): void {
    if (this.#isOverTold) return;
    this.#isOverTold = true;
    this.#stopListening();
    this.onOver?.();
  }

  get #isAllSubmitted(): boolean {
    return this.#exhausted && this.#available === 0;
  }

  /**
   * Submits all items that were read, or cancels them if `cancelFutures`: the executor is about to
   * be shut down.
   */
  finish(cancelFutures: boolean): void {
    if (cancelFutures) {
      const cancelled = new Future<unknown>();
      cancelled.cancel();
      this.#settleRest(cancelled);
      return;
    }
    try {
      while (this.#available > 0) {
        this.#dispatch(Math.min(this.#available, this.#sizer.next(this.#available)));
      }
    } catch (error) {
      this.#refuse(error);
    }
    mapsOf(this.#backend).delete(this);
  }

  /** Reads nothing more: an input has failed, or submitting has. */
  #stopReading(): void {
    this.#exhausted = true;
    this.#inputs.close();
  }

  /** An input has failed; what was read before is still submitted. */
  #failInput(error: unknown): void {
    this.#stopReading();
    this.#inputFailure = { error };
  }

  /** Submits nothing more, as that throws `error`: so does each item that has been read. */
  #refuse(error: unknown): void {
    if (!this.#exhausted) {
      this.#stopReading();
      this.#failure = { error };
      this.#wake();
      return;
    }
    const failed = new Future<unknown>();
    failed.setException(error);
    this.#done += this.#available;
    this.#settleRest(failed);
  }

  /** Has all items that are not submitted end like this future, in their turn. */
  #settleRest(future: Future<unknown>): void {
    const count = this.#available;
    mapsOf(this.#backend).delete(this);
    if (count === 0) return;
    this.#items = [];
    this.#itemsTaken = 0;
    this.#buffered += count;
    this.#chunks.push({ count, future, next: 0 });
    if (this.isOver) this.#tellOver();
    this.#wake();
  }

  // Handing out

  #wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const { wake } of waiters) wake();
  }

  /** The chunk whose turn it is; `undefined` when there is none at the moment. */
  get #front(): Chunk | undefined {
    return this.#chunks[this.#chunksTaken];
  }

  /** True when the next result, or the end, is known. */
  get isReady(): boolean {
    if (this.#ended) return true;
    const front = this.#front;
    if (front !== undefined) return front.future.done();
    return this.#failure !== undefined || (this.#isAllSubmitted && !this.#pulling);
  }

  /** Takes the next result; throws the item's error. Call when ready. */
  #take(): IteratorResult<unknown> {
    // Once all items are done, the run no longer listens to the signal.
    if (this.#signal?.aborted && !this.#ended && this.#failure?.error !== this.#signal.reason) {
      this.#failNow(this.#signal.reason);
    }
    const front = this.#front;
    if (this.#ended || front === undefined) {
      const failure = this.#ended ? undefined : this.#failure ?? this.#inputFailure;
      this.#end();
      if (failure !== undefined) throw failure.error;
      return { done: true, value: undefined };
    }
    const i = front.next++;
    const { future } = front;
    if (front.next === front.count) this.#dropFront();
    this.#handedOut(1);
    if (futureInternals.hasFailed(future)) throw futureInternals.outcomeOf(future);
    if (future.cancelled()) throw new CancelledError("Cannot read result: the item was cancelled");
    const [, entries, failed] = futureInternals.outcomeOf(future) as ChunkOutcome;
    if (failed.length > 0 && failed.includes(i)) throw entries[i];
    return { done: false, value: entries[i] };
  }

  /** Makes room for further items. */
  #handedOut(count: number): void {
    this.#buffered -= count;
    if (this.#bufferSize !== Infinity) this.#feed(false);
  }

  /** Drops the front chunk, which was handed out. */
  #dropFront(): void {
    this.#chunks[this.#chunksTaken++] = undefined as unknown as Chunk;
    if (this.#chunksTaken < MOST_LEFT || this.#chunksTaken * 2 < this.#chunks.length) return;
    this.#chunks.splice(0, this.#chunksTaken);
    this.#chunksTaken = 0;
  }

  /** Ends the iteration, and cancels what has not started. */
  leave(): void {
    this.#end();
  }

  /** Drops all results that are not handed out: the next read throws `error`. */
  #failNow(error: unknown): void {
    if (this.#ended) return;
    this.#tellOver();
    this.#failure = { error };
    this.#cancelRest();
    this.#chunksTaken = this.#chunks.length;
    this.#exhausted = true;
    this.#itemsTaken = this.#items.length / this.#inputs.arity;
    this.#wake();
  }

  #end(): void {
    if (this.#ended) return;
    this.#tellOver();
    this.#ended = true;
    this.#cancelRest();
    this.#wake();
  }

  #cancelRest(): void {
    mapsOf(this.#backend).delete(this);
    if (!this.#exhausted) this.#inputs.close();
    for (let i = this.#chunksTaken; i < this.#chunks.length; i++) this.#chunks[i].future.cancel();
  }

  #timeoutError(): TimeoutError {
    return new TimeoutError(`Cannot read next result: map was not done within ${this.#timeout} ms`);
  }

  /** A promise for the next result; holds `keeper` while it has to wait. */
  read(keeper: object): Promise<IteratorResult<unknown>> {
    // A result that has arrived beats the deadline.
    if (!this.isReady && this.#deadlineMs !== NEVER) doorbell.poll();
    if (!this.isReady) return this.#readLater(keeper);
    try {
      return Promise.resolve(this.#take());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #readLater(keeper: object): Promise<IteratorResult<unknown>> {
    while (!this.isReady) {
      const inTime = await this.#changed(keeper);
      if (!inTime && !this.isReady) {
        this.#end();
        throw this.#timeoutError();
      }
    }
    return this.#take();
  }

  /** Resolves to true once something has changed, or to false when the time is up first. */
  #changed(keeper: object): Promise<boolean> {
    return new Promise((resolve) => {
      const stopTimer = callAt(this.#deadlineMs, () => resolve(false));
      this.#waiters.push({
        keeper,
        wake: () => {
          stopTimer();
          resolve(true);
        },
      });
    });
  }

  /** The next result; blocks until it has come. */
  readSync(): IteratorResult<unknown> {
    while (!this.isReady) {
      const waitsFor = this.#blockedOn();
      if (!blockUntil(() => this.isReady, this.#deadlineMs, waitsFor, this.#timeout === 0)) {
        this.#end();
        throw this.#timeoutError();
      }
    }
    return this.#take();
  }

  #blockedOn(): Future<unknown>[] {
    const front = this.#front;
    if (front !== undefined) return [front.future];
    throw new RuntimeError(
      "Cannot block: an input is asynchronous and would not advance; use for await",
    );
  }

  /** See {@linkcode HasStanding}. */
  [STANDING](): Standing {
    let reported = 0;
    for (let i = this.#chunksTaken; i < this.#chunks.length; i++) {
      const { count, future } = this.#chunks[i];
      if (!future.done()) reported += count * future.progress;
    }
    return { done: this.#done, reported, total: this.#total };
  }

  /**
   * Appends the rest of the front chunk to `results`, if none of its items failed, and returns
   * `undefined`; otherwise takes and returns one result. Call when ready.
   */
  takeChunk(results: unknown[]): IteratorResult<unknown> | undefined {
    const front = this.#front;
    if (front === undefined || this.#ended || this.#signal?.aborted) return this.#take();
    if (front.future.cancelled()) return this.#take();
    if (futureInternals.hasFailed(front.future)) return this.#take();
    const [, entries, failed] = futureInternals.outcomeOf(front.future) as ChunkOutcome;
    if (failed.length > 0) return this.#take();
    for (let i = front.next; i < entries.length; i++) results.push(entries[i]);
    this.#dropFront();
    this.#handedOut(front.count - front.next);
    return undefined;
  }
}

function isUnsendable(future: Future<unknown>): boolean {
  return futureInternals.hasFailed(future) &&
    NotShareableError.is(futureInternals.outcomeOf(future));
}

/** Calls of `map` that have not submitted all that they have read. */
const unfinished = new WeakMap<ExecutorBackend, Set<MapRun>>();

function mapsOf(backend: ExecutorBackend): Set<MapRun> {
  let maps = unfinished.get(backend);
  if (maps === undefined) unfinished.set(backend, maps = new Set());
  return maps;
}

/**
 * Makes all calls of `map` submit what they have read, or cancel it if `cancelFutures`: the executor
 * is about to be shut down.
 */
export function finishMaps(backend: ExecutorBackend, cancelFutures: boolean): void {
  for (const map of mapsOf(backend)) map.finish(cancelFutures);
}
