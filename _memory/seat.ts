/**
 * This thread's seat in a table of threads: how it waits for others, and learns what it was
 * granted.
 *
 * A wait is begun by an object of shared memory, which queues the wait's node in one of its lists.
 * The thread that takes the node out of the list to grant something writes into the node what it
 * grants, and pushes the node on the stack GRANTED of the waiting thread's place. That thread finds
 * the node when it drains its doorbell, blocked or in its event loop, and hands it to the wait.
 *
 * Invariants
 * 1. A node is moved from its list to its thread's stack GRANTED under the list's latch. So the
 *    holder of the latch finds a node either in the list or on the stack: a wait that gives up
 *    knows which.
 * 2. A node is reused only after its wait is over: it is then in no list, and no longer on the
 *    stack.
 * 3. `withdraw` finds the node in whichever list of the object it is, whatever state the object is
 *    in. So when it does not, nor does the stack have it, a thread that was given up knows that its
 *    node was taken out as a dead thread's, and is in no list.
 *
 * A thread has one home: the first table that it has to do with. Objects of a thread that was
 * started some other way, and so has a table of its own, bring that table along; a thread that
 * receives such an object takes a seat in its table too.
 *
 * @module
 */

import { whenAborted } from "../_platform/aborts.ts";
import { callAt, NEVER } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import { randomWord } from "../_platform/random.ts";
import { Bell, Doorbell, doorbell, type Source } from "./doorbell.ts";
import { Inside, showInside } from "./inside.ts";
import { NODE, THREAD } from "./layout.ts";
import { CHUNK_NODES, ThreadTable } from "./thread_table.ts";

/** One wait of this thread, blocking or as a promise. */
export abstract class Wait {
  readonly seat: Seat;
  /** Index of its node in the table's words. */
  readonly node: number;
  /** True once the wait was granted what it is for, or failed. */
  isOver = false;
  /** The error that it failed with, boxed. */
  failure: { readonly error: unknown } | undefined;
  /** Called when it is over; only a promise needs it. */
  onOver: (() => void) | undefined;

  /** Begins a wait; call before the node is queued. */
  constructor(seat: Seat) {
    this.seat = seat;
    this.node = seat.open(this);
  }

  /** Takes what was granted; true when the wait is over, false when its node is queued again. */
  abstract granted(grant: number): boolean;

  /**
   * Takes the node out of whichever list it is in, under that list's latch; false when it is in
   * none (Invariant 3).
   */
  protected abstract withdraw(): boolean;

  /** Gives back what was granted, because the caller can no longer use it. */
  abstract giveBack(): void;

  /** What it waits for; a wait may {@linkcode cede} to another wait for the same object. */
  get object(): unknown {
    return undefined;
  }

  /**
   * Hands what was granted to a queued wait for the same object, and takes that wait's place in the
   * queue; false when the other wait is not queued.
   */
  cede(_blocked: Wait): boolean {
    return false;
  }

  /**
   * Looks, after some thread died, whether there is still anything to wait for, and throws if not;
   * true when the wait is over.
   */
  examine(): boolean {
    return false;
  }

  /**
   * Called when the thread goes to sleep, blocked in this wait: throws if the wait cannot end before
   * an async task of the thread goes on. Its node is in no list then.
   */
  checkNotInVain(): void {}

  /**
   * Ends the wait without a grant; false when it is too late for that: it was granted, or will be.
   */
  tryGiveUp(): boolean {
    while (!this.isOver) {
      if (this.withdraw()) {
        this.isOver = true;
        return true;
      }
      this.seat.drain(); // The grant is on the stack (Invariant 1).
      if (!this.isOver && !this.seat.isHere) {
        this.isOver = true; // Invariant 3.
        return true;
      }
    }
    return false;
  }
}

/** How long a promise waits, and what ends it early. */
export interface Limits {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /**
   * The promise is awaited on behalf of a thread of another process, which is blocked meanwhile.
   */
  readonly isBlocking?: boolean;
  /** Called when the call has to wait. */
  readonly onWait?: () => void;
}

