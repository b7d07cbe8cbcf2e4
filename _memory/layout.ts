/**
 * Size and word names of every shared block, in one table. All words are 32 bits. Words that different
 * threads write often lie {@linkcode LINE} words apart, so that they do not share a cache line.
 *
 * @module
 */

/** Words in a cache line of 64 bytes. */
export const LINE = 16;

/** Bytes in a word. */
export const WORD_BYTES: number = Int32Array.BYTES_PER_ELEMENT;

/** A thread's doorbell; see `doorbell.ts`. */
export const DOORBELL = { STATE: 0, SIZE: LINE } as const;

/** Control block of a task ring; see `task_ring.ts`. The slots follow it. */
export const TASK_RING = {
  /** Number of the next task to be claimed. */
  HEAD: 0,
  /** Workers asleep. */
  SLEEPING: LINE,
  /** Workers awake that look for a task at this moment. */
  LOOKING: 2 * LINE,
  /** 1 once no further task will be published. */
  CLOSED: 3 * LINE,
  SIZE: 4 * LINE,
} as const;

/** Control block of a record ring; see `record_ring.ts`. The records follow it. */
export const RECORD_RING = {
  /** Words ever written, modulo 2^32. Owned by the writer. */
  WRITTEN: 0,
  /** Words ever read, modulo 2^32. Owned by the reader. */
  READ: LINE,
  /** 1 while the writer sleeps for room. */
  WRITER_WAITS: LINE + 1,
  SIZE: 2 * LINE,
} as const;

/** One worker's block; see `executors/_worker_state.ts`. Two record rings follow it. */
export const WORKER = {
  /** AWAKE, SLEEPING or RETIRED. Written by both sides. */
  STATE: 0,
  /** 1 once the worker holds its sign of life. */
  ALIVE: 1,
  /** 1 once the worker takes tasks. */
  READY: 2,
  /** BETWEEN or RUNNING. Written by the worker, like the next two. */
  PHASE: LINE,
  /** Number of the task claimed last. */
  CURRENT: LINE + 1,
  /** Index of that task in the owner's table. */
  CURRENT_TASK: LINE + 2,
  /** One more than the number of the task that is asked to stop. Written by the owner. */
  ABORT: 2 * LINE,
  SIZE: 3 * LINE,
} as const;
