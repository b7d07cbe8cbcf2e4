/**
 * Every record and message between a pool and its workers.
 *
 * A task's slot (see `_memory/task_ring.ts`): task index, function number (see `_catalog.ts`),
 * form, payload. What goes back is mail (see `_mailbox.ts`): kind, task index, value; so are the
 * owner's answers.
 *
 * @module
 */

import type { Encoded } from "../_memory/message.ts";
import type { BufferNews } from "./_shared_buffers.ts";
import type { Origin, ParentAccess } from "./_origin.ts";
import type { Target } from "./_target.ts";

/** Where a payload lies: the low two bits of a form, and of a mail record's first word. */
export const PLACE = {
  /** In the slot or record. */
  INLINE: 0,
  /**
   * In a block of the sender's arena; three words: byte offset, byte offset of its externs, length
   * in bytes.
   */
  BLOCK: 1,
  /** In a message of its own: it is too large for the arena, or cannot be encoded. */
  MESSAGE: 2,
  /**
   * In a block that refers to shared buffers; their count and their numbers replace the length.
   * Tasks only.
   */
  SHARED: 3,
  MASK: 3,
} as const;

/**
 * Words of a payload that lies in a block. With SHARED, a count replaces the length, and the
 * buffers' numbers follow.
 */
export const BLOCK = { OFFSET: 0, EXTERNS: 1, LENGTH: 2, COUNT: 2, BUFFERS: 3, SIZE: 3 } as const;

/** Whether the payload of a task of that form lies in a block of the arena. */
export function hasBlock(form: number): boolean {
  const place = form & PLACE.MASK;
  return place === PLACE.BLOCK || place === PLACE.SHARED;
}

/**
 * Bit of a form: the payload is one list of the arguments of several calls, `arityOf` each, which
 * run one after the other.
 */
export const CHUNK = 4;

/**
 * Bit of a form: the payload holds shared objects, so their classes must be loaded before it is
 * read.
 */
export const SHARED_OBJECTS = 8;

/**
 * Bit of a form: what the function returns is iterated in the worker. The stream's id and the
 * number of values that may be ahead precede the arguments; see `_stream_pool.ts`.
 */
export const STREAM = 16;

/** Bit of a form: the worker reports by RAN when the task began and ended. */
export const TIMED = 32;

/** Bit of a form that is TIMED as well: a {@linkcode Carrier} follows the arguments. */
export const CARRIES = 64;

/** In a form, shifted by this: how many arguments each call of a chunk gets. Eight bits. */
const ARITY_SHIFT = 8;
const ARITY_MASK = 0xff;

/**
 * In a form, shifted by this: how many words of the slot the payload has, for threads that pass it
 * on undecoded. Ten bits.
 */
export const WORDS_SHIFT = 16;
const WORDS_MASK = 0x3ff;

/**
 * In a form, shifted by this: the number of calls in a chunk, as its logarithm to base 2, rounded
 * up. Five bits.
 */
const CALLS_SHIFT = 26;
const CALLS_MASK = 0x1f;

/** The form of a chunk of `calls` calls, with `arity` arguments each. */
export function formOfChunk(arity: number, calls: number): number {
  return CHUNK | (arity << ARITY_SHIFT) | (Math.ceil(Math.log2(calls)) << CALLS_SHIFT);
}

/** How many arguments each call of a chunk gets. */
export function arityOf(form: number): number {
  return (form >> ARITY_SHIFT) & ARITY_MASK;
}

/** How many words of the slot the payload has. */
export function wordsOf(form: number): number {
  return (form >> WORDS_SHIFT) & WORDS_MASK;
}

/**
 * The number of calls in a task, as its logarithm to base 2, rounded up: 0 for a task that is no
 * chunk.
 */
export function logOfCalls(form: number): number {
  return (form >> CALLS_SHIFT) & CALLS_MASK;
}

/**
 * The number of a task that came by the wire, in place of one in the ring; `number` is its number
 * on the wire.
 */
export function numberOfWired(number: number): number {
  return 2 ** 31 + (number & 0x7fffffff);
}

