/**
 * Locks, queues and their kin for threads of other processes: the side where the objects are. The
 * other side is `_remote_objects.ts`.
 *
 * A call names an object and a method of its core. It is made here, through the seat of a deputy
 * that represents the other process's thread in the table of threads. So that thread owns what it
 * acquires, and waits its turn among the threads; when it dies, its locks are those of a dead
 * owner, and its waits are withdrawn.
 *
 * @module
 */

import { NEVER, nowMs } from "../_platform/clock.ts";
import {
  checkCallable,
  type CheckingCore,
  type Core,
  openPart,
  type PassedOn,
  type PassingCore,
  type Promised,
  setRemoteCores,
} from "../_memory/core.ts";
import type { Deputy, Limits } from "../_memory/seat.ts";
import { NotShareableError } from "../sync/errors.ts";
import { type ExportNews, openExport, parseName } from "./_exports.ts";
import { keep, type Payload } from "./_payload.ts";
import { isList, type RemoteCall, REPLY } from "./_protocol.ts";

/**
 * Thrown while the introduction of an object that a call names is still on its way: it comes by a
 * message, the call by shared memory and a socket.
 */
class NewsAwaited extends Error {}

/** The objects that other processes know, by name. */
class ExportTable {
  readonly #known = new Map<string, ExportNews>();
  /** How many brokers use an object. It is known for as long as one does. */
  readonly #users = new Map<string, number>();
  /** Objects in use that this process has let go of. */
  readonly #forgotten = new Set<string>();
  /**
   * The highest number introduced so far, by the prefix of the names: an object with a number up to
   * it that is not in `#known` was forgotten.
   */
  readonly #heard = new Map<string, number>();
  #waiting: (() => void)[] = [];

