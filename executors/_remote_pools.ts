/**
 * Pools of another thread, as a worker that was sent one sees them: submissions go to the pool's
 * owner by mail, and outcomes come back by mail. The owner's side is `_nested_tasks.ts`.
 *
 * @module
 */

import { doorbell } from "../_memory/doorbell.ts";
import { HANDLE, type Handle } from "../_memory/handle.ts";
import { whenAborted } from "../_platform/aborts.ts";
import { NEVER } from "../_platform/clock.ts";
import { RuntimeError } from "../sync/errors.ts";
import { type OwnerRunner, setOwnerRunner } from "./_blocking.ts";
import { presentCarrier } from "./_carried_context.ts";
import type { MailboxWriter } from "./_mailbox.ts";
import { findPoolsBy, POOL_KIND, type PoolHandle } from "./_pool_handle.ts";
import { type Carrier, KIND, type NestedTask, REPLY } from "./_protocol.ts";
import { submitContextOf } from "./_submit_context.ts";
import { submissionError, targetOf } from "./_target.ts";
import { Executor, type ExecutorBackend, type TaskOptions } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";
import type { StreamSink, StreamSource } from "./stream.ts";
import { dropTransfers, takeArgumentTransfers, transfer } from "./task.ts";

/** A wait that blocks the worker. */
interface Block {
  /** The ids of the tasks that it waits for; none if it has a deadline, and so ends by itself. */
  readonly tasks: number[];
  /** Set if the owner has said that the wait would never end: the reason. */
  inVain: string | undefined;
}

/** A worker's submissions to pools of its owner. */
export class RemotePools implements OwnerRunner {
  readonly #outbox: MailboxWriter;
  readonly #futures = new Map<number, Future<unknown>>();
  /** The consumers of the open streams, by id. */
  readonly #sinks = new Map<number, StreamSink>();
  #nextId: number;
  /**
   * The waits that block this worker, outermost first: a callback may block while outcomes are
   * taken in, and the wait around it goes on afterwards.
   */
  readonly #blocks: Block[] = [];
  /**
   * How often the owner was told what this worker waits for. The owner's DEADLOCK names the BLOCK
   * that it is about by this number.
   */
  #timesTold = 0;
  /**
   * How many CANCELs were sent, and the number of the last one that the owner has denied: it
   * answers in order.
   */
  #asked = 0;
  #denied = 0;

  /**
   * @param owner The thread that this worker belongs to.
   * @param firstId The id of the first submission.
   */
  constructor(owner: string, outbox: MailboxWriter, firstId = 0) {
    this.#outbox = outbox;
    setOwnerRunner(this);
    this.#nextId = firstId;
    findPoolsBy((handle) => handle.owner === owner ? new RemoteExecutor(handle, this) : undefined);
  }

  /** Submits to a pool of the owner's. */
  submit(
    pool: PoolHandle,
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown> {
    return this.#submit(pool, fn, args, options, arity, undefined);
  }

  /** Starts a stream in a pool of the owner's. */
  stream(
    pool: PoolHandle,
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    buffersize: number,
    sink: StreamSink,
  ): StreamSource {
    const future = this.#submit(pool, fn, args, options, 0, buffersize);
    const id = futureInternals.taskOf(future);
    if (!future.done()) {
      this.#sinks.set(id, sink);
      futureInternals.whenDone(future, () => this.#sinks.delete(id));
    }
    let owed = 0;
    return {
      future,
      taken: (count, left) => {
        owed += count;
        // If nothing is left, all of it is reported, before this thread may wait: so the owner
        // knows whether the consumer still has values.
        if (future.done() || (left > 0 && owed < buffersize / 4)) return;
        this.#outbox.writeSync(KIND.TAKEN, id, owed);
        owed = 0;
      },
      stop: () => this.#outbox.writeSync(KIND.LEFT, id, undefined),
    };
  }

  /** Takes in a value of a stream, or the error that ends it. */
  receive(kind: number, id: number, value: unknown, isUnreadable: boolean): void {
    const sink = this.#sinks.get(id);
    if (sink === undefined) return; // The stream was given up here.
    if (isUnreadable) this.#outbox.writeSync(KIND.LEFT, id, undefined);
    if (isUnreadable || kind === REPLY.THREW) sink.fail(value);
    else sink.next(value);
  }

  #submit(
    pool: PoolHandle,
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
    buffersize: number | undefined,
  ): Future<unknown> {
    const id = this.#nextId;
    this.#nextId = (id + 1) | 0; // As the words of mail carry it.
    const future = futureInternals.create<unknown>(this, id);
    const signal = options?.signal ?? undefined; // As null is none.
    try {
      signal?.throwIfAborted();
      const task: NestedTask = {
        key: pool.key,
        pool: pool.name,
        target: targetOf(fn, buffersize !== undefined),
        args,
        arity,
        timeout: options?.timeout,
        priority: options?.priority,
        hasSignal: signal !== undefined,
        carrier: submitContextOf(options) as Carrier | undefined ?? presentCarrier(),
      };
      if (buffersize !== undefined) task.buffersize = buffersize;
      const transfers = takeArgumentTransfers(args, options?.transfer);
      if (transfers !== undefined) transfer(task, [...transfers]);
      this.#outbox.writeSync(KIND.SUBMIT, id, task);
    } catch (error) {
      dropTransfers(args);
      futureInternals.reject(future, submissionError(error, signal));
      return future;
    }
    this.#futures.set(id, future);
    doorbell.expect();
    if (signal !== undefined) this.#watch(future, id, signal);
    return future;
  }

  #watch(future: Future<unknown>, id: number, signal: AbortSignal): void {
    const stopListening = whenAborted(signal, () => {
      this.#outbox.writeSync(KIND.ABORT, id, undefined);
      futureInternals.reject(future, signal.reason);
    });
    futureInternals.whenDone(future, stopListening);
  }

