/**
 * Tasks that wait in their owner's memory because the shared ring is full. They are already
 * encoded, so that the ring can be filled by copying, and later changes to an argument are not
 * seen.
 *
 * One first-in-first-out lane per priority; lanes of higher priority go first. A lane is a list of
 * segments into which records are written one after another: header, then the payload as the task
 * ring wants it. Payloads too large for a slot are kept as blocks of their own.
 *
 * @module
 */

import type { Encoded } from "../_memory/message.ts";
import { SLOT_PAYLOAD_WORDS } from "../_memory/task_ring.ts";

/**
 * Words of a lane's first segment; each later one has four times as many as the one before, up to
 * MOST_WORDS.
 */
const FIRST_WORDS = 1 << 8;
const MOST_WORDS = 1 << 14;

/** Words of a record before its payload. */
const HEADER = { LENGTH: 0, TASK: 1, FUNCTION: 2, FORM: 3, SIZE: 4 } as const;

/** Where to write a payload. */
export interface Region {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly start: number;
}

/** One waiting task. */
export interface Waiting {
  readonly task: number;
  readonly functionNumber: number;
  readonly form: number;
  readonly priority: number;
  /** The memory that holds the payload, when that fits a slot. */
  readonly words: Int32Array;
  /** Where the payload lies in `words`. */
  readonly start: number;
  readonly end: number;
  /** The payload, when it does not fit a slot. */
  readonly large: Encoded | undefined;
}

class Segment {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  written = 0;
  read = 0;

  constructor(words: number) {
    this.words = new Int32Array(words);
    this.bytes = new Uint8Array(this.words.buffer);
  }
}

class Lane {
  readonly priority: number;
  /** Oldest first; the front one is read, the last one written. */
  readonly segments: Segment[] = [new Segment(FIRST_WORDS)];
  #first = 0;

  constructor(priority: number) {
    this.priority = priority;
  }

  get front(): Segment {
    return this.segments[this.#first];
  }

  /** The segment to write the next record to. */
  get back(): Segment {
    const last = this.segments[this.segments.length - 1];
    const size = last.words.length;
    if (last.written + HEADER.SIZE + SLOT_PAYLOAD_WORDS <= size) return last;
    const next = new Segment(Math.min(MOST_WORDS, 4 * size));
    this.segments.push(next);
    return next;
  }

  get isEmpty(): boolean {
    return this.front.read === this.front.written && this.#first === this.segments.length - 1;
  }

  /** Drops the front segment if it was read to its end. */
  skipRead(reserved: Segment | undefined): void {
    const { front } = this;
    if (front.read < front.written) return;
    if (this.#first === this.segments.length - 1) {
      // Not while a record is being written behind it: encoding may call a getter of the user's,
      // which may have led here.
      if (front !== reserved) front.read = front.written = 0;
      return;
    }
    this.#first++;
    if (this.#first > 32 && this.#first * 2 > this.segments.length) {
      this.segments.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

/** Where a record is being written. */
interface Reserved {
  readonly lane: Lane;
  readonly segment: Segment;
}

/** The tasks of a pool that wait for room in its ring. */
export class Backlog {
  /** Highest priority last; none of them empty, but for that of priority 0 and what is reserved. */
  readonly #lanes: Lane[] = [];
  /** Payloads too large for a slot, by task. */
  readonly #large = new Map<number, Encoded>();
  /** What was reserved last and is not committed, or never will be. */
  #open: Reserved | undefined;
  #length = 0;

  /** How many tasks wait. */
  get length(): number {
    return this.#length;
  }

  /** True while a payload is being written; after a failure to write it, until the next one is. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /**
   * Where to encode the next task of that priority: {@linkcode SLOT_PAYLOAD_WORDS} words from
   * `start`.
   */
  reserve(priority: number): Region {
    const failed = this.#open?.lane;
    this.#open = undefined;
    if (failed !== undefined) this.#leave(failed);
    const lane = this.#laneOf(priority);
    const segment = lane.back;
    this.#open = { lane, segment };
    return { words: segment.words, bytes: segment.bytes, start: segment.written + HEADER.SIZE };
  }

  /** Adds a task whose payload was written, up to `end`, to the region reserved last. */
  commit(task: number, functionNumber: number, form: number, end: number, large?: Encoded): void {
    const { segment } = this.#open!;
    const { words, written } = segment;
    words[written + HEADER.LENGTH] = end - written;
    words[written + HEADER.TASK] = task;
    words[written + HEADER.FUNCTION] = functionNumber;
    words[written + HEADER.FORM] = form;
    segment.written = end;
    if (large !== undefined) this.#large.set(task, large);
    this.#length++;
    this.#open = undefined;
  }

  /** The task to publish next; it stays until {@linkcode shift}. */
  peek(): Waiting | undefined {
    const lane = this.#front;
    if (lane === undefined) return undefined;
    const { words, read } = lane.front;
    const task = words[read + HEADER.TASK];
    return {
      task,
      functionNumber: words[read + HEADER.FUNCTION],
      form: words[read + HEADER.FORM],
      priority: lane.priority,
      words,
      start: read + HEADER.SIZE,
      end: read + words[read + HEADER.LENGTH],
      large: this.#large.get(task),
    };
  }

  /** Drops the payload of a task that nobody will read, if it is large; its record stays. */
  empty(task: number): void {
    this.#large.delete(task);
  }

  /** Removes the task that {@linkcode peek} returns. */
  shift(): void {
    const lane = this.#front!;
    const { front } = lane;
    this.#large.delete(front.words[front.read + HEADER.TASK]);
    front.read += front.words[front.read + HEADER.LENGTH];
    lane.skipRead(this.#open?.segment);
    this.#length--;
    this.#leave(lane);
  }

  /** The lane whose turn it is. */
  get #front(): Lane | undefined {
    return this.#lanes.findLast((lane) => !lane.isEmpty);
  }

  #laneOf(priority: number): Lane {
    const i = this.#indexOf(priority);
    if (this.#lanes[i]?.priority !== priority) this.#lanes.splice(i, 0, new Lane(priority));
    return this.#lanes[i];
  }

  /** Drops a lane that is empty: there may be as many priorities as tasks. */
  #leave(lane: Lane): void {
    if (!lane.isEmpty || lane.priority === 0 || lane === this.#open?.lane) return;
    this.#lanes.splice(this.#indexOf(lane.priority), 1);
  }

  /** The index of the lane of that priority, or where it would be inserted. */
  #indexOf(priority: number): number {
    let first = 0;
    let end = this.#lanes.length;
    while (first < end) {
      const middle = (first + end) >> 1;
      if (this.#lanes[middle].priority < priority) first = middle + 1;
      else end = middle;
    }
    return first;
  }
}
