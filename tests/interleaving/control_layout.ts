/**
 * Words and values of the control block; see `control.ts`.
 *
 * @module
 */

/** The most threads that a model can have; masks of threads have 8 bits. */
export const MAX_THREADS = 4;

/** Words of the control block. */
export const HEADER = {
  /** Steps taken, which is the number of records in the log. */
  STEP: 0,
  /** Step of the next switch that the schedule wants; -1 for none. */
  NEXT_SWITCH: 1,
  /** Switches of the schedule that have come due, and how many of them could be made. */
  SEEN: 2,
  SWITCHES: 3,
  /** Threads that can go on, the running one among them. A mask, like the next two. */
  RUNNABLE: 4,
  /** Threads that sleep until a deadline. */
  TIMED: 5,
  /** Threads that have ended. */
  ENDED: 6,
  /** How the schedule ended: an {@linkcode OUTCOME}. */
  OUTCOME: 7,
  /** The thread that has ended the schedule. */
  CULPRIT: 8,
  /** The number for the next sleeper: those of one word are woken in this order. */
  TICKET: 9,
  /** A hash of the log so far. */
  HASH: 10,
  THREADS: 11,
  MAX_STEPS: 12,
  /** One gate per thread, then that of the main thread. */
  GATE: 13,
  /** By thread: the word at which it sleeps, and its number among the sleepers. */
  WAIT_BUFFER: 18,
  WAIT_INDEX: 22,
  WAIT_TICKET: 26,
  /** By thread: 1 if its last sleep ended by its deadline. */
  TIMED_OUT: 30,
  /** By thread: the number of bytes that it has left for the main thread. */
  TEXT_LENGTH: 34,
  /** Pairs of step and thread, then -1. */
  SCHEDULE: 38,
} as const;

/** Words of a record in the log. */
export const LOG = {
  THREAD: 0,
  /** What was done: an {@linkcode OP}. */
  OP: 1,
  /** The word on which it was done. Buffers have numbers; see `shared_buffers.ts`. */
  BUFFER: 2,
  INDEX: 3,
  /** Operands; for a step that hands the token over, FIRST is the thread that gets it. */
  FIRST: 4,
  SECOND: 5,
  RESULT: 6,
  /**
   * Which other threads could have gone on here: a mask of those that cost nothing, and, shifted by
   * 8, a mask of those that cost a preemption.
   */
  CHOICES: 7,
  /** The hash of the log before this record. */
  HASH: 8,
  SIZE: 9,
} as const;

/** What a record is about. */
export const OP = {
  START: 1,
  LOAD: 2,
  STORE: 3,
  ADD: 4,
  EXCHANGE: 5,
  REPLACE: 6,
  NOTIFY: 7,
  WAIT: 8,
  PAUSE: 9,
  POINT: 10,
  /** The thread gives way although it could go on. */
  PREEMPTED: 11,
  SLEEP: 12,
  WAKE: 13,
  END: 14,
} as const;

/** How a schedule ends. */
export const OUTCOME = {
  /** All threads ended. */
  COMPLETED: 1,
  /** Some threads sleep without a deadline, and no thread is left to wake them. */
  DEADLOCK: 2,
  /** The log is full. */
  LIVELOCK: 3,
  /** A thread threw. */
  THREW: 4,
} as const;
