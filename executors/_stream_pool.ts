/**
 * The streams of a pool, on the owner's side: values come from workers as mail, and what the
 * consumer says goes back the same way. The worker's side is `_stream_worker.ts`.
 *
 *   worker                                       owner
 *     |-- STREAM_STARTED ------------------------> |   before anything else
 *     |-- YIELDED, YIELDED_LARGE, YIELDED ... ---> |   as far as there is credit
 *     | <------------------ WANTED: how much more -|   when a quarter of the credit was taken
 *     | <-------------------------------- STOPPED -|   the consumer left, or the task was given up
 *     |-- THREW ---------------------------------> |   the function failed by itself: the error follows
 *     |-- RESULT, ERROR -------------------------> |   the task's outcome
 *
 * A worker begins with as much credit as values may be ahead. A value takes one credit, a large one
 * more: the YIELDED_LARGE that follows it says how much more. Mail keeps its order, so whatever
 * ends a task, its values come first.
 *
 * Invariants
 * 1. `#ahead` is the credit of the values that were received, as far as it was not given back. A
 *    worker stops when `#ahead` has used up the whole credit, and not before, so the owner knows
 *    when a worker waits for the consumer: the stream rests. The program may end even if nobody
 *    takes a value, so the event loop is not held open for a stream that rests.
 * 2. A stream that rests has values that its consumer has not taken: the credit that is owed to the
 *    worker (`#owed`) is less than a quarter of the whole.
 *
 * @module
 */

import { KIND, REPLY } from "./_protocol.ts";
import type { PoolWorkerHandle } from "./_worker_handle.ts";
import { type Future, futureInternals } from "./future.ts";
import type { StreamSink, StreamSource } from "./stream.ts";

/** A large value that the consumer has not taken. */
interface Large {
  /** Its number among the values. */
  readonly number: number;
  readonly extra: number;
}

/** One stream of a pool. */
export class PoolStream implements StreamSource {
  future!: Future<unknown>;
  readonly id: number;
  readonly credit: number;
  /** Whether its consumer is in this thread. */
  readonly isLocal: boolean;
  readonly #sink: StreamSink;
  readonly #onRest: (stream: PoolStream) => void;
  #worker: PoolWorkerHandle | undefined;
  #isStopped = false;
  #isResting = false;
  #hasThrown = false;
  #received = 0;
  #taken = 0;
  readonly #large: Large[] = [];
  #ahead = 0;
  /** The credit of values that were taken, and that was not given back yet. */
  #owed = 0;

  /** @param onRest Called when {@linkcode PoolStream.isResting} has changed. */
  constructor(
    id: number,
    credit: number,
    sink: StreamSink,
    isLocal: boolean,
    onRest: (stream: PoolStream) => void,
  ) {
    this.id = id;
    this.credit = credit;
    this.isLocal = isLocal;
    this.#sink = sink;
    this.#onRest = onRest;
  }

