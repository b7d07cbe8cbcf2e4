/**
 * Tasks that a pool's workers submit themselves, to pools of the pool's owner: the owner's side.
 * The worker's side is `_remote_pools.ts`.
 *
 * A worker's submission becomes an ordinary task of the pool that it names; its outcome goes back
 * as mail.
 *
 * A worker that blocks for such a task keeps its place in the pool meanwhile. If as many workers as
 * the pool may have block for tasks of this pool, none of them can ever go on: the last one is
 * informed, and its wait throws. Only the owner can detect this, as only it knows which outcomes
 * are on their way.
 *
 * @module
 */

import { checkTimeout } from "../_platform/clock.ts";
import { secretName } from "../_platform/random.ts";
import type { Handle } from "../_memory/handle.ts";
import { ownId } from "./_origin.ts";
import { isList, KIND, type NestedTask, REPLY } from "./_protocol.ts";
import { findPoolsBy, POOL_KIND, type PoolHandle } from "./_pool_handle.ts";
import type { WorkerPool } from "./_worker_pool.ts";
import type { PoolWorkerHandle } from "./_worker_handle.ts";
import { unsendable } from "./_target.ts";
import { RuntimeError } from "../sync/errors.ts";
import type { Executor } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";
import type { StreamSink, StreamSource } from "./stream.ts";

/** A pool that was sent to tasks. */
interface SentPool {
  readonly pool: WorkerPool;
  /** What the pool is if it comes back. */
  readonly executor: Executor;
}

/** This thread's pools, with the keys of those that were sent to tasks. */
const keys = new Map<WorkerPool, string | undefined>();
/** The pools that were sent to tasks, by key: workers can submit to these, and to no others. */
const sent = new Map<string, SentPool>();

findPoolsBy(({ key }) => sent.get(key)?.executor);

/** Lets workers that are sent a pool submit to it, until {@linkcode withdrawPool}. */
export function offerPool(pool: WorkerPool): void {
  keys.set(pool, undefined);
}

/** Withdraws a pool: workers can no longer submit to it. */
export function withdrawPool(pool: WorkerPool): void {
  const key = keys.get(pool);
  keys.delete(pool);
  if (key !== undefined) sent.delete(key);
}

/**
 * The handle that represents a pool on its way to a task, where it arrives as an executor that
 * submits to this pool.
 */
export function handleOfPool(executor: Executor, pool: WorkerPool): Handle {
  const { name, concurrency, chunkMs } = pool;
  const key = keys.get(pool) ?? secretName();
  if (keys.has(pool)) {
    keys.set(pool, key);
    sent.set(key, { pool, executor });
  }
  const data: PoolHandle = { key, name, owner: ownId(), concurrency, chunkMs };
  return { kind: POOL_KIND, data };
}

/** A task that a worker has submitted. */
interface Entry {
  readonly future: Future<unknown>;
  /** Represents the task's signal, if it has one. */
  readonly controller: AbortController | undefined;
  /** Whether the worker's own pool runs it. */
  readonly isOwn: boolean;
  /** The stream, if the task is one. */
  readonly stream: NestedStream | undefined;
}

/** The unfinished tasks that one worker has submitted, and which of them it blocks for. */
interface Account {
  readonly futures: Map<number, Entry>;
  /**
   * Ids of the tasks that the worker blocks for, while each of them is an unfinished task of the
   * worker's own pool, and no stream among them has sent a value that was not taken; otherwise
   * empty.
   */
  blockedOn: number[];
}

/** The submissions of one pool's workers. */
export class NestedTasks {
  readonly #pool: WorkerPool;
  readonly #accounts = new Map<PoolWorkerHandle, Account>();

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  /** Handles a worker's mail about its submissions. */
  handle(worker: PoolWorkerHandle, kind: number, id: number, value: unknown): void {
    switch (kind) {
      case KIND.SUBMIT:
        this.#submit(worker, id, value as NestedTask);
        break;
      case KIND.CANCEL: {
        const entry = this.#accounts.get(worker)?.futures.get(id);
        if (entry?.future.cancel() !== true) reply(worker, REPLY.DENIED, id, value);
        break;
      }
      case KIND.ABORT:
        this.#accounts.get(worker)?.futures.get(id)?.controller?.abort();
        break;
      case KIND.BLOCK:
        this.#block(worker, id, value as number[]);
        break;
      case KIND.TAKEN:
        if (!Number.isInteger(value)) break; // A process has made it up.
        this.#accounts.get(worker)?.futures.get(id)?.stream?.taken(value as number);
        break;
      case KIND.LEFT:
        this.#accounts.get(worker)?.futures.get(id)?.stream?.source.stop();
        break;
      default:
        throw new Error(`Cannot handle mail of worker "${worker.name}": unknown kind ${kind}`);
    }
  }

  /** Refuses a submission that cannot be read. */
  refuse(worker: PoolWorkerHandle, id: number, error: unknown): void {
    reply(worker, REPLY.ERROR, id, error);
  }

  /** Forgets a worker that has ended, and stops its streams, whose values nobody takes. */
  forget(worker: PoolWorkerHandle): void {
    const account = this.#accounts.get(worker);
    if (account === undefined) return;
    this.#accounts.delete(worker);
    for (const { stream } of [...account.futures.values()]) stream?.source.stop();
  }