  /** Learns of an object that was introduced, or forgotten. */
  learn(news: ExportNews): void {
    const { object, data } = news;
    if (data === undefined) {
      if (this.#users.has(object)) this.#forgotten.add(object);
      else this.#known.delete(object);
      return;
    }
    this.#known.set(object, news);
    const { prefix, number } = parseName(object);
    this.#heard.set(prefix, Math.max(number, this.#heard.get(prefix) ?? -1));
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /**
   * True once an object was introduced, even if it was forgotten since; false while its
   * introduction is on its way. True for what is no name as well: there will be no introduction.
   */
  isKnown(object: string): boolean {
    const { prefix, number, whole } = parseName(object);
    if (!Number.isInteger(number)) return true;
    return this.#known.has(whole) || number <= (this.#heard.get(prefix) ?? -1);
  }

  /**
   * Opens an object, for the seat that this thread acts for.
   *
   * @throws {NewsAwaited} While its introduction is on its way.
   */
  open(object: string): Core {
    const { whole, part } = parseName(object);
    const news = this.#known.get(whole);
    if (news === undefined) {
      if (!this.isKnown(object)) throw new NewsAwaited();
      throw new NotShareableError(
        "Cannot use object of another process: that one has let go of it; have it keep the object, or send it again",
      );
    }
    const core = openExport(news);
    return part === undefined ? core : openPart(core, part);
  }

  /** Says that one broker more, or one less, uses an object. */
  count(object: string, change: 1 | -1): void {
    const users = (this.#users.get(object) ?? 0) + change;
    if (users > 0) {
      this.#users.set(object, users);
      return;
    }
    this.#users.delete(object);
    if (this.#forgotten.delete(object)) this.#known.delete(object);
  }

  /** A promise for the next news. */
  news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** What other processes know of this one's objects. */
export const exportTable: ExportTable = new ExportTable();

/**
 * Makes objects that a child sends back, in the arguments of a call, arrive as this process's own.
 * Only for the serving thread.
 */
export function findExports(): void {
  setRemoteCores((_kind, { remote }) => exportTable.open(remote));
}

/** No method has more arguments. */
const MOST_ARGUMENTS = 8;

/** The methods that go through a list, their first argument. */
const LISTING: ReadonlySet<string> = new Set(["putMany", "tryPutMany"]);

/** Throws unless a call has its form: a task may have made it up. */
function checkForm({ object, method, args, patienceMs, settled = [] }: RemoteCall): void {
  const isCall = typeof object === "string" && typeof method === "string" &&
    Array.isArray(args) && args.length <= MOST_ARGUMENTS &&
    (!LISTING.has(method) || isList(args[0] ?? [])) &&
    (patienceMs === undefined || Number.isFinite(patienceMs)) && isList(settled);
  if (!isCall) throw new TypeError("Cannot read call: it has not the form of one");
}

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** A call that may wait. */
interface WaitingCall {
  readonly call: RemoteCall;
  readonly deadlineMs: number;
  /** The error that ended an earlier wait of this call, if the child had aborted it. */
  readonly abortedWith?: unknown;
}

/**
 * The outcome of a call for a promise of the child's, which may not have been settled there yet.
 */
interface Kept extends WaitingCall {
  readonly hasThrown: boolean;
  readonly value: unknown;
}

/**
 * Makes the calls of one child's thread.
 *
 * A promise of the child's may be granted a lock while the child, which cannot know yet, blocks for
 * the same lock. The two would wait for each other. So what a promise got is kept until a later
 * call reports that the promise was settled. Until then, a blocking call that can use it gets it
 * instead, and the promise waits again, in front of those whose turn has not come yet.
 */
export class Broker {
  readonly deputy: Deputy;
  readonly #read: (payload: Payload) => RemoteCall;
  readonly #reply: (kind: number, id: number, value: unknown) => void;
  readonly #opened = new Map<string, Core>();
  /** Calls that wait, by id. */
  readonly #waits = new Map<number, AbortController>();
  /**
   * Calls that were aborted before they have begun, or before they wait again: their waits end at
   * once.
   */
  readonly #aborted = new Set<number>();
  /** What promises got, by the ids of their calls. */
  readonly #kept = new Map<number, Kept>();
  #before: Promise<unknown> | undefined;
  #hasEnded = false;

  /**
   * @param read Decodes a call.
   * @param reply Sends the child the outcome of a call.
   */
  constructor(
    deputy: Deputy,
    read: (payload: Payload) => RemoteCall,
    reply: (kind: number, id: number, value: unknown) => void,
  ) {
    this.deputy = deputy;
    this.#read = read;
    this.#reply = reply;
  }

  /**
   * Makes a call; calls are made in the order in which they arrive. The payload is copied if it is
   * needed after this returns.
   */
  call(id: number, payload: Payload): void {
    if (this.#before === undefined && this.#make(id, payload)) return;
    const turn = this.#makeLater(this.#before, id, keep(payload));
    this.#before = turn;
    turn.then(() => {
      if (this.#before === turn) this.#before = undefined;
    });
  }

  async #makeLater(
    before: Promise<unknown> | undefined,
    id: number,
    payload: Payload,
  ): Promise<void> {
    await before;
    while (!this.#hasEnded && !this.#make(id, payload)) await exportTable.news();
  }

  /**
   * Makes a call; false while the introduction of its object, or of one in its arguments, is on its
   * way.
   */
  #make(id: number, payload: Payload): boolean {
    let call: RemoteCall;
    try {
      call = this.deputy.act(() => this.#read(payload));
      checkForm(call);
    } catch (error) {
      if (error instanceof NewsAwaited) return false;
      this.#reply(REPLY.THROWN, id, [error]);
      return true;
    }
    if (!this.#opened.has(call.object) && !exportTable.isKnown(call.object)) return false;
    this.#begin(id, call);
    return true;
  }

  #begin(id: number, call: RemoteCall): void {
    const { object, method, args, patienceMs, isBlocking, isRefused, settled } = call;
    for (const other of settled ?? []) {
      this.#kept.delete(other);
      this.#aborted.delete(other);
    }
    try {
      const core = this.#open(object);
      if (isRefused) {
        this.#reply(REPLY.RETURNED, id, (core as Partial<CheckingCore>).checkCall?.(method));
        return;
      }
      checkCallable(core, method, patienceMs !== undefined);
      if (patienceMs === undefined) {
        this.#reply(REPLY.RETURNED, id, (core as unknown as Methods)[method](...args));
      } else if (!isBlocking || !this.#passOn(id, call)) {
        this.#wait(id, { call, deadlineMs: patienceMs < 0 ? NEVER : nowMs() + patienceMs });
      }
    } catch (error) {
      this.#reply(REPLY.THROWN, id, [error]);
    }
  }

  /** Makes a call wait, or wait again for what was passed on to a blocking call. */
  async #wait(id: number, waiting: WaitingCall, passedOn?: PassedOn): Promise<void> {
    const { call: { object, method, args, isBlocking }, deadlineMs } = waiting;
    const core = this.#open(object);
    const controller = new AbortController();
    this.#waits.set(id, controller);
    if (this.#aborted.delete(id)) controller.abort();
    let hasWaited = passedOn !== undefined;
    const onWait = (): void => void (hasWaited = true);
    const limits: Limits = { deadlineMs, signal: controller.signal, isBlocking, onWait };
    const begin = passedOn?.again ??
      ((limits: Limits) => (core as unknown as Methods)[method](...args, limits));
    let value: unknown;
    let hasThrown = false;
    try {
      value = await begin(limits);
    } catch (error) {
      value = error;
      hasThrown = true;
    }
    this.#waits.delete(id);
    const isAborted = hasThrown &&
      (value === controller.signal.reason || value === waiting.abortedWith);
    if (hasWaited && !isBlocking && "passOn" in core) {
      const abortedWith = isAborted ? value : undefined;
      this.#kept.set(id, { ...waiting, hasThrown, value, abortedWith });
    }
    if (isAborted) this.#reply(REPLY.ABORTED, id, undefined);
    else if (hasThrown) this.#reply(REPLY.THROWN, id, [value]);
    else this.#reply(REPLY.RETURNED, id, value);
  }

  /**
   * Gives a blocking call what a promise got, and makes the promise wait again; false when no
   * promise got anything that the call can use.
   */
  #passOn(id: number, { object, method, args }: RemoteCall): boolean {
    const blocked = { core: this.#open(object), method, args };
    for (const [other, kept] of this.#kept) {
      const core = this.#open(kept.call.object) as PassingCore;
      const { call, hasThrown, value } = kept;
      const promised: Promised = { core, method: call.method, args: call.args, hasThrown, value };
      const passedOn = core.passOn(promised, blocked);
      if (passedOn === undefined) continue;
      this.#kept.delete(other);
      this.#reply(REPLY.RETRACTED, other, undefined);
      this.#reply(REPLY.RETURNED, id, passedOn.value);
      this.#wait(other, kept, passedOn);
      return true;
    }
    return false;
  }

  // Objects

  #open(object: string): Core {
    let core = this.#opened.get(object);
    if (core === undefined) {
      const { whole, part } = parseName(object);
      core = this.deputy.act(() =>
        part === undefined ? exportTable.open(object) : openPart(this.#open(whole), part)
      );
      this.#opened.set(object, core);
      if (part === undefined) exportTable.count(object, 1);
    }
    return core;
  }

  /** Ends a call that waits. */
  abort(id: number): void {
    const wait = this.#waits.get(id);
    if (wait !== undefined) wait.abort();
    else if (this.#kept.has(id) || this.#before !== undefined) this.#aborted.add(id);
  }

  /** Forgets an object that the child no longer uses. */
  release(object: string): void {
    this.#close(object);
    for (const [id, { call }] of this.#kept) if (call.object === object) this.#kept.delete(id);
  }

  #close(object: string): void {
    if (!this.#opened.delete(object)) return;
    if (parseName(object).part === undefined) exportTable.count(object, -1);
  }

  /** Ends all waits: the thread has ended. */
  end(): void {
    this.#hasEnded = true;
    this.deputy.leave();
    for (const controller of this.#waits.values()) controller.abort();
    for (const object of [...this.#opened.keys()]) this.#close(object);
  }
}
