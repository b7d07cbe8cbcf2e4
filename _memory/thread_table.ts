/**
 * The threads of a program that wait for each other, in one table of shared memory: any of them can wake any other, hand
 * it something, and see that it is no more.
 *
 *   head | place of thread 0 | place of thread 1 | ... | nodes
 *
 * Word ID of a place: who sits there.
 *
 *   FREE     -> CLAIMING   claim()         whoever needs a place, for itself or for a thread that it starts
 *   CLAIMING -> id         claim()         the same, having written the name
 *   id       -> -id        declareDead()   the thread is given up; it may run on, so its place is not given to another
 *   id, -id  -> FREE       leave()         the thread itself, as the last thing it does here; or who knows that it has ended
 *
 * An id is the number of its place plus 1024 times the generation of the place. A place that is taken anew has another
 * generation, so that an id in some lock never comes to mean another thread (but after 500,000 owners of one place).
 *
 * Word GRANTED of a place: a stack of nodes, linked by NEXT_GRANTED. Any thread pushes; the thread itself takes all.
 *
 * A node belongs to the thread that took its chunk. Chunks are given back by a thread that leaves; a thread that
 * was given up keeps its own.
 *
 * Invariants
 * 1. A thread is alive exactly while ID of its place holds its id. Whoever ends that adds to DEATHS and then wakes every
 *    sleeper, so that each looks once more at whom it waits for; so does a thread that leaves after it was given up, as it may
 *    have taken something in between.
 * 2. Name and flags are written before the id is stored, and stay until the place is claimed anew: a dead thread can be
 *    named. A name that is changed meanwhile may be read half-changed; it is for people to read.
 * 3. The tag of FREE_CHUNKS changes with the head, so that a compare-exchange does not take a chunk that went and came back
 *    for one that has been there all the time, and follow the chain as it was.
 *
 * The table's memory is reserved at once and used as far as it is touched.
 *
 * @module
 */

import { add, exchange, load, notify, replace, store } from "../_platform/atomics.ts";
import { createSharedMemory } from "../_platform/memory.ts";
import { randomWord } from "../_platform/random.ts";
import { NODE, THREAD, THREAD_TABLE, WORD_BYTES } from "./layout.ts";

/** Threads that a table can hold at once. */
const MAX_THREADS = 1024;
/** Nodes handed out together. */
const CHUNK_NODES = 16;
const CHUNK_WORDS = CHUNK_NODES * NODE.SIZE;
/** 262,144 waits at once, of all threads together. */
const MAX_CHUNKS = 1 << 14;

const PLACES = THREAD_TABLE.SIZE;
const NODES = PLACES + MAX_THREADS * THREAD.SIZE;
const WORDS = NODES + MAX_CHUNKS * CHUNK_WORDS;

/** Word of the head: id of the main thread, 0 where it has no place. Written once, by that thread. */
const MAIN = THREAD_TABLE.FREE_CHUNKS + 1;
/** Word of the head: how many threads were given a number for their names. */
const NUMBERED = MAIN + 1;
/** Word of a place: bits of {@linkcode FLAG}. */
const FLAGS = THREAD.GRANTED + 1;

/** What is known of a thread beside its name. */
export const FLAG = {
  /** It was started by a `Thread`. */
  STARTED: 1,
  /** It does not hold the program open. */
  DAEMON: 2,
  /** It takes in no more reports of the threads that it has started. */
  CLOSING: 4,
  /** It is the worker of a pool. */
  WORKER: 8,
} as const;

const FREE = 0;
const CLAIMING = 1;

/** Generations that an id can tell apart: ids fit in 29 bits. */
const GENERATIONS = (1 << 19) - 1;

/** Values of a place's BELL word. */
export const AWAKE = 0;
/** See {@linkcode AWAKE}. */
export const SLEEPING = 1;

const NAME_BYTES = (THREAD.SIZE - THREAD.NAME) * WORD_BYTES;

const CHUNK_MASK = (1 << 15) - 1;
const TAG_STEP = CHUNK_MASK + 1;

/** A table of threads, as one of them sees it. */
export class ThreadTable {
  readonly words: Int32Array;

  /** @param buffer The table's memory; left out, a new table is made. */
  constructor(buffer?: SharedArrayBuffer) {
    this.words = new Int32Array(buffer ?? createSharedMemory(WORDS * WORD_BYTES));
    if (buffer === undefined) {
      for (let at = THREAD_TABLE.IDENTITY; at < THREAD_TABLE.DEATHS; at++) {
        this.words[at] = randomWord();
      }
    }
  }

  /** The shared part, to be handed to other threads. */
  get buffer(): SharedArrayBuffer {
    return this.words.buffer as SharedArrayBuffer;
  }

