/**
 * The tasks that a child process of a pool has been sent and not finished.
 *
 * It runs one at a time. Tasks so short that the way to and fro would take longer than they do are sent ahead, as many
 * as have lately come back within AHEAD_MS, of the same function only.
 *
 * @module
 */

import { nowMs } from "../_platform/clock.ts";
import type { Payload } from "./_payload.ts";
import type { PoolChild } from "./_pool_child.ts";

/** Tasks that come back within this time may be sent ahead, twice as many as before. */
const AHEAD_MS = 1;
/** The most tasks in a child's hands. */
const MOST_AHEAD = 512;

/** Which task it is. */
export interface TaskHead {
  readonly task: number;
  /** Its number in the pool's ring: indexes are used again. */
  readonly number: number;
  readonly fn: number;
  readonly form: number;
}

/** A task as it goes to a child. */
export interface Task extends TaskHead {
  readonly payload: Payload;
}

/** What a task in hand has to be remembered for. */
interface InHand {
  readonly number: number;
  readonly fn: number;
  readonly sentMs: number;
  /** It was asked to stop. */
  isStopping: boolean;
}

/** What the children of one pool have in common. */
export class ChildGroup {
  readonly children = new Set<PoolChild>();
  /** Tasks that a child has returned, oldest first. */
  readonly returned: Task[] = [];
  /** How many tasks of a function may be in a child's hands. */
  readonly ahead = new Map<number, number>();
}

/** What one child has in hand. */
export class TasksInHand {
  readonly #ahead: Map<number, number>;
  readonly #tasks = new Map<number, InHand>();

  constructor({ ahead }: ChildGroup) {
    this.#ahead = ahead;
  }

  /** Whether the child has nothing to do. */
  get isEmpty(): boolean {
    return this.#tasks.size === 0;
  }

  /** Their indexes, oldest first. */
  get indexes(): number[] {
    return [...this.#tasks.keys()];
  }

  /** The function that they run; `undefined` when there are none. */
  get fn(): number | undefined {
    for (const { fn } of this.#tasks.values()) return fn;
    return undefined;
  }

  /** Whether there may be one more, of the same function. */
  get mayGrow(): boolean {
    return this.#tasks.size < this.#mostOf(this.fn);
  }

  #mostOf(fn: number | undefined): number {
    return fn === undefined ? 1 : this.#ahead.get(fn) ?? 1;
  }

  /** The task with that index. */
  get(task: number): InHand | undefined {
    return this.#tasks.get(task);
  }

  /** Says that a task is sent now, or will be. */
  add({ task, number, fn }: TaskHead): void {
    this.#tasks.set(task, { number, fn, sentMs: nowMs(), isStopping: false });
  }

  /** Books a task that has an outcome, and learns how long its kind takes. */
  finish(task: number): void {
    const inHand = this.#tasks.get(task);
    if (inHand === undefined) return;
    this.#tasks.delete(task);
    const { fn, sentMs } = inHand;
    const most = this.#mostOf(fn);
    if (nowMs() - sentMs > AHEAD_MS) this.#ahead.set(fn, Math.max(1, most >> 1));
    else if (this.#tasks.size + 1 >= most / 2) this.#ahead.set(fn, Math.min(MOST_AHEAD, most * 2));
  }

  /** Takes back a task that waits behind a long one. */
  takeBack(task: number): InHand {
    const inHand = this.#tasks.get(task)!;
    this.#tasks.delete(task);
    this.#ahead.set(inHand.fn, 1);
    return inHand;
  }
}