  /** Makes the stream watch its task's future. */
  attach(future: Future<unknown>): void {
    this.future = future;
    futureInternals.whenDone(future, () => {
      this.#look();
      if (this.#hasThrown) this.#sink.fail(futureInternals.outcomeOf(future));
    });
  }

  /** True while the stream's worker waits for the consumer. */
  get isResting(): boolean {
    return this.#isResting;
  }

  // From the worker

  /** Takes in that the task runs. */
  start(worker: PoolWorkerHandle): void {
    this.#worker = worker;
    if (this.#isStopped) this.#tellStop();
  }

  /** Takes in a value. */
  receive(value: unknown): void {
    this.#received++;
    this.#ahead++;
    if (this.#isStopped) return;
    this.#sink.next(value);
    if (this.#ahead >= this.credit) this.#look();
  }

  /** Takes in that the last value was large, and takes `extra` credit. */
  receiveLarge(extra: number): void {
    this.#ahead += extra;
    if (this.#taken === this.#received) this.#giveBack(extra);
    else this.#large.push({ number: this.#received, extra });
    this.#look();
  }

  /** Takes in that the function failed by itself: the task's error is what it threw. */
  receiveThrew(): void {
    this.#hasThrown = true;
  }

  /** Takes in that a value cannot be read, which ends the stream. */
  receiveUnreadable(error: unknown): void {
    this.#sink.fail(error);
    this.stop();
  }

  // From the consumer

  /** See {@linkcode StreamSource}. */
  taken(count: number): void {
    this.#taken += count;
    let credit = count;
    while (this.#large.length > 0 && this.#large[0].number <= this.#taken) {
      credit += this.#large.shift()!.extra;
    }
    this.#giveBack(credit);
  }

  #giveBack(credit: number): void {
    this.#owed += credit;
    if (this.#owed < this.credit / 4 || this.#isStopped || this.future.done()) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.#ahead -= owed;
    this.#look();
    this.#tell(REPLY.WANTED, owed);
  }

  /** See {@linkcode StreamSource}. */
  stop(): void {
    if (this.#isStopped || this.future.cancel()) return;
    this.#isStopped = true;
    this.#look();
    this.#tellStop();
  }

  #tellStop(): void {
    this.#tell(REPLY.STOPPED, undefined);
  }

  #tell(kind: number, value: unknown): void {
    if (this.#worker?.hasEnded === false) this.#worker.replies.write(kind, this.id, value);
  }

  /** Checks whether the stream rests (Invariant 1). */
  #look(): void {
    const isResting = this.#ahead >= this.credit && !this.#isStopped && !this.future.done();
    if (isResting === this.#isResting) return;
    this.#isResting = isResting;
    this.#onRest(this);
  }
}

/** The streams of one pool. */
export class PoolStreams {
  /** By the indexes of their tasks. */
  readonly #streams = new Map<number, PoolStream>();
  readonly #onRest: (change: number) => void;
  #nextId = 0;
  #resting = 0;
  #restingHere = 0;

  /** @param onRest Called with the change when the number of streams that rest has changed. */
  constructor(onRest: (change: number) => void) {
    this.#onRest = onRest;
  }

  /** How many streams rest. */
  get resting(): number {
    return this.#resting;
  }

  /** How many of them have their consumers in this thread. */
  get restingHere(): number {
    return this.#restingHere;
  }

  /** Makes a stream; {@linkcode add} gives it its task. */
  open(buffersize: number, sink: StreamSink, isLocal: boolean): PoolStream {
    const id = this.#nextId;
    this.#nextId = (id + 1) | 0; // As the words of mail carry it.
    return new PoolStream(id, buffersize, sink, isLocal, (stream) => {
      const change = stream.isResting ? 1 : -1;
      this.#resting += change;
      if (stream.isLocal) this.#restingHere += change;
      this.#onRest(change);
    });
  }

  /** Gives a stream its task. */
  add(task: number, stream: PoolStream, future: Future<unknown>): void {
    stream.attach(future);
    this.#streams.set(task, stream);
  }

  /** Forgets the stream of a task, if it has one: the index is free. */
  remove(task: number): void {
    if (this.#streams.size > 0) this.#streams.delete(task);
  }

  /** Stops the stream of a task that is given up, if it has one, which closes its function. */
  stop(task: number): void {
    this.#streams.get(task)?.stop();
  }

  /** Takes in what a worker says about a stream's task. */
  handle(worker: PoolWorkerHandle, kind: number, task: number, value: unknown): void {
    const stream = this.#streams.get(task);
    if (stream === undefined) return; // The pool was broken meanwhile.
    switch (kind) {
      case KIND.STREAM_STARTED:
        stream.start(worker);
        break;
      case KIND.YIELDED:
        stream.receive(value);
        break;
      case KIND.YIELDED_LARGE:
        if (Number.isInteger(value)) stream.receiveLarge(value as number);
        break;
      case KIND.THREW:
        stream.receiveThrew();
    }
  }

  /** Takes in that a value of a task's stream cannot be read. */
  refuse(task: number, error: unknown): void {
    this.#streams.get(task)?.receiveUnreadable(error);
  }
}
