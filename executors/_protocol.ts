/**
 * Every record and message between a pool and its workers.
 *
 * A task's slot (see `_memory/task_ring.ts`): task index, function index (see `_catalog.ts`), form, payload.
 * A worker's record: kind and place, task index, payload.
 *
 * @module
 */

import type { Encoded } from "../_memory/message.ts";

/** Where a payload lies. In a form or a record's first word: the low two bits. */
export const PLACE = {
  /** In the slot or record. */
  INLINE: 0,
  /** In a block of the sender's arena; two words: byte offset, byte offset of its externs. */
  BLOCK: 1,
  /** In a message of its own: too large for the arena, or not to be encoded. */
  MESSAGE: 2,
  MASK: 3,
} as const;

/** Bit of a form: the payload is a list of argument lists, to be run one after the other. */
export const CHUNK = 4;

/** In a form, shifted by this: how many arguments each call of a chunk gets. */
export const ARITY_SHIFT = 8;

/** What a worker's record says, shifted by two: the low two bits are its {@linkcode PLACE}. */
export const KIND = {
  /** The task returned: the value. */
  RESULT: 0,
  /** The task threw: the error. */
  ERROR: 1,
  /** The worker wants the arguments that were kept back as a message. */
  FETCH: 2,
  /** The task reports progress: the fraction. */
  PROGRESS: 3,
  /** The initializer threw: the error. */
  INITIALIZER_FAILED: 4,
  /** The thread is about to end by itself: a {@linkcode ThreadEnd}. */
  ENDED: 5,
  /** The worker has stopped in good order and holds nothing. */
  RETIRED: 6,
  SHIFT: 2,
} as const;

/** Words of a record before its payload. */
export const RECORD_HEADER_WORDS = 2;

/** The largest payload that a worker writes into a record, in words. */
export const RECORD_PAYLOAD_WORDS = 512;

/** The first message to a worker. */
export interface StartMessage {
  readonly name: string;
  /** The worker's number in its pool, as the task ring's stamps know it. */
  readonly number: number;
  readonly ring: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
  readonly catalog: SharedArrayBuffer;
  readonly state: SharedArrayBuffer;
  readonly results: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
  /** For values that shared memory cannot carry, both ways. */
  readonly port: MessagePort;
  /** The name that the worker holds as a sign of life. */
  readonly life: string;
  /** Index of the initializer in the catalog, -1 for none. */
  readonly initializer: number;
  readonly initargs: Encoded | undefined;
  readonly maxTasks: number;
  readonly idleTimeoutMs: number | undefined;
}
