/**
 * Tasks that wait in their owner's memory because the shared ring is full: encoded already, so that the ring
 * can be filled by copying, and so that later changes to an argument are not seen.
 *
 * One first-in-first-out lane per priority; lanes of higher priority go first. A lane is a list of segments
 * into which records are written one after another: header, then the payload as the task ring wants it.
 * Payloads too large for a slot are kept as blocks of their own.
 *
 * @module
 */

import type { Encoded } from "../_memory/message.ts";
import { PAYLOAD_WORDS } from "../_memory/task_ring.ts";

const SEGMENT_WORDS = 1 << 14;

/** Words of a record before its payload. */
const HEADER = { LENGTH: 0, TASK: 1, FUNCTION: 2, FORM: 3, SIZE: 4 } as const;

/** Where a payload is to be written. */
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
  /** The payload, when it fits a slot. */
  readonly words: Int32Array;
  /** Where it lies in `words`. */
  readonly start: number;
  readonly end: number;
  /** The payload, when it does not. */
  readonly large: Encoded | undefined;
}

class Segment {
  readonly words = new Int32Array(SEGMENT_WORDS);
  readonly bytes = new Uint8Array(this.words.buffer);
  written = 0;
  read = 0;
}

class Lane {
  readonly priority: number;
  /** Oldest first. Read at the first, written at the last. */
  readonly segments: Segment[] = [new Segment()];
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
    if (last.written + HEADER.SIZE + PAYLOAD_WORDS <= SEGMENT_WORDS) return last;
    const next = new Segment();
    this.segments.push(next);
    return next;
  }

  get isEmpty(): boolean {
    return this.front.read === this.front.written && this.#first === this.segments.length - 1;
  }

  /** Leaves a segment that was read to its end. */
  skipRead(reserved: Segment | undefined): void {
    const { front } = this;
    if (front.read < front.written) return;
    if (this.#first === this.segments.length - 1) {
      // What is being written behind it, by code that has come here through a getter, stays where it is.
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

/** The tasks of a pool that wait for room in its ring. */
export class Backlog {
  /** Highest priority first. */
  readonly #lanes: Lane[] = [];
  /** Payloads too large for a slot, by task. */
  readonly #large = new Map<number, Encoded>();
  /** The segment that was reserved last. */
  #open: Segment | undefined;
  #length = 0;

  /** How many tasks wait. */
  get length(): number {
    return this.#length;
  }

  /** Where the next task of that priority is to be encoded: {@linkcode PAYLOAD_WORDS} words from `start`. */
  reserve(priority: number): Region {
    const segment = this.#laneOf(priority).back;
    this.#open = segment;
    return { words: segment.words, bytes: segment.bytes, start: segment.written + HEADER.SIZE };
  }

  /** Has the task wait whose payload was written, up to `end`, to the region reserved last. */
  commit(task: number, functionNumber: number, form: number, end: number, large?: Encoded): void {
    const { words, written } = this.#open!;
    words[written + HEADER.LENGTH] = end - written;
    words[written + HEADER.TASK] = task;
    words[written + HEADER.FUNCTION] = functionNumber;
    words[written + HEADER.FORM] = form;
    this.#open!.written = end;
    if (large !== undefined) this.#large.set(task, large);
    this.#length++;
    this.#open = undefined;
  }

  /** The task to go first; it stays until {@linkcode shift}. */
  peek(): Waiting | undefined {
    const lane = this.#lanes.find((lane) => !lane.isEmpty);
    if (lane === undefined) return undefined;
    const { words, read } = lane.front;
    const task = words[read + HEADER.TASK];
    return {
      task,
      functionNumber: words[read + HEADER.FUNCTION],
      form: words[read + HEADER.FORM],
      words,
      start: read + HEADER.SIZE,
      end: read + words[read + HEADER.LENGTH],
      large: this.#large.get(task),
    };
  }

  /** Takes away what {@linkcode peek} showed. */
  shift(): void {
    const lane = this.#lanes.find((lane) => !lane.isEmpty)!;
    const { front } = lane;
    this.#large.delete(front.words[front.read + HEADER.TASK]);
    front.read += front.words[front.read + HEADER.LENGTH];
    lane.skipRead(this.#open);
    this.#length--;
  }

  #laneOf(priority: number): Lane {
    let i = 0;
    while (i < this.#lanes.length && this.#lanes[i].priority > priority) i++;
    if (this.#lanes[i]?.priority !== priority) this.#lanes.splice(i, 0, new Lane(priority));
    return this.#lanes[i];
  }
}