  /** Tells this table from all others. */
  get identity(): string {
    return `${this.words[THREAD_TABLE.IDENTITY]},${this.words[THREAD_TABLE.IDENTITY + 1]}`;
  }

  // Places

  /**
   * Takes a place.
   *
   * @param name The thread's name, for error texts.
   * @param flags Bits of {@linkcode FLAG}.
   * @returns The thread's id.
   * @throws {RangeError} If all places are taken.
   */
  claim(name: string, flags = 0): number {
    const { words } = this;
    const first = load(words, THREAD_TABLE.NEXT);
    for (let i = 0; i < MAX_THREADS; i++) {
      const number = (first + i) % MAX_THREADS;
      const place = PLACES + number * THREAD.SIZE;
      if (!replace(words, place + THREAD.ID, FREE, CLAIMING)) continue;
      const generation = add(words, place + THREAD.GENERATION, 1) % GENERATIONS + 1;
      this.#writeName(place, name);
      words[place + THREAD.TOKEN] = 0;
      words[place + FLAGS] = flags;
      store(words, place + THREAD.BELL, AWAKE);
      store(words, place + THREAD.GRANTED, 0);
      store(words, THREAD_TABLE.NEXT, number + 1);
      for (;;) {
        const highest = load(words, THREAD_TABLE.HIGHEST);
        if (highest > number || replace(words, THREAD_TABLE.HIGHEST, highest, number + 1)) break;
      }
      const id = generation * MAX_THREADS + number;
      store(words, place + THREAD.ID, id);
      return id;
    }
    throw new RangeError(
      `Cannot add thread "${name}": ${MAX_THREADS} threads are there or were given up without ending`,
    );
  }

  /** Declares a thread dead that may run on. */
  declareDead(id: number): void {
    if (replace(this.words, this.placeOf(id) + THREAD.ID, id, -id)) this.#announceDeath();
  }

  /** Gives up a thread's place: it has ended, or touches no shared object any more. */
  leave(id: number): void {
    const place = this.placeOf(id);
    if (replace(this.words, place + THREAD.ID, id, FREE)) this.#announceDeath();
    // What it has taken since it was given up is held by a dead thread as well.
    else if (replace(this.words, place + THREAD.ID, -id, FREE)) this.#announceDeath();
  }

  /** True until the thread has ended or was given up. */
  isAlive(id: number): boolean {
    return load(this.words, this.placeOf(id) + THREAD.ID) === id;
  }

  /** How many threads have ended or were given up; changes with each. */
  get deaths(): number {
    return load(this.words, THREAD_TABLE.DEATHS);
  }

  /** A number that a thread has in all tables, from when it has taken its seat; 0 before. */
  tokenOf(id: number): number {
    return this.words[this.placeOf(id) + THREAD.TOKEN];
  }

  /** The id of the living thread with that token, 0 for none. */
  findByToken(token: number): number {
    for (let number = load(this.words, THREAD_TABLE.HIGHEST); number-- > 0;) {
      const id = load(this.words, PLACES + number * THREAD.SIZE + THREAD.ID);
      if (id > CLAIMING && this.tokenOf(id) === token) return id;
    }
    return 0;
  }

  /** The name of a thread, also of one that is no more, until its place is taken again. */
  nameOf(id: number): string {
    const { words } = this;
    const place = this.placeOf(id);
    const generation = Math.floor(id / MAX_THREADS);
    if ((load(words, place + THREAD.GENERATION) - 1) % GENERATIONS + 1 !== generation) {
      return "a thread of earlier";
    }
    const bytes = new Uint8Array(
      this.buffer,
      (place + THREAD.NAME) * WORD_BYTES,
      words[place + THREAD.NAME_LENGTH],
    );
    // A decoder takes no shared memory.
    return new TextDecoder().decode(bytes.slice());
  }

  /** Changes the name of a thread that is alive. */
  rename(id: number, name: string): void {
    if (this.isAlive(id)) this.#writeName(this.placeOf(id), name);
  }

  /** Bits of {@linkcode FLAG} of a thread that is alive. */
  flagsOf(id: number): number {
    return load(this.words, this.placeOf(id) + FLAGS);
  }

  /** Sets {@linkcode FLAG.CLOSING} for the calling thread. */
  setClosing(id: number): void {
    store(this.words, this.placeOf(id) + FLAGS, this.flagsOf(id) | FLAG.CLOSING);
  }

  /** The ids of all threads that are alive. */
  ids(): number[] {
    const ids: number[] = [];
    const count = load(this.words, THREAD_TABLE.HIGHEST);
    for (let number = 0; number < count; number++) {
      const id = load(this.words, PLACES + number * THREAD.SIZE + THREAD.ID);
      if (id > CLAIMING) ids.push(id);
    }
    return ids;
  }

