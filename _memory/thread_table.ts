/**
 * The threads of a program that wait for each other, in one table of shared memory: any of them can
 * wake any other, hand it something, and see that it has ended.
 *
 *   head | place of thread 0 | place of thread 1 | ... | nodes
 *
 * Word ID of a place: which thread sits there.
 *
 *   FREE     -> CLAIMING   claim()         a thread that needs a place, for itself or one that it starts
 *   CLAIMING -> id         claim()         the same thread, having written the name
 *   id       -> -id        declareDead()   the thread is given up; it may run on, so its place stays taken
 *   id, -id  -> FREE       leave()         the thread itself, as its last act here; or one that knows
 *                                          that it has ended
 *
 * An id is the number of its place plus 1024 times the generation of the place. A place that is
 * taken anew has another generation, so that an id stored in a lock does not come to mean another
 * thread (until one place has had more than 500,000 owners).
 *
 * Word GRANTED of a place: a stack of nodes, linked by NEXT_GRANTED. Any thread pushes; the thread
 * that sits there takes all at once.
 *
 * A node belongs to the thread that took its chunk. Chunks are given back by a thread that leaves,
 * or has many that it does not use; a thread that was given up keeps its own.
 *
 * Invariants
 * 1. A thread is alive exactly while ID of its place holds its id. The thread that removes the id
 *    adds to DEATHS and then wakes every sleeper, so that each looks again at the threads that it
 *    waits for. The same is done when a thread leaves after it was given up, because it may have
 *    taken something in between, by whoever finds that a dead thread has got something since, and
 *    by whoever has stopped the thread, which may not have come to the end of this.
 * 2. Name, flags and HOST are written before the id is stored, and stay until the place is claimed
 *    anew: a dead thread can be named. A name that is being changed may be read half-changed; only
 *    people read it.
 * 3. The tag of FREE_CHUNKS changes whenever its head does. So if the first chunk was taken and
 *    given back between a thread's load and its compare-exchange, that compare-exchange fails,
 *    instead of installing an outdated rest of the chain.
 * 4. Threads are declared dead with their host, as the runtime ends them with it. Who removes the
 *    host's id looks afterwards for threads that have this HOST; who stores the id of such a thread
 *    looks afterwards whether the host is alive. One of the two sees the other. A thread that
 *    computes may outlive its host, so its place stays taken until its sign of life has gone out.
 *
 * The table's address space is reserved at once; memory is used only where it is touched.
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
export const CHUNK_NODES = 16;
const CHUNK_WORDS = CHUNK_NODES * NODE.SIZE;
/** 262,144 waits at once, of all threads together. */
const MAX_CHUNKS = 1 << 14;

const PLACES = THREAD_TABLE.SIZE;
const NODES = PLACES + MAX_THREADS * THREAD.SIZE;
const WORDS = NODES + MAX_CHUNKS * CHUNK_WORDS;

/** What is known of a thread besides its name. */
export const FLAG = {
  /** It was started by a `Thread`. */
  STARTED: 1,
  /** It does not hold the program open. */
  DAEMON: 2,
  /** It no longer takes in reports of the threads that it has started. */
  CLOSING: 4,
  /** It is the worker of a pool. */
  WORKER: 8,
  /** It holds its sign of life. */
  HOLDS_LIFE: 16,
} as const;

const FREE = 0;
const CLAIMING = 1;

const OUTSIDE = 0;
const INSIDE = 1;

/** Generations that an id can tell apart; an id fits in 29 bits. */
const GENERATIONS = (1 << 19) - 1;

/** Value of a place's BELL word: its thread is awake, and need not be notified. */
export const AWAKE = 0;
/** Value of a place's BELL word: its thread sleeps, or is about to. */
export const SLEEPING = 1;

const NAME_BYTES = (THREAD.SIZE - THREAD.NAME) * WORD_BYTES;

const CHUNK_MASK = (1 << 15) - 1;
const TAG_STEP = CHUNK_MASK + 1;

/** A table of threads, as one of them sees it. */
export class ThreadTable {
  readonly words: Int32Array;

  /** @param buffer The table's memory; a new table is made when this is left out. */
  constructor(buffer?: SharedArrayBuffer) {
    this.words = new Int32Array(buffer ?? createSharedMemory(WORDS * WORD_BYTES));
    if (buffer === undefined) {
      for (let at = THREAD_TABLE.IDENTITY; at < THREAD_TABLE.DEATHS; at++) {
        this.words[at] = randomWord();
      }
    }
  }

  /** The shared part, which can be sent to other threads. */
  get buffer(): SharedArrayBuffer {
    return this.words.buffer as SharedArrayBuffer;
  }

  /** Identifies this table among all tables. */
  get identity(): string {
    return `${this.words[THREAD_TABLE.IDENTITY]},${this.words[THREAD_TABLE.IDENTITY + 1]}`;
  }

  // Places

