/**
 * Every record and message between a pool and its workers.
 *
 * A task's slot (see `_memory/task_ring.ts`): task index, function index (see `_catalog.ts`), form, payload.
 * What goes back is mail (see `_mailbox.ts`): kind, task index, value; and so is what the owner answers.
 *
 * @module
 */

import type { Encoded } from "../_memory/message.ts";
import type { BufferNews } from "./_shared_buffers.ts";
import type { Origin } from "./_origin.ts";
import type { Target } from "./_target.ts";

/** Where a payload lies: the low two bits of a form, and of a record's first word. */
export const PLACE = {
  /** In the slot or record. */
  INLINE: 0,
  /** In a block of the sender's arena; three words: byte offset, byte offset of its externs, length in bytes. */
  BLOCK: 1,
  /** In a message of its own: too large for the arena, or not to be encoded. */
  MESSAGE: 2,
  /** In a block that refers to shared buffers; instead of the length: how many, and their numbers. Tasks only. */
  SHARED: 3,
  MASK: 3,
} as const;

/** Words of a payload that lies in a block. SHARED has a count in place of the length, and then the buffers' numbers. */
export const BLOCK = { OFFSET: 0, EXTERNS: 1, LENGTH: 2, COUNT: 2, BUFFERS: 3, SIZE: 3 } as const;

/** Whether the payload of a task of that form lies in a block of the arena. */
export function hasBlock(form: number): boolean {
  const place = form & PLACE.MASK;
  return place === PLACE.BLOCK || place === PLACE.SHARED;
}

/** Bit of a form: the payload is a list of argument lists, to be run one after the other. */
export const CHUNK = 4;

/** Bit of a form: the payload holds shared objects, so their classes must be loaded before it is read. */
export const SHARED_OBJECTS = 8;

/**
 * Bit of a form: what the function returns is iterated in the worker. Before its arguments there are the stream's id and how many
 * values may be ahead; see `_stream_pool.ts`.
 */
export const STREAM = 16;

/** Bit of a form: the worker says by RAN when the task began and ended. */
export const TIMED = 32;

/** Bit of a form that is TIMED as well: behind the arguments there is a {@linkcode Carrier}. */
export const CARRIES = 64;

/** In a form, shifted by this: how many arguments each call of a chunk gets. Eight bits. */
const ARITY_SHIFT = 8;
const ARITY_MASK = 0xff;

/** In a form, shifted by this: how many words of the slot the payload has, for those who pass it on undecoded. Ten bits. */
export const WORDS_SHIFT = 16;
const WORDS_MASK = 0x3ff;

/** In a form, shifted by this: of how many calls a chunk is, as the logarithm to base 2, rounded up. Five bits. */
const CALLS_SHIFT = 26;
const CALLS_MASK = 0x1f;

/** The form of a chunk of so many calls, with `arity` arguments each. */
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

/** Of how many calls a task is, as the logarithm to base 2, rounded up: 0 of one that is no chunk. */
export function logOfCalls(form: number): number {
  return (form >> CALLS_SHIFT) & CALLS_MASK;
}

/** What stands for the number in the ring with a task that came by the wire, by its number there. */
export function numberOfWired(number: number): number {
  return 2 ** 31 + (number & 0x7fffffff);
}

/** What goes with a task from the context in which it was submitted, as headers do with a request. */
export type Carrier = Readonly<Record<string, string>>;

/** When a task ran by the worker's clock (see `epochMs`), and its id as its context knows it. */
export type RanReport = readonly [startMs: number, endMs: number, id: number];

/** Words of a piece of mail before its payload: kind and place, id. */
export const HEADER_WORDS = 2;

/** The largest payload in one. */
export const MAIL_PAYLOAD_WORDS = 512;

/** In its first word, the kind stands above the two bits of the place. */
export const KIND_SHIFT = 2;