  /** The id of the main thread, 0 where it has no place here. */
  get main(): number {
    return this.words[MAIN];
  }

  /** Says that the calling thread, which has that id, is the main thread. */
  setMain(id: number): void {
    this.words[MAIN] = id;
  }

  /** A number for a thread's name, from 1 up, given once a table. */
  nextNumber(): number {
    return add(this.words, NUMBERED, 1) + 1;
  }

  /** Index of the first word of a thread's place. */
  placeOf(id: number): number {
    return PLACES + (id % MAX_THREADS) * THREAD.SIZE;
  }

  #writeName(place: number, name: string): void {
    // `encodeInto` takes no shared memory, and ends between two characters.
    const bytes = new Uint8Array(NAME_BYTES);
    const { written } = new TextEncoder().encodeInto(name, bytes);
    new Uint8Array(this.buffer, (place + THREAD.NAME) * WORD_BYTES, NAME_BYTES).set(bytes);
    this.words[place + THREAD.NAME_LENGTH] = written;
  }

  /** Invariant 1. */
  #announceDeath(): void {
    add(this.words, THREAD_TABLE.DEATHS, 1);
    for (let number = load(this.words, THREAD_TABLE.HIGHEST); number-- > 0;) {
      ring(this.words, PLACES + number * THREAD.SIZE + THREAD.BELL);
    }
  }

  // Waking

  /** Wakes a thread if it sleeps. Call after publishing what it is to find. */
  ring(id: number): void {
    ring(this.words, this.placeOf(id) + THREAD.BELL);
  }

  /** Lays a node before its thread, which finds it when it is woken next. */
  pushGranted(node: number): void {
    const { words } = this;
    const head = this.placeOf(words[node + NODE.THREAD]) + THREAD.GRANTED;
    let first: number;
    do {
      first = load(words, head);
      words[node + NODE.NEXT_GRANTED] = first;
    } while (!replace(words, head, first, node));
  }

  /** True when something lies before the thread. */
  hasGranted(id: number): boolean {
    return load(this.words, this.placeOf(id) + THREAD.GRANTED) !== 0;
  }

  /** Takes all nodes that lie before the thread: the one granted last, chained to those before. 0 for none. */
  takeGranted(id: number): number {
    return exchange(this.words, this.placeOf(id) + THREAD.GRANTED, 0);
  }

  // Nodes

  /**
   * Takes a chunk of nodes.
   *
   * @returns The index of the first word of each.
   * @throws {RangeError} If there are none left.
   */
  takeChunk(): number[] {
    const chunk = this.#popChunk() ?? add(this.words, THREAD_TABLE.CHUNKS, 1);
    if (chunk >= MAX_CHUNKS) {
      add(this.words, THREAD_TABLE.CHUNKS, -1);
      throw new RangeError(
        `Cannot wait: ${
          MAX_CHUNKS * CHUNK_NODES
        } waits are pending already; let some of them end first`,
      );
    }
    const first = NODES + chunk * CHUNK_WORDS;
    return Array.from({ length: CHUNK_NODES }, (_, i) => first + i * NODE.SIZE);
  }

  /** Gives back the chunk that a node is in; none of its nodes may be in use. */
  giveChunk(node: number): void {
    const { words } = this;
    const chunk = Math.floor((node - NODES) / CHUNK_WORDS);
    let head: number;
    do {
      head = load(words, THREAD_TABLE.FREE_CHUNKS);
      words[NODES + chunk * CHUNK_WORDS + NODE.NEXT] = head & CHUNK_MASK;
    } while (!replace(words, THREAD_TABLE.FREE_CHUNKS, head, nextTag(head) | (chunk + 1)));
  }

  #popChunk(): number | undefined {
    const { words } = this;
    for (;;) {
      const head = load(words, THREAD_TABLE.FREE_CHUNKS);
      const chunk = (head & CHUNK_MASK) - 1;
      if (chunk < 0) return undefined;
      const next = load(words, NODES + chunk * CHUNK_WORDS + NODE.NEXT) & CHUNK_MASK;
      if (replace(words, THREAD_TABLE.FREE_CHUNKS, head, nextTag(head) | next)) return chunk;
    }
  }
}

function nextTag(head: number): number {
  return ((head & ~CHUNK_MASK) + TAG_STEP) | 0;
}

/** Wakes whoever sleeps by a BELL word. */
export function ring(words: Int32Array, bell: number): void {
  if (load(words, bell) === SLEEPING && replace(words, bell, SLEEPING, AWAKE)) notify(words, bell);
}