  /**
   * Takes a place.
   *
   * @param name The thread's name, for error texts.
   * @param flags Bits of {@linkcode FLAG}.
   * @param host Id of the thread that starts it, and that it ends with; 0 for none. If that one is
   * dead, so is the new thread (Invariant 4).
   * @returns The thread's id.
   * @throws {RangeError} If all places are taken.
   */
  claim(name: string, flags = 0, host = 0): number {
    const { words } = this;
    const first = load(words, THREAD_TABLE.NEXT);
    for (let i = 0; i < MAX_THREADS; i++) {
      const number = (first + i) % MAX_THREADS;
      const place = PLACES + number * THREAD.SIZE;
      if (!replace(words, place + THREAD.ID, FREE, CLAIMING)) continue;
      const generation = add(words, place + THREAD.GENERATION, 1) % GENERATIONS + 1;
      this.#writeName(place, name);
      words[place + THREAD.TOKEN] = 0;
      words[place + THREAD.FLAGS] = flags;
      words[place + THREAD.HOST] = host;
      store(words, place + THREAD.INSIDE, OUTSIDE);
      store(words, place + THREAD.BELL, AWAKE);
      store(words, place + THREAD.GRANTED, 0);
      store(words, THREAD_TABLE.NEXT, number + 1);
      for (;;) {
        const highest = load(words, THREAD_TABLE.HIGHEST);
        if (highest > number || replace(words, THREAD_TABLE.HIGHEST, highest, number + 1)) break;
      }
      const id = generation * MAX_THREADS + number;
      store(words, place + THREAD.ID, id);
      if (host !== 0 && !this.isAlive(host)) this.declareDead(id);
      return id;
    }
    throw new RangeError(
      `Cannot add thread "${name}": ${MAX_THREADS} threads are there or were given up without ending`,
    );
  }

  /** Declares dead a thread that may run on, and those that it is the host of. */
  declareDead(id: number): void {
    if (replace(this.words, this.placeOf(id) + THREAD.ID, id, -id)) this.announceDeath(id);
  }

  /** Frees a thread's place: the thread has ended, or no longer touches any shared object. */
  leave(id: number): void {
    const place = this.placeOf(id);
    if (replace(this.words, place + THREAD.ID, id, FREE)) this.announceDeath(id);
    // Whatever it has taken since it was given up is held by a dead thread too.
    else if (replace(this.words, place + THREAD.ID, -id, FREE)) this.announceDeath(id);
  }

  /**
   * Counts a death and wakes all sleepers (Invariant 1), having declared dead the threads that end
   * with that one (Invariant 4).
   */
  announceDeath(id: number): void {
    for (const other of this.ids()) {
      if (this.words[this.placeOf(other) + THREAD.HOST] === id) this.declareDead(other);
    }
    add(this.words, THREAD_TABLE.DEATHS, 1);
    for (let number = load(this.words, THREAD_TABLE.HIGHEST); number-- > 0;) {
      ring(this.words, PLACES + number * THREAD.SIZE + THREAD.BELL);
    }
  }

  /**
   * Announces the death of a thread that was stopped. It may have been stopped in the midst of its
   * own announcement, or before it rang for what it had granted: between the two steps of a ring,
   * too, so that a bell which says AWAKE is rung as well.
   */
  announceStopped(id: number): void {
    this.announceDeath(id);
    for (let number = load(this.words, THREAD_TABLE.HIGHEST); number-- > 0;) {
      notify(this.words, PLACES + number * THREAD.SIZE + THREAD.BELL);
    }
  }

  /** Records whether the calling thread, which has that id, is inside latches. */
  setInside(id: number, isInside: boolean): void {
    store(this.words, this.placeOf(id) + THREAD.INSIDE, isInside ? INSIDE : OUTSIDE);
  }

  /**
   * Whether a thread that was declared dead, or one that it is the host of, is inside latches; see
   * `inside.ts`.
   */
  isInside(id: number): boolean {
    const place = this.placeOf(id);
    if (load(this.words, place + THREAD.ID) !== -id) return false; // It has left.
    return load(this.words, place + THREAD.INSIDE) === INSIDE ||
      this.#deadOf(id).some((other) => this.isInside(other));
  }

  /** True until the thread ends or is given up. */
  isAlive(id: number): boolean {
    return load(this.words, this.placeOf(id) + THREAD.ID) === id;
  }

  /** How many threads have ended or were given up; changes with each of them. */
  get deaths(): number {
    return load(this.words, THREAD_TABLE.DEATHS);
  }

  /**
   * The number that identifies a thread in all tables, once it has taken its seat; 0 before, and
   * when its place is taken again.
   */
  tokenOf(id: number): number {
    return this.#isLastIn(id) ? this.words[this.placeOf(id) + THREAD.TOKEN] : 0;
  }

