/**
 * The tasks that a child process of a pool has been sent and has not finished.
 *
 * It runs one at a time. Tasks so short that the round trip would take longer than they do are sent
 * ahead, only of one function at a time: as many as have lately come back within AHEAD_MS, or, if
 * the child has reported how long one runs, as many as run in that time. With many processes on few
 * processors, tasks come back late although they are short. A chunk of many more calls than any of
 * the short ones is not sent behind others, but left to a child that is free. Nothing is sent behind
 * a task that holds others up, or must stop, even if other children learn meanwhile that its kind is
 * short.
 *
 * A task that was given shared objects may wait for another task, and is sent alone:
 *
 *   child 1 has A1, and A2 ahead, which A1 waits for        child 2 takes B1, which waits for B2
 *   child 1 returns A2, and B2 is next: nobody is free for either
 *
 * Had they begun in the order in which they were submitted, as in a thread pool, A1 and A2 would
 * have met.
 *
 * @module
 */

import { store } from "../_platform/atomics.ts";
import { nowMs } from "../_platform/clock.ts";
import { TASK_RING } from "../_memory/layout.ts";
import type { TaskRing } from "../_memory/task_ring.ts";
import type { Payload } from "./_payload.ts";
import type { PoolChild } from "./_pool_child.ts";
import { logOfCalls, PLACE, SHARED_OBJECTS } from "./_protocol.ts";

/** If tasks come back within this time, twice as many as before may be sent ahead. */
const AHEAD_MS = 1;
/** The most tasks in a child's hands. */
const MOST_AHEAD = 512;

/** Identifies a task. */
export interface TaskHead {
  readonly task: number;
  /** Its number in the pool's ring: indexes are reused. */
  readonly number: number;
  readonly fn: number;
  readonly form: number;
}

/** A task as it goes to a child. */
export interface Task extends TaskHead {
  readonly payload: Payload;
}

/** What is remembered of a task in hand. */
interface InHand {
  readonly number: number;
  readonly fn: number;
  readonly form: number;
  readonly sentMs: number;
  /** It may wait for other tasks. */
  readonly mayWait: boolean;
  /** Set once the task must stop: the milliseconds that it may take to. */
  stopMs: number | undefined;
  /** The child has returned tasks from behind it. */
  holdsUp: boolean;
}

/** What the children of one pool have in common. */
export class ChildGroup {
  readonly children = new Set<PoolChild>();
  /**
   * Tasks that children have returned, oldest first; word RETURNED of the pool's ring says how
   * many.
   */
  readonly #returned: Task[] = [];
  /** What is known of the tasks of each function. */
  readonly kinds = new Map<number, Kind>();

  /** Whether there are tasks that children have returned. */
  get hasReturned(): boolean {
    return this.#returned.length > 0;
  }

  /** Keeps a task that a child has returned. */
  addReturned(task: Task, ring: TaskRing): void {
    this.#returned.push(task);
    this.#tellReturned(ring);
  }

  /** Takes the oldest of the returned tasks. */
  takeReturned(ring: TaskRing): Task | undefined {
    const task = this.#returned.shift();
    if (task !== undefined) this.#tellReturned(ring);
    return task;
  }

  /** Drops the task with that number; false when it is not among those that were returned. */
  dropReturned(number: number, ring: TaskRing): boolean {
    const at = this.#returned.findIndex((task) => task.number === number);
    if (at < 0) return false;
    this.#returned.splice(at, 1);
    this.#tellReturned(ring);
    return true;
  }

  #tellReturned(ring: TaskRing): void {
    store(ring.words, TASK_RING.RETURNED, this.#returned.length);
  }
}

/** Tasks of one function. */
interface Kind {
  /** How many may be in a child's hands. */
  most: number;
  /** How long one runs, as far as a child has reported; Infinity before. */
  runMs: number;
  /** The number of calls in the largest task that was short; see {@linkcode logOfCalls}. */
  logOfCalls: number;
}

/** What is known of a function before the first of its tasks has come back. */
const UNKNOWN: Readonly<Kind> = { most: 1, runMs: Infinity, logOfCalls: 0 };
/** The shortest time that a task is assumed to run. */
const LEAST_RUN_MS = 0.001;

/** Learns from a task that was short. */
function learnCalls(kind: Kind, { form }: InHand): void {
  kind.logOfCalls = Math.max(kind.logOfCalls, logOfCalls(form));
}

/**
 * What one child has in hand. A method that is told of a task that is not there throws a
 * RangeError.
 */