  #submit(worker: PoolWorkerHandle, id: number, task: NestedTask): void {
    let pool: WorkerPool;
    let future: Future<unknown>;
    let stream: NestedStream | undefined;
    let controller: AbortController | undefined;
    try {
      checkForm(task);
      pool = poolOf(task);
      controller = task.hasSignal ? new AbortController() : undefined;
      // What came with nothing has an empty context, not the one that is active here.
      const { target, args, arity, buffersize, timeout, priority, carrier = {} } = task;
      const limits = { timeout, priority, signal: controller?.signal };
      if (buffersize === undefined) {
        future = pool.submitTarget(target, args, limits, arity, carrier);
      } else {
        stream = new NestedStream(worker, id, () => this.#goesOn(worker, id));
        stream.source = pool.streamTarget(target, args, limits, buffersize, stream, carrier);
        future = stream.source.future;
      }
    } catch (error) {
      return reply(worker, REPLY.ERROR, id, error);
    }
    let account = this.#accounts.get(worker);
    if (account === undefined) {
      account = { futures: new Map(), blockedOn: [] };
      this.#accounts.set(worker, account);
    }
    const { futures } = account;
    futures.set(id, { future, controller, isOwn: pool === this.#pool, stream });
    futureInternals.whenDone(future, () => {
      futures.delete(id);
      this.#goesOn(worker, id);
      if (future.cancelled()) return reply(worker, REPLY.CANCELLED, id, undefined);
      const kind = futureInternals.hasFailed(future) ? REPLY.ERROR : REPLY.RESULT;
      reply(worker, kind, id, futureInternals.outcomeOf(future));
    });
  }

  /** Notes that a task for which the worker may be blocked has news. */
  #goesOn(worker: PoolWorkerHandle, id: number): void {
    const account = this.#accounts.get(worker);
    if (account?.blockedOn.includes(id)) account.blockedOn = [];
  }

  /**
   * @param block Number of this announcement among those that the worker has made of what it blocks
   * for.
   */
  #block(worker: PoolWorkerHandle, block: number, ids: number[]): void {
    const account = this.#accounts.get(worker);
    if (account === undefined) return;
    const isStuck = isList(ids) && ids.every((id) => {
      const entry = account.futures.get(id);
      // A value that was sent, and not taken, lets the worker go on.
      return entry?.isOwn === true && (entry.stream?.ahead ?? 0) === 0;
    });
    account.blockedOn = isStuck ? ids : [];
    if (account.blockedOn.length === 0) return;
    let blocked = 0;
    for (const [{ isFinishing }, { blockedOn }] of this.#accounts) {
      // One that takes no more tasks has another one in its place.
      if (blockedOn.length > 0 && !isFinishing) blocked++;
    }
    if (blocked < this.#pool.concurrency) return;
    account.blockedOn = [];
    reply(
      worker,
      REPLY.DEADLOCK,
      block,
      `Cannot wait: all ${this.#pool.concurrency} workers of ${this.#pool.name} would block for tasks that none is left to run; raise maxWorkers, or submit the tasks from outside the pool`,
    );
  }
}

/** The pool that a task is submitted to. */
function poolOf({ key, pool }: NestedTask): WorkerPool {
  const found = sent.get(key);
  if (found !== undefined) return found.pool;
  throw new RuntimeError(
    `Cannot submit to ${pool}: cannot schedule new futures after shutdown`,
  );
}

/**
 * Throws unless a submission has its form. Where it comes from, its parts were checked; but a task
 * in a process, which may be allowed less than this one, can say what it likes.
 */
function checkForm({ target, args, arity, buffersize, carrier, ...task }: NestedTask): void {
  const { timeout, priority } = task;
  const isTask = typeof target?.name === "string" &&
    typeof (target.kind === "module" ? target.url : target.text) === "string" &&
    isList(args) && (arity === 0 || Number.isInteger(args.length / arity)) &&
    Number.isInteger(arity) && arity >= 0 &&
    (buffersize === undefined || Number.isInteger(buffersize)) &&
    (priority === undefined || Number.isFinite(priority)) &&
    (carrier === undefined || Object(carrier) === carrier);
  if (!isTask) throw new TypeError("Cannot submit: this has not the form of a submission");
  checkTimeout(timeout, "submit");
}

/** A stream that a worker has submitted: sends the values to that worker. */
class NestedStream implements StreamSink {
  source!: StreamSource;
  /** Number of values that were sent and not taken. */
  ahead = 0;
  readonly #worker: PoolWorkerHandle;
  readonly #id: number;
  readonly #onValue: () => void;

  constructor(worker: PoolWorkerHandle, id: number, onValue: () => void) {
    this.#worker = worker;
    this.#id = id;
    this.#onValue = onValue;
  }

  next(value: unknown): void {
    if (this.#worker.hasEnded) return;
    this.ahead++;
    this.#onValue();
    this.#worker.replies.writeOr(REPLY.YIELDED, this.#id, value, (error) => {
      this.fail(unsendable(error, "a value of the stream"));
      this.source.stop();
      return undefined;
    });
  }

  fail(error: unknown): void {
    reply(this.#worker, REPLY.THREW, this.#id, error);
  }

  /** Notes that the worker has taken `count` more values. */
  taken(count: number): void {
    this.ahead -= count;
    this.source.taken(count, this.ahead);
  }
}

function reply(worker: PoolWorkerHandle, kind: number, id: number, value: unknown): void {
  const { replies, hasEnded } = worker;
  if (hasEnded) return;
  replies.writeOr(
    kind,
    id,
    value,
    (error) => replies.write(REPLY.ERROR, id, unsendable(error)),
  );
}