/** After so many waits, a thread looks whether it has more nodes than it needs. */
const WAITS_BETWEEN_LOOKS = 1024;
/** Free nodes that a thread keeps, so as not to take and give back chunks all the time. */
const KEPT_NODES = 1024;

/** Identifies this thread in all tables. */
const TOKEN = randomWord();

/** This thread's seat in a table. */
export class Seat implements Source {
  readonly table: ThreadTable;
  /** This thread's id. */
  readonly id: number;
  readonly #doorbell: Doorbell;
  readonly #waits = new Map<number, Wait>();
  #freeNodes: number[] = [];
  #untilLook = WAITS_BETWEEN_LOOKS;
  /**
   * The waits that this thread is blocked in, the innermost last; and how many blocking waits were
   * under way in the doorbell when each began.
   */
  readonly #blocked: { readonly wait: Wait; readonly depth: number }[] = [];
  /** The first node of each chunk that belongs to this thread. */
  readonly #chunks = new Set<number>();
  /** Nodes taken from this thread's stack GRANTED, oldest first. */
  readonly #taken: number[] = [];
  /** How many of them have been handed to their waits. */
  #handed = 0;
  #deathsSeen: number;
  #hasLeft = false;
  /** Some node may stay in a list for good. */
  #keepsNodes = false;

  /**
   * @param id The id that the table's `claim` returned for this thread, or for the one that it
   * deputizes for.
   */
  constructor(table: ThreadTable, id: number, bell: Doorbell, token: number = TOKEN) {
    this.table = table;
    this.id = id;
    this.#deathsSeen = table.deaths;
    this.#doorbell = bell;
    table.words[table.placeOf(id) + THREAD.TOKEN] = token;
    bell.adopt(
      table.words,
      table.placeOf(id) + THREAD.BELL,
      () => this.isHere,
    );
  }

  /** False once this thread has left or was given up: nobody grants it anything any more. */
  get isHere(): boolean {
    return !this.#hasLeft && this.table.isAlive(this.id);
  }