/** What a worker says, with the index of the task in question. */
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
  /** The thread is about to end by itself, or the process has ended: an {@linkcode EndReport}. */
  ENDED: 5,
  /** The worker has stopped in good order and holds nothing. */
  RETIRED: 6,
  /** A task submits to a pool of the owner's: a {@linkcode NestedTask}; the id is the worker's own. */
  SUBMIT: 7,
  /**
   * The worker blocks until futures are done that it has submitted: their ids. Empty: it goes on. The id counts the worker's
   * words of this kind.
   */
  BLOCK: 8,
  /** The worker wants a task cancelled that it has submitted: a number for the answer. It blocks until it is told. */
  CANCEL: 9,
  /** In another process: a call of an object of the owner's: a {@linkcode RemoteCall}; the id is the worker's own. */
  CALL: 10,
  /** The call with that id is to be ended: its signal has aborted. */
  CALL_ABORT: 11,
  /** The worker has no more use for an object of the owner's: its name. */
  RELEASE: 12,
  /** The process has been started: its pid. */
  STARTED: 13,
  /** In another process: the initializer has run. */
  READY: 14,
  /** A task that is timed has ended; its outcome is the next thing that is said of it: a {@linkcode RanReport}. */
  RAN: 15,
  /** A stream's task begins. */
  STREAM_STARTED: 16,
  /** The function of a stream's task has yielded: the value. */
  YIELDED: 17,
  /** The value yielded last is a large one: how much more credit it takes than others. */
  YIELDED_LARGE: 18,
  /** The function of a stream's task has failed by itself, and not in being closed: the error follows. */
  THREW: 19,
  /** A task has taken values of a stream that it has submitted: how many. */
  TAKEN: 20,
  /** A task wants no more of a stream that it has submitted. */
  LEFT: 21,
  /** A task has begun, or one was returned that no process is free for: the owner is to look for workers and room. */
  BEGUN: 22,
  /** The worker takes no more tasks, and sees through what its tasks have others do. It will be RETIRED. */
  FINISHING: 23,
  /** The signal of a task has aborted that a task has submitted. */
  ABORT: 24,
} as const;

/** What the owner says to a worker, with the worker's id of the submission in question, where nothing else is said. */
export const REPLY = {
  /** The value. */
  RESULT: 0,
  /** The error. */
  ERROR: 1,
  /** The task was cancelled. */
  CANCELLED: 2,
  /** The worker, and all others of the pool, would block for ever: the text of the error. The id is that of the BLOCK. */
  DEADLOCK: 3,
  /** A call of an object has returned: what. */
  RETURNED: 4,
  /** A call of an object has thrown: what, in a list of one. */
  THROWN: 5,
  /** What a call has returned is taken back, and the call goes on: a later one, which blocks, has got it instead. */
  RETRACTED: 6,
  /** The consumer of a stream wants so much more; the id is the owner's. */
  WANTED: 7,
  /** The consumer of a stream wants no more; the id is the owner's. */
  STOPPED: 8,
  /** A stream that the worker has submitted has yielded: the value. */
  YIELDED: 9,
  /** The function of such a stream has failed by itself, or a value cannot be read: the error. */
  THREW: 10,
  /** A call of an object has ended as CALL_ABORT asked. */
  ABORTED: 11,
  /** The task could not be cancelled: the number of the CANCEL. */
  DENIED: 12,
} as const;

/** How a worker came to its end, and what it did: `[how, error]`; of a process also the tasks that it had. */
export type EndReport = readonly [how: string, error: unknown, tasks?: readonly number[]];

/** A call of an object that belongs to another process. */
export interface RemoteCall {
  /** The object's name; see `RemoteData`. */
  readonly object: string;
  readonly method: string;
  readonly args: readonly unknown[];
  /** Milliseconds that it may wait; `undefined` where the method does not wait, -1 for ever. */
  readonly patienceMs: number | undefined;
  /** Whether the thread that calls is blocked until the answer comes. */
  readonly isBlocking: boolean;
  /** Ids of earlier calls whose promises were settled since the last one. */
  readonly settled?: readonly number[];
}

/** A submission from inside a worker. */
export interface NestedTask {
  /** The pool's name. */
  readonly pool: string;
  readonly target: Target;
  readonly args: readonly unknown[];
  readonly arity: number;
  /** Of a stream: how many values may be ahead. */
  buffersize?: number;
  readonly timeout: number | null | undefined;
  readonly priority: number | undefined;
  /** Whether it has a signal: ABORT may follow. */
  readonly hasSignal: boolean;
  /** What goes with it from the context of the task that submits it. */
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
  /** Where replies lie that are too large for a record. */
  readonly replyBlocks: SharedArrayBuffer;
  /** The thread that owns the pool. */
  readonly owner: string;
  /** The table of threads, and in it the ids of the owner and of the worker. */
  readonly threads: SharedArrayBuffer;
  readonly ownerThread: number;
  readonly thread: number;
  /** For values that shared memory cannot carry, both ways. */
  readonly port: MessagePort;
  /** The shared buffers that the pool's tasks have named so far. */
  readonly buffers: readonly BufferNews[];
  /** The name that the worker holds as a sign of life. */
  readonly life: string;
  /** Index of the initializer in the catalog, -1 for none. */
  readonly initializer: number;
  readonly initargs: Encoded | undefined;
  /** Whether they hold shared objects, as {@linkcode SHARED_OBJECTS} says of a task's. */
  readonly initargsShareObjects: boolean;
  readonly maxTasks: number;
  readonly idleTimeoutMs: number | undefined;
  /** Added to the numbers of tasks, which several rings of a pool count each for itself. */
  readonly firstTaskId: number;
  readonly origin: Origin;
  /** Whether the owner only stands for one in another process. */
  readonly isHosted: boolean;
  /** Whether it is there for one task, whose result nobody wants. */
  readonly isAlone?: boolean;
}