  /** Takes in what the owner says. */
  answer(kind: number, id: number, value: unknown): void {
    const future = this.#futures.get(id);
    if (kind === REPLY.DEADLOCK) {
      const block = this.#blocks.at(-1);
      if (block !== undefined && id === this.#timesTold) block.inVain = value as string;
      return;
    }
    if (kind === REPLY.DENIED) {
      this.#denied = value as number;
      return;
    }
    if (future === undefined) return;
    this.#futures.delete(id);
    doorbell.arrived(1);
    if (kind === REPLY.RESULT) futureInternals.resolve(future, value);
    else if (kind === REPLY.ERROR) futureInternals.reject(future, value);
    else futureInternals.cancel(future);
  }

  /** See {@linkcode Runner}: asks the owner, and blocks until it has answered. */
  cancel(future: Future<unknown>): boolean {
    const question = ++this.#asked;
    this.#outbox.writeSync(KIND.CANCEL, futureInternals.taskOf(future), question);
    doorbell.waitSync(() => this.#denied >= question || future.done(), NEVER);
    return future.cancelled();
  }

  /** See {@linkcode OwnerRunner}. */
  get pending(): Iterable<Future<unknown>> {
    return this.#futures.values();
  }

  /** See {@linkcode OwnerRunner}. */
  get expected(): number {
    return this.#futures.size;
  }

  /** See {@linkcode Runner}. Only the owner knows, so this is always false. */
  isRunning(): boolean {
    return false;
  }

  /** See {@linkcode Runner}. */
  enterBlocking(futures: readonly Future<unknown>[], deadlineMs: number): void {
    // A wait with a deadline ends by itself, whatever others do.
    const tasks = deadlineMs === NEVER ? futures.map(futureInternals.taskOf) : [];
    this.#blocks.push({ tasks, inVain: undefined });
    this.#tellBlocked();
  }

  #tellBlocked(): void {
    this.#outbox.writeSync(KIND.BLOCK, ++this.#timesTold, this.#blocks.at(-1)?.tasks ?? []);
  }

  /** Whether this worker is blocked for an outcome. */
  get isBlocked(): boolean {
    return this.#blocks.length > 0;
  }

  /** See {@linkcode Runner}. */
  get inVain(): string | undefined {
    return this.#blocks.at(-1)?.inVain;
  }

  /** See {@linkcode Runner}. */
  leaveBlocking(): void {
    this.#blocks.pop();
    this.#tellBlocked();
  }
}

/** One pool of the owner's. */
class RemoteBackend implements ExecutorBackend {
  readonly concurrency: number;
  readonly chunkMs: number;
  readonly #handle: PoolHandle;
  readonly #pools: RemotePools;

  constructor(handle: PoolHandle, pools: RemotePools) {
    this.concurrency = handle.concurrency;
    this.chunkMs = handle.chunkMs;
    this.#handle = handle;
    this.#pools = pools;
  }

  submit(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    arity: number,
  ): Future<unknown> {
    return this.#pools.submit(this.#handle, fn, args, options, arity);
  }

  stream(
    fn: (...args: never[]) => unknown,
    args: readonly unknown[],
    options: TaskOptions | undefined,
    buffersize: number,
    sink: StreamSink,
  ): StreamSource {
    return this.#pools.stream(this.#handle, fn, args, options, buffersize, sink);
  }

  /** See `_submit_context.ts`. */
  submitContext(): unknown {
    return presentCarrier();
  }

  shutdown(): void {
    throw new RuntimeError(
      `Cannot shut down ${this.#handle.name} here: it belongs to the thread that made it`,
    );
  }

  whenClosed(): Promise<void> {
    return Promise.resolve();
  }

  waitClosedSync(): void {}
}

/** A pool of the owner's, with the interface of any executor. */
class RemoteExecutor extends Executor {
  readonly #handle: PoolHandle;

  constructor(handle: PoolHandle, pools: RemotePools) {
    super(new RemoteBackend(handle, pools));
    this.#handle = handle;
  }

  /**
   * Sent on to another task of the pool's owner, the pool arrives there as it did here; sent to the
   * owner, as the pool itself.
   */
  override [HANDLE](): Handle {
    return { kind: POOL_KIND, data: this.#handle };
  }
}