  /**
   * Hands grants to `wait` from now on; returns a node for it, which is in no list.
   *
   * @throws {Error} When the thread has left.
   */
  open(wait: Wait): number {
    // Code that still runs then, such as a timer that is due, would use nodes that belong to
    // another thread by now.
    if (this.#hasLeft) throw new Error("Cannot wait: this thread is ending");
    if (this.#freeNodes.length === 0) {
      const nodes = this.table.takeChunk();
      this.#chunks.add(nodes[0]);
      this.#freeNodes.push(...nodes);
    }
    const node = this.#freeNodes.pop()!;
    const { words } = this.table;
    words[node + NODE.LIST] = 0;
    words[node + NODE.THREAD] = this.id;
    words[node + NODE.ARGUMENT] = 0;
    if (this.#waits.size === 0) {
      this.#deathsSeen = this.table.deaths;
      this.#doorbell.add(this);
    }
    this.#waits.set(node, wait);
    return node;
  }

  /**
   * Ends what {@linkcode open} began. The node of a wait that is not over is not used again
   * (Invariant 2).
   */
  close({ node, isOver }: Wait): void {
    this.#waits.delete(node);
    if (isOver) this.#freeNodes.push(node);
    else this.#keepsNodes = true;
    if (--this.#untilLook === 0) this.#giveChunks();
    if (this.#waits.size === 0) this.#doorbell.remove(this);
  }

  /** Gives back chunks of which no node is in use, if there are many free nodes. */
  #giveChunks(): void {
    this.#untilLook = WAITS_BETWEEN_LOOKS;
    // Whoever was given up keeps its chunks.
    if (this.#freeNodes.length < 2 * KEPT_NODES || !this.isHere) return;
    const freeIn = new Map<number, number[]>();
    for (const node of this.#freeNodes) {
      const first = this.table.firstOf(node);
      const nodes = freeIn.get(first);
      if (nodes === undefined) freeIn.set(first, [node]);
      else nodes.push(node);
    }
    this.#freeNodes = [];
    for (const [first, nodes] of freeIn) {
      if (nodes.length < CHUNK_NODES || this.#freeNodes.length < KEPT_NODES) {
        this.#freeNodes.push(...nodes);
      } else {
        this.#chunks.delete(first);
        this.table.giveChunk(first);
      }
    }
  }

  /**
   * Blocks until the wait is over, or the deadline; closes it.
   *
   * @returns Whether it was granted.
   */
  waitSync(wait: Wait, deadlineMs: number): boolean {
    const isOver = (): boolean => wait.isOver;
    this.#enter(wait);
    try {
      if (!this.#doorbell.waitSync(isOver, deadlineMs)) {
        if (wait.tryGiveUp()) return false;
        // The wait is already over, except in two cases: a condition's wait that was notified in
        // time now waits for its lock, or a barrier's action is running. Both waits end, or this
        // thread does.
        this.#doorbell.waitSync(isOver, NEVER);
      }
    } catch (error) {
      if (!wait.tryGiveUp() && wait.isOver) wait.giveBack();
      throw error;
    } finally {
      this.#leave(wait);
      this.close(wait);
    }
    if (wait.failure !== undefined) throw wait.failure.error;
    return true;
  }

  /**
   * A promise that settles when the wait is over, at the deadline, or when the signal aborts. It
   * holds the event loop open.
   *
   * @returns Whether it was granted.
   */
  wait(wait: Wait, { deadlineMs, signal, isBlocking, onWait }: Limits): Promise<boolean> {
    onWait?.();
    if (isBlocking) this.#enter(wait);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        if (isBlocking) this.#leave(wait);
        stopTimer();
        stopListening();
        this.close(wait);
        this.#doorbell.arrived(1);
      };
      wait.onOver = (): void => {
        end();
        if (wait.failure === undefined) resolve(true);
        else reject(wait.failure.error);
      };
      const giveUp = (settle: () => void): void => {
        if (wait.isOver || !wait.tryGiveUp()) return; // `onOver` was called just now, or will be.
        end();
        settle();
      };
      const onAbort = (): void => giveUp(() => reject(signal!.reason));
      const stopTimer = callAt(deadlineMs, () => giveUp(() => resolve(false)));
      const stopListening = whenAborted(signal, onAbort);
      this.#doorbell.expect();
      if (signal?.aborted) onAbort();
    });
  }

