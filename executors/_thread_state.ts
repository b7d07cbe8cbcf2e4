/**
 * What a thread shares with its starter and its host, and what it is told at its start.
 *
 * Three threads take part:
 *
 *   starter   called `start`; holds the Thread object, and hears of a failure
 *   host      started the worker, watches its sign of life, holds the program open for it: the
 *             starter itself, or, if a Thread started the starter, the starter's own host; so a
 *             thread does not end with the one that started it
 *   thread    runs the target, in a worker
 *
 * Word IS_RUNNING: 1 from the moment at which the target is called. Written by the thread.
 * Word HAS_ENDED: 1 once the thread does nothing more. Written by the thread, right before it
 * leaves the table of threads; or by the host that found it gone.
 * Word IS_ALIVE: 1 once the thread holds its sign of life.
 * Word FAILURES: how many messages were sent to the starter. Word REQUESTS: how many were sent to
 * the host. Written by the thread, after the message.
 * Word IS_TOLD: 1 once a thread has claimed the duty to call the hook for the thread's failure.
 *
 * Invariants
 * 1. HAS_ENDED is stored before the thread leaves the table, and the messages are sent before
 *    HAS_ENDED is stored. So a thread that sees that this one has left finds all its messages.
 * 2. A starter that is itself started by a Thread marks itself as CLOSING in the table before it
 *    takes in failures for the last time; a failing thread looks at that mark after it has added to
 *    FAILURES. One of the two sees the other, and IS_TOLD decides if both do: a failure is reported
 *    once, by the starter or else by the host.
 *
 * @module
 */

import { add, load, replace, store } from "../_platform/atomics.ts";
import { createSharedMemory } from "../_platform/memory.ts";
import { WORD_BYTES } from "../_memory/layout.ts";
import type { Encoded } from "../_memory/message.ts";
import type { Origin, ParentAccess } from "./_origin.ts";
import type { Target } from "./_target.ts";

const IS_RUNNING = 0;
const HAS_ENDED = 1;
const IS_ALIVE = 2;
const FAILURES = 3;
const REQUESTS = 4;
const IS_TOLD = 5;
const WORDS = 6;

/** A thread's words, from all sides. */
export class ThreadState {
  readonly #words: Int32Array;

  /** @param buffer The words; by default, new ones are made. */
  constructor(buffer: SharedArrayBuffer = createSharedMemory(WORDS * WORD_BYTES)) {
    this.#words = new Int32Array(buffer);
  }

  /** The shared memory of the words. */
  get buffer(): SharedArrayBuffer {
    return this.#words.buffer as SharedArrayBuffer;
  }

  /** True from the moment at which the target is called. */
  get isRunning(): boolean {
    return load(this.#words, IS_RUNNING) === 1;
  }

  /** Says that the target is called now. */
  setRunning(): void {
    store(this.#words, IS_RUNNING, 1);
  }

  /** True once the thread does nothing more. */
  get hasEnded(): boolean {
    return load(this.#words, HAS_ENDED) === 1;
  }

  /** Says that the thread does nothing more. */
  setEnded(): void {
    store(this.#words, HAS_ENDED, 1);
  }

  /** True once the thread holds its sign of life. */
  get isAlive(): boolean {
    return load(this.#words, IS_ALIVE) === 1;
  }

  /** Says that the thread holds its sign of life. */
  setAlive(): void {
    store(this.#words, IS_ALIVE, 1);
  }

  /** How many failures have been sent to the starter. */
  get failures(): number {
    return load(this.#words, FAILURES);
  }

  /** Counts a failure that was sent to the starter. */
  addFailure(): void {
    add(this.#words, FAILURES, 1);
  }

  /** How many messages have been sent to the host. */
  get requests(): number {
    return load(this.#words, REQUESTS);
  }

  /** Counts a message that was sent to the host. */
  addRequest(): void {
    add(this.#words, REQUESTS, 1);
  }

  /** Claims the duty to call the hook for the thread's failure; true for one caller only. */
  claimFailure(): boolean {
    return replace(this.#words, IS_TOLD, 0, 1);
  }
}

/**
 * What a thread does, apart from the values, which are sent separately: see
 * {@linkcode ThreadStart.port}.
 */
export type Work =
  /** Calls a function; the values are its arguments. */
  | { readonly kind: "call"; readonly target: Target | undefined }
  /**
   * Calls a function after a while, unless an event is set first; the values are the event, then
   * the arguments.
   */
  | { readonly kind: "timer"; readonly target: Target; readonly intervalMs: number }
  /**
   * Calls `run` on an object of an exported class; the values are the object's fields, then the
   * target's arguments.
   */
  | {
    readonly kind: "object";
    readonly url: string;
    readonly name: string;
    readonly target: Target | undefined;
  };

/** What a thread is told. */
export interface ThreadStart {
  readonly name: string;
  readonly daemon: boolean;
  /** The table of threads, and in it the ids of the thread and of its starter. */
  readonly threads: SharedArrayBuffer;
  readonly thread: number;
  readonly starter: number;
  /** The words of a {@linkcode ThreadState}. */
  readonly state: SharedArrayBuffer;
  /** Where the thread comes from. */
  readonly origin: Origin;
  readonly work: Work;
  /**
   * Set when there are shared objects among the values, whose classes must be loaded first: the
   * modules of the classes that must not be imported by name.
   */
  readonly classes: readonly string[] | undefined;
  /**
   * The thread's end of a channel to the starter. It holds one message, the values; failures go
   * back through it.
   */
  readonly port: MessagePort;
}

/** A {@linkcode ThreadStart} as the host sends it. */
export interface HostedStart extends ThreadStart {
  readonly host: number;
  /** The thread's end of a channel to the host, for its {@linkcode HostRequest}s. */
  readonly hostPort: MessagePort;
  /** See `StartMessage`. */
  readonly access: ParentAccess | undefined;
}

/**
 * What a thread asks of its host: to start another thread, or to report its failure in place of a
 * starter that has ended.
 */
export type HostRequest =
  | { readonly kind: "start"; readonly start: ThreadStart }
  | { readonly kind: "failed"; readonly failure: Failure };

/**
 * An error that a thread ended with, encoded; and whether that was before its target was called.
 */
export interface Failure {
  readonly error: Encoded;
  readonly isEarly: boolean;
}