  /** The id of the living thread with that token, 0 for none. */
  findByToken(token: number): number {
    for (let number = load(this.words, THREAD_TABLE.HIGHEST); number-- > 0;) {
      const id = load(this.words, PLACES + number * THREAD.SIZE + THREAD.ID);
      if (id > CLAIMING && this.tokenOf(id) === token) return id;
    }
    return 0;
  }

  /** The name of a thread, even of one that has ended, until its place is taken again. */
  nameOf(id: number): string {
    const { words } = this;
    const place = this.placeOf(id);
    if (!this.#isLastIn(id)) return "a thread of earlier";
    const bytes = new Uint8Array(
      this.buffer,
      (place + THREAD.NAME) * WORD_BYTES,
      words[place + THREAD.NAME_LENGTH],
    );
    // TextDecoder takes no shared memory in browsers.
    return new TextDecoder().decode(bytes.slice());
  }

  /** Changes the name of a thread that is alive. */
  rename(id: number, name: string): void {
    if (this.isAlive(id)) this.#writeName(this.placeOf(id), name);
  }

  /** Bits of {@linkcode FLAG} of a thread that is alive. */
  flagsOf(id: number): number {
    return load(this.words, this.placeOf(id) + THREAD.FLAGS);
  }

  /** Sets a bit of {@linkcode FLAG} for the calling thread, if it is alive. */
  setFlag(id: number, flag: number): void {
    if (this.isAlive(id)) {
      store(this.words, this.placeOf(id) + THREAD.FLAGS, this.flagsOf(id) | flag);
    }
  }

  /** The name that a thread holds as its sign of life. */
  lifeOf(id: number): string {
    return `${this.identity}.${id}`;
  }

  /**
   * The ids of the threads that were declared dead and have that host (Invariant 4), as far as they
   * have held their signs of life: of the others nothing would show that they are gone.
   */
  deadOf(host: number): number[] {
    return this.#deadOf(host).filter((id) => (this.flagsOf(id) & FLAG.HOLDS_LIFE) !== 0);
  }

  #deadOf(host: number): number[] {
    const ids: number[] = [];
    for (let number = load(this.words, THREAD_TABLE.HIGHEST); number-- > 0;) {
      const place = PLACES + number * THREAD.SIZE;
      const id = -load(this.words, place + THREAD.ID);
      if (id > 0 && this.words[place + THREAD.HOST] === host) ids.push(id);
    }
    return ids;
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
    return this.words[THREAD_TABLE.MAIN];
  }

  /** Records that the calling thread, which has that id, is the main thread. */
  setMain(id: number): void {
    this.words[THREAD_TABLE.MAIN] = id;
  }

  /** A number for a thread's name, from 1 up; each is given out once in a table. */
  nextNumber(): number {
    return add(this.words, THREAD_TABLE.NUMBERED, 1) + 1;
  }

  /** Index of the first word of a thread's place. */
  placeOf(id: number): number {
    return PLACES + (id % MAX_THREADS) * THREAD.SIZE;
  }

  /** Whether nobody has had the thread's place after it. */
  #isLastIn(id: number): boolean {
    const taken = load(this.words, this.placeOf(id) + THREAD.GENERATION);
    return (taken - 1) % GENERATIONS + 1 === Math.floor(id / MAX_THREADS);
  }

  #writeName(place: number, name: string): void {
    // TextEncoder takes no shared memory in browsers; it cuts a long name between two characters.
    const bytes = new Uint8Array(NAME_BYTES);
    const { written } = new TextEncoder().encodeInto(name, bytes);
    new Uint8Array(this.buffer, (place + THREAD.NAME) * WORD_BYTES, NAME_BYTES).set(bytes);
    this.words[place + THREAD.NAME_LENGTH] = written;
  }

  // Waking

  /** Wakes a thread if it sleeps. Call after publishing what it should find. */
  ring(id: number): void {
    ring(this.words, this.placeOf(id) + THREAD.BELL);
  }

  /** Pushes a node on its thread's stack GRANTED; the thread finds it when it is next woken. */
  pushGranted(node: number): void {
    const { words } = this;
    const head = this.placeOf(words[node + NODE.THREAD]) + THREAD.GRANTED;
    let first: number;
    do {
      first = load(words, head);
      words[node + NODE.NEXT_GRANTED] = first;
    } while (!replace(words, head, first, node));
  }

  /** True when there are nodes on the thread's stack GRANTED. */
  hasGranted(id: number): boolean {
    return load(this.words, this.placeOf(id) + THREAD.GRANTED) !== 0;
  }

  /**
   * Takes all nodes from the thread's stack GRANTED. Returns the one granted last, from which the
   * earlier ones are linked; 0 when there are none.
   */
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

  /** The first node of the chunk that a node is in. */
  firstOf(node: number): number {
    return node - (node - NODES) % CHUNK_WORDS;
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

/** Wakes the thread of a BELL word if it sleeps. */
export function ring(words: Int32Array, bell: number): void {
  if (load(words, bell) === SLEEPING && replace(words, bell, SLEEPING, AWAKE)) notify(words, bell);
}
