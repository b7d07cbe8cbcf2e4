/**
 * The brokers of one child process: one for its worker, and one for each other thread of it that
 * uses the parent's objects.
 *
 * @module
 */

import { Decoder } from "../_memory/decoder.ts";
import { Deputy } from "../_memory/seat.ts";
import { FLAG, ThreadTable } from "../_memory/thread_table.ts";
import { Broker } from "./_broker.ts";
import { decodePayload, type Payload } from "./_payload.ts";
import { KIND, type RemoteCall, REPLY } from "./_protocol.ts";
import { RuntimeError } from "../sync/errors.ts";

/** The line of the child's worker. */
const WORKER = 0;

/** The most lines that may have brokers: each takes one of the places that all threads share. */
const MOST_LINES = 256;

/** Sends a thread of the child the outcome of a call. */
export type SendAnswer = (line: number, kind: number, id: number, value: unknown) => void;

/**
 * All brokers of one child. What is said of a line that is not open, or open already, throws a
 * RangeError.
 */
export class ChildBrokers {
  /** The deputy of the child's worker. */
  readonly deputy: Deputy;
  readonly #name: string;
  readonly #threads: SharedArrayBuffer;
  readonly #answer: SendAnswer;
  readonly #decoder = new Decoder();
  /** By the lines of their threads. */
  readonly #brokers = new Map<number, Broker>();
  /** The names of the threads that have opened lines. */
  readonly #names = new Map<number, string>();

  /**
   * @param name The child's name, with which the names of its threads begin here.
   * @param threads The table of threads.
   * @param id The id in it that is claimed for the child's worker.
   */
  constructor(name: string, threads: SharedArrayBuffer, id: number, answer: SendAnswer) {
    this.#name = name;
    this.#threads = threads;
    this.#answer = answer;
    this.deputy = new Deputy(name, threads, id);
    this.#add(WORKER, this.deputy);
  }

  #add(line: number, deputy: Deputy): Broker {
    const broker = new Broker(
      deputy,
      (payload) => decodePayload(this.#decoder, payload) as RemoteCall,
      (kind, id, value) => this.#answer(line, kind, id, value),
    );
    this.#brokers.set(line, broker);
    return broker;
  }

  /** Takes in what a thread says of the parent's objects: a CALL, CALL_ABORT or RELEASE. */
  receive(line: number, kind: number, id: number, payload: Payload): void {
    if (kind === KIND.CALL) this.#call(line, id, payload);
    else if (kind === KIND.CALL_ABORT) this.#brokers.get(line)?.abort(id);
    else this.#brokers.get(line)?.release(decodePayload(this.#decoder, payload) as string);
  }

  #call(line: number, id: number, payload: Payload): void {
    let broker = this.#brokers.get(line);
    const name = this.#names.get(line);
    if (broker === undefined && name === undefined) throw notOpen(line);
    try {
      broker ??= this.#add(line, this.#deputize(name!));
    } catch (error) {
      this.#answer(line, REPLY.THROWN, id, [error]);
      return;
    }
    broker.call(id, payload);
  }

  /** Takes a seat for another thread of the child. */
  #deputize(thread: string): Deputy {
    if (this.#brokers.size > MOST_LINES) {
      throw new RuntimeError(
        `Cannot use object of another process: ${MOST_LINES} threads of this one do so already; let one of them end first`,
      );
    }
    const name = `${this.#name}/${thread}`;
    const id = new ThreadTable(this.#threads).claim(name, FLAG.WORKER);
    return new Deputy(name, this.#threads, id);
  }

  /** Takes in that a thread has opened a line: its name. */
  lineOpened(line: number, payload: Payload): void {
    const name = decodePayload(this.#decoder, payload);
    if (line === WORKER || this.#names.has(line) || typeof name !== "string") {
      throw new RangeError(`Cannot open line ${line}: it is open, or the name is no text`);
    }
    this.#names.set(line, name);
  }

  /** Takes in that the thread of a line has ended. */
  lineEnded(line: number): void {
    if (!this.#names.delete(line)) throw notOpen(line);
    this.#brokers.get(line)?.end();
    this.#brokers.delete(line);
  }

  /** Takes in that the child has ended. */
  end(): void {
    for (const broker of this.#brokers.values()) broker.end();
  }
}

function notOpen(line: number): RangeError {
  return new RangeError(`Cannot find line ${line}: no thread has opened it`);
}