  #enter(wait: Wait): void {
    this.#blocked.push({ wait, depth: this.#doorbell.depth });
  }

  /** The waits of a deputy may end in any order. */
  #leave(wait: Wait): void {
    this.#blocked.splice(this.#blocked.findIndex((other) => other.wait === wait), 1);
  }

  /** Wakes a thread that was granted something; call without a latch. */
  ring(thread: number): void {
    if (thread === this.id) this.#doorbell.nudge();
    else this.table.ring(thread);
  }

  /** See {@linkcode Source}. */
  ready(): boolean {
    if (this.#hasLeft) return false; // The stack belongs to the place's next thread now.
    return this.table.hasGranted(this.id) || this.table.deaths !== this.#deathsSeen;
  }

  /** See {@linkcode Source}. */
  drain(): boolean {
    if (this.#hasLeft) return false;
    const { table } = this;
    let found = false;
    if (table.hasGranted(this.id)) {
      found = true;
      this.#handAll();
    }
    const deaths = table.deaths;
    if (deaths !== this.#deathsSeen) {
      this.#deathsSeen = deaths;
      found = true;
      for (const wait of [...this.#waits.values()]) {
        if (!wait.isOver) this.#advance(wait, () => wait.examine());
      }
    }
    return found;
  }

  /** See {@linkcode Source}. */
  sleeping(): void {
    const innermost = this.#blocked.at(-1);
    if (innermost === undefined || innermost.wait.isOver) return;
    const { wait, depth } = innermost;
    // Not while a callback blocks for something else: it goes on before the wait does.
    if (this.#doorbell.depth > depth + 1) return;
    this.#advance(wait, () => {
      wait.checkNotInVain();
      return false;
    });
  }

  /** Hands grants to their waits, oldest first. */
  #handAll(): void {
    const { table } = this;
    const taken = this.#taken;
    // All nodes are taken before the first is handed on: one that is then granted again is linked
    // into another chain.
    const chain: number[] = [];
    for (let node = table.takeGranted(this.id); node !== 0;) {
      chain.push(node);
      node = table.words[node + NODE.NEXT_GRANTED];
    }
    while (chain.length > 0) taken.push(chain.pop()!);
    // Handing one on may run this method again, which takes more and hands on all that there are.
    while (this.#handed < taken.length) this.#hand(taken[this.#handed++]);
    taken.length = this.#handed = 0;
  }

  #hand(node: number): void {
    // The node may be that of a thread that had this place before, and was granted something too
    // late.
    const wait = this.#waits.get(node);
    if (wait === undefined || wait.isOver) return;
    const grant = this.table.words[node + NODE.GRANT];
    this.#advance(wait, () => wait.granted(grant) && !this.#cedes(wait));
  }

  /**
   * An async task that was granted something cannot go on while its thread is blocked. If the
   * thread is blocked waiting for the same object, what the task was granted would never come free;
   * so the blocking wait gets it instead.
   */
  #cedes(wait: Wait): boolean {
    const { object } = wait;
    if (object === undefined) return false;
    // The innermost first, as the others cannot go on before it has.
    const blocked = this.#blocked.findLast((other) =>
      other.wait === wait || (!other.wait.isOver && other.wait.object === object)
    )?.wait;
    if (blocked === undefined || blocked === wait) return false;
    if (!wait.cede(blocked)) {
      // The blocking wait was granted something as well: either it can use that, or it is queued
      // again.
      this.#handAll();
      if (blocked.isOver || !wait.cede(blocked)) return false;
    }
    blocked.isOver = true;
    blocked.onOver?.();
    return true;
  }

  #advance(wait: Wait, step: () => boolean): void {
    try {
      if (!step()) return;
    } catch (error) {
      wait.failure = { error };
    }
    wait.isOver = true;
    wait.onOver?.();
  }

  /**
   * Leaves the table: this thread is about to end. Its waits are given up; what it holds is then
   * owned by a dead thread.
   */
  leave(): void {
    if (this.#hasLeft) return;
    const waits = [...this.#waits.values()];
    for (const wait of waits) if (!wait.tryGiveUp() && wait.isOver) wait.giveBack();
    if (!this.#keepsNodes && waits.every(({ isOver }) => isOver)) {
      for (const chunk of this.#chunks) this.table.giveChunk(chunk);
    }
    this.#hasLeft = true;
    // The words of its place are the next thread's from now on.
    if (this === homeSeat) showInside(undefined);
    this.table.leave(this.id);
  }
}

let homeSeat: Seat | undefined;
const seats = new Map<string, Seat>();
const seatByBuffer = new WeakMap<SharedArrayBuffer, Seat>();

/** This thread's home seat. */
export function home(): Seat {
  return homeSeat ?? sitDown(new ThreadTable());
}

/**
 * Takes the seat that the thread's starter has claimed for it. Call before any other use of seats.
 */
export function adoptSeat(buffer: SharedArrayBuffer, id: number): Seat {
  const table = new ThreadTable(buffer);
  homeSeat = new Seat(table, id, doorbell);
  if (platform.stopsThreads) showInside(new Inside(table, id));
  seats.set(table.identity, homeSeat);
  return homeSeat;
}

/**
 * Takes seats for a thread of another process, which cannot reach the tables itself: this thread
 * waits in its name, in the promise form, for whatever it waits for.
 */
export class Deputy {
  readonly #name: string;
  readonly #token = randomWord();
  readonly #seats = new Map<string, Seat>();

  /**
   * One for each table; the first also rings when there is something else for the thread of the
   * other process.
   */
  readonly #bells: Doorbell[] = [];

  /** @param id The id claimed for the other thread in the table with that memory. */
  constructor(name: string, buffer: SharedArrayBuffer, id: number) {
    this.#name = name;
    this.#sit(new ThreadTable(buffer), id);
  }

  #sit(table: ThreadTable, id: number): Seat {
    const bell = new Doorbell(new Int32Array(1), 0);
    this.#bells.push(bell);
    const seat = new Seat(table, id, bell, this.#token);
    this.#seats.set(table.identity, seat);
    return seat;
  }

  /** The other thread's seat in the table with that memory. */
  seatIn(buffer: SharedArrayBuffer): Seat {
    const table = new ThreadTable(buffer);
    return this.#seats.get(table.identity) ?? this.#sit(table, table.claim(this.#name));
  }

  /**
   * Makes this thread look at `source`, when the first bell rings, for what else there is for the
   * other thread.
   */
  listen(source: Source): void {
    const [bell] = this.#bells;
    bell.add(source);
    bell.rest();
  }

  /** Runs a step in which objects are rebuilt for the other thread. */
  act<R>(step: () => R): R {
    const before = acting;
    acting = this;
    try {
      return step();
    } finally {
      acting = before;
    }
  }

  /** Leaves all tables: the other thread has ended. */
  leave(): void {
    // This comes first: the places left below may be other threads' at once.
    for (const bell of this.#bells) bell.close();
    for (const seat of this.#seats.values()) seat.leave();
  }
}

let acting: Deputy | undefined;

/** This thread's seat in the table with that memory; taken now if it has none. */
export function seatIn(buffer: SharedArrayBuffer): Seat {
  if (acting !== undefined) return acting.seatIn(buffer);
  let seat = seatByBuffer.get(buffer);
  if (seat === undefined) {
    const table = new ThreadTable(buffer);
    // Every message brings a new object for the same memory.
    seat = seats.get(table.identity) ?? sitDown(table);
    seatByBuffer.set(buffer, seat);
  }
  return seat;
}

/** This thread's seat in the table of that identity, if it has one. */
export function seatOf(identity: string): Seat | undefined {
  return home().table.identity === identity ? home() : seats.get(identity);
}

/** Takes a seat for this thread, for which nobody has claimed one. */
function sitDown(table: ThreadTable): Seat {
  const bell = homeSeat === undefined ? doorbell : new Doorbell(new Int32Array(1), 0);
  const seat = new Seat(table, table.claim(platform.threadName), bell);
  if (platform.isMainThread) table.setMain(seat.id);
  homeSeat ??= seat;
  if (seats.size === 0) platform.beforeThreadEnd(leaveAll);
  seats.set(table.identity, seat);
  return seat;
}

const onLeave: (() => void)[] = [];

/**
 * Registers `callback` to be called when this thread is about to end, before it leaves its tables.
 */
export function beforeLeaving(callback: () => void): void {
  onLeave.push(callback);
}

/** Leaves all tables: this thread is about to end. */
export function leaveAll(): void {
  for (const callback of onLeave.splice(0)) callback();
  for (const seat of seats.values()) seat.leave();
}

/**
 * Declares a thread dead in all tables that this thread has a seat in.
 *
 * @param id The thread's id at home.
 * @param isGone Whether it is known to have ended; see {@linkcode ThreadTable.leave}.
 */
export function buryThread(id: number, isGone: boolean): void {
  const { table } = home();
  const token = table.tokenOf(id);
  for (const { table: other } of seats.values()) {
    const there = other === table ? id : token === 0 ? 0 : other.findByToken(token);
    if (there === 0) continue;
    if (isGone) other.leave(there);
    else other.declareDead(there);
  }
}

/** The doorbell of the thread with that id in the given table. */
export function bellOf(table: ThreadTable, id: number): Bell {
  return new Bell(table.words, table.placeOf(id) + THREAD.BELL);
}