/**
 * What the context in which a task is submitted sends along with it, as headers go with a request.
 */
export type Carrier = Readonly<Record<string, string>>;

/** When a task ran by the worker's clock (see `epochMs`), and its id as its context knows it. */
export type RanReport = readonly [startMs: number, endMs: number, id: number];

/** Words of a mail record before its payload: kind and place, then the id. */
export const HEADER_WORDS = 2;

/**
 * The most words of payload that a mail record holds; a larger payload goes to a block or a
 * message.
 */
export const MAIL_PAYLOAD_WORDS = 512;

/** In the first word of a mail record, the kind stands above the two bits of the place. */
export const KIND_SHIFT = 2;

/** What a worker says. The id of the mail is the index of the task in question, unless noted. */
export const KIND = {
  /** The task returned: the value. */
  RESULT: 0,
  /** The task threw: the error. */
  ERROR: 1,
  /** The worker asks for the arguments that were kept back as a message. */
  FETCH: 2,
  /** The task reports progress: the fraction. */
  PROGRESS: 3,
  /** The initializer threw: the error. */
  INITIALIZER_FAILED: 4,
  /** The thread is about to end by itself, or the process has ended: an {@linkcode EndReport}. */
  ENDED: 5,
  /** The worker has stopped in good order and holds nothing. */
  RETIRED: 6,
  /**
   * A task submits to a pool of the owner's: a {@linkcode NestedTask}; the id is the worker's own.
   */
  SUBMIT: 7,
  /**
   * The worker blocks until futures of tasks that it has submitted are done: their ids; an empty
   * list says that it goes on. The mail's id counts the worker's BLOCK mails.
   */
  BLOCK: 8,
  /**
   * The worker wants a task that it has submitted to be cancelled: a number, which DENIED repeats.
   * It blocks until the answer comes.
   */
  CANCEL: 9,
  /**
   * In another process: a call of an object of the owner's: a {@linkcode RemoteCall}; the id is the
   * worker's own.
   */
  CALL: 10,
  /** The call with that id must end: its signal has aborted. */
  CALL_ABORT: 11,
  /** The worker no longer uses an object of the owner's: its name. */
  RELEASE: 12,
  /** The process has been started: its pid. */
  STARTED: 13,
  /** In another process: the initializer has run. */
  READY: 14,
  /** A timed task has ended, and the next mail about it is its outcome: a {@linkcode RanReport}. */
  RAN: 15,
  /** A stream's task begins. */
  STREAM_STARTED: 16,
  /** The function of a stream's task has yielded: the value. */
  YIELDED: 17,
  /** The value yielded last is large: how much more credit it takes than others. */
  YIELDED_LARGE: 18,
  /**
   * The function of a stream's task has failed by itself, not while being closed: the error
   * follows.
   */
  THREW: 19,
  /** A task has taken values of a stream that it submitted: how many. */
  TAKEN: 20,
  /** A task wants no more values of a stream that it submitted. */
  LEFT: 21,
  /**
   * A task has begun, or a process has returned one that no other is free for: the owner must look
   * for workers and room.
   */
  BEGUN: 22,
  /**
   * The worker takes no more tasks, and waits for what its tasks have delegated to other workers.
   * RETIRED will follow.
   */
  FINISHING: 23,
  /** The signal of a task that a task of this worker submitted has aborted. */
  ABORT: 24,
} as const;

/**
 * What the owner says to a worker. The id of the mail is the worker's id of the submission in
 * question, unless noted.
 */
export const REPLY = {
  /** The value. */
  RESULT: 0,
  /** The error. */
  ERROR: 1,
  /** The task was cancelled. */
  CANCELLED: 2,
  /**
   * The worker, and all others of the pool, would block for ever: the text of the error. The id is
   * that of the BLOCK.
   */
  DEADLOCK: 3,
  /** A call of an object has returned: the value. */
  RETURNED: 4,
  /** A call of an object has thrown: the error, in a list of one. */
  THROWN: 5,
  /**
   * What a call has returned is taken back, and the call goes on: a later call, which blocks, gets
   * it instead.
   */
  RETRACTED: 6,
  /** The consumer of a stream wants more: how much credit. The id is the owner's. */
  WANTED: 7,
  /** The consumer of a stream wants no more; the id is the owner's. */
  STOPPED: 8,
  /** A stream that the worker has submitted has yielded: the value. */
  YIELDED: 9,
  /**
   * The function of a stream that the worker has submitted has failed by itself, or a value cannot
   * be read: the error.
   */
  THREW: 10,
  /** A call of an object has ended as CALL_ABORT asked. */
  ABORTED: 11,
  /** The task could not be cancelled: the number of the CANCEL. */
  DENIED: 12,
} as const;