export class TasksInHand {
  readonly #kinds: Map<number, Kind>;
  readonly #allMayWait: boolean;
  readonly #tasks = new Map<number, InHand>();
  /** The task in hand that was sent last; `undefined` if it must be looked up. */
  #last: Pick<TaskHead, "task" | "number"> | undefined;

  /**
   * @param allMayWait Whether all tasks may wait for others: the initializer was given shared
   * objects.
   */
  constructor({ kinds }: ChildGroup, allMayWait: boolean) {
    this.#kinds = kinds;
    this.#allMayWait = allMayWait;
  }

  /** Whether the child has nothing to do. */
  get isEmpty(): boolean {
    return this.#tasks.size === 0;
  }

  /** The indexes of the tasks in hand, oldest first. */
  get indexes(): number[] {
    return [...this.#tasks.keys()];
  }

  /** Whether that task may be sent now, if {@linkcode mayGrow}. */
  mayAdd({ fn, form }: Pick<TaskHead, "fn" | "form">): boolean {
    const first = this.#first;
    if (first === undefined) return true;
    return first.fn === fn && !this.#mayWait(form) && (form & PLACE.MASK) !== PLACE.MESSAGE &&
      logOfCalls(form) <= this.#kindOf(fn).logOfCalls + 1;
  }

  /** The task in hand that was sent last. */
  get last(): Pick<TaskHead, "task" | "number"> | undefined {
    if (this.#last === undefined) {
      for (const [task, { number }] of this.#tasks) this.#last = { task, number };
    }
    return this.#last;
  }

  /** Whether the child may have one more task in hand. */
  get mayGrow(): boolean {
    const first = this.#first;
    if (first === undefined) return true;
    // Behind a task that must stop, others would be lost if the process must be killed for it.
    if (first.mayWait || first.holdsUp || first.stopMs !== undefined) return false;
    return this.#tasks.size < this.#kindOf(first.fn).most;
  }

  get #first(): InHand | undefined {
    for (const inHand of this.#tasks.values()) return inHand;
    return undefined;
  }

  #mayWait(form: number): boolean {
    return this.#allMayWait || (form & SHARED_OBJECTS) !== 0;
  }

  /** The task with that index, of which the child speaks. */
  #known(task: number): InHand {
    const inHand = this.#tasks.get(task);
    if (inHand !== undefined) return inHand;
    throw new RangeError(`Cannot find task ${task}: the process does not have it in hand`);
  }

  /** The task with that index. */
  get(task: number): InHand | undefined {
    return this.#tasks.get(task);
  }

  /** Adds a task that is sent now, or will be. */
  add({ task, number, fn, form }: TaskHead): void {
    const mayWait = this.#mayWait(form);
    this.#last = { task, number };
    this.#tasks.set(task, {
      number,
      fn,
      form,
      sentMs: nowMs(),
      mayWait,
      stopMs: undefined,
      holdsUp: false,
    });
  }

  /**
   * Learns from one task how long its kind runs. A task that was held up counts for at most twice
   * the time known before.
   */
  ran(task: number, runMs: number): void {
    const inHand = this.#known(task);
    const kind = this.#kindOf(inHand.fn);
    kind.runMs = Math.max(LEAST_RUN_MS, Math.min(runMs, kind.runMs * 2));
    if (runMs <= AHEAD_MS) learnCalls(kind, inHand);
  }

  /** Removes a task that has an outcome, and learns how many of its kind may be sent ahead. */
  finish(task: number): void {
    const inHand = this.#known(task);
    this.#forget(task);
    const kind = this.#kindOf(inHand.fn);
    const { most, runMs } = kind;
    const isLate = nowMs() - inHand.sentMs > AHEAD_MS;
    if (!isLate) learnCalls(kind, inHand);
    if (isLate && runMs * most > AHEAD_MS) {
      kind.most = Math.max(1, most >> 1);
    } else if (this.#tasks.size + 1 >= most / 2) {
      kind.most = Math.min(MOST_AHEAD, most * 2);
    }
  }

  /** Takes back a task that waits behind a long one. */
  takeBack(task: number): InHand {
    const inHand = this.#known(task);
    this.#forget(task);
    const first = this.#first;
    if (first !== undefined) first.holdsUp = true;
    Object.assign(this.#kindOf(inHand.fn), UNKNOWN);
    return inHand;
  }

  #forget(task: number): void {
    this.#tasks.delete(task);
    if (this.#last?.task === task) this.#last = undefined;
  }

  #kindOf(fn: number): Kind {
    let kind = this.#kinds.get(fn);
    if (kind === undefined) {
      kind = { ...UNKNOWN };
      this.#kinds.set(fn, kind);
    }
    return kind;
  }
}