/**
 * How a worker came to its end, and with what error: `[how, error]`; from a process also the tasks
 * that it had in hand.
 */
export type EndReport = readonly [how: string, error: unknown, tasks?: readonly number[]];

/** A call of an object that belongs to another process. */
export interface RemoteCall {
  /** The object's name; see `RemoteData`. */
  readonly object: string;
  readonly method: string;
  readonly args: readonly unknown[];
  /**
   * Milliseconds that the call may wait: `undefined` for a method that does not wait, -1 for no
   * limit.
   */
  readonly patienceMs: number | undefined;
  /** Whether the calling thread is blocked until the answer comes. */
  readonly isBlocking: boolean;
  /**
   * Whether the arguments cannot be sent, and are left out: the method is not called, and the
   * answer is what it would throw all the same.
   */
  readonly isRefused?: boolean;
  /** Ids of earlier calls whose promises were settled since the last one. */
  readonly settled?: readonly number[];
}

/** A list of this length does no harm, whatever is in it. */
const SHORT_LIST = 1024;

/**
 * Whether what a process has sent is a list whose length is that of what was sent: a list with few
 * items can have any length, which costs nothing to send and a loop over it for ever.
 */
export function isList(value: unknown): value is unknown[] {
  return Array.isArray(value) &&
    (value.length <= SHORT_LIST || Object.values(value).length >= value.length / 2);
}

/** A submission from inside a worker. */
export interface NestedTask {
  /** The pool's key; see `PoolHandle`. */
  readonly key: string;
  /** The pool's name, for error texts. */
  readonly pool: string;
  readonly target: Target;
  readonly args: readonly unknown[];
  readonly arity: number;
  /** For a stream: how many values may be ahead. */
  buffersize?: number;
  readonly timeout: number | null | undefined;
  readonly priority: number | undefined;
  /** Whether it has a signal: ABORT may follow. */
  readonly hasSignal: boolean;
  /** What the submitting task's context sends along with it. */
  readonly carrier: Carrier | undefined;
}

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
  /** Holds replies that are too large for a record. */
  readonly replyBlocks: SharedArrayBuffer;
  /** The thread that owns the pool. */
  readonly owner: string;
  /** The table of threads, and in it the ids of the owner and of the worker. */
  readonly threads: SharedArrayBuffer;
  readonly ownerThread: number;
  readonly thread: number;
  /** Carries values that shared memory cannot, both ways. */
  readonly port: MessagePort;
  /** The shared buffers that the pool's tasks have named so far. */
  readonly buffers: readonly BufferNews[];
  /** Function number of the initializer, -1 for none. */
  readonly initializer: number;
  readonly initargs: Encoded | undefined;
  /**
   * Whether the initializer's arguments hold shared objects, as {@linkcode SHARED_OBJECTS} says of
   * a task's.
   */
  readonly initargsShareObjects: boolean;
  readonly maxTasks: number;
  readonly idleTimeoutMs: number | undefined;
  /**
   * Added to the numbers of tasks to make their ids: the processes of a pool each count in a ring
   * of their own.
   */
  readonly firstTaskId: number;
  readonly origin: Origin;
  /**
   * Whether the worker is in a child process: its owner here is the host, which stands for the one
   * in another process.
   */
  readonly isHosted: boolean;
  /** Whether the worker exists for one task, whose result nobody wants. */
  readonly isAlone?: boolean;
  /** In a child process: the worker's access to the host, to share with threads that it starts. */
  readonly access: ParentAccess | undefined;
}
