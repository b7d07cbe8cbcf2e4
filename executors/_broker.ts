/**
 * Locks, queues and their kin for threads of other processes: the side where the objects are. The other side is
 * `_remote_objects.ts`.
 *
 * A call names an object and a method of its core. It is made here, by a deputy's seat that stands for the other process's thread
 * in the table of threads: so that owns what it acquires, waits its turn among the threads, and when it dies, its locks are
 * those of a dead owner, and its waits are withdrawn.
 *
 * @module
 */

import { NEVER, nowMs } from "../_platform/clock.ts";
import { Decoder } from "../_memory/decoder.ts";
import { decode } from "../_memory/message.ts";
import {
  type Core,
  openCore,
  type PassOn,
  passOnOf,
  setRemoteCores,
  type WholeCore,
} from "../_memory/core.ts";
import type { Handle, Shareable } from "../_memory/handle.ts";
import type { Deputy, Limits } from "../_memory/seat.ts";
import { NotShareableError } from "../sync/errors.ts";
import { type ExportNews, Exports } from "./_exports.ts";
import { type RemoteCall, REPLY } from "./_protocol.ts";

/** An object as it is used here. */
interface Opened {
  readonly core: Core;
  readonly passOn: PassOn<Core>;
}

/** The objects that other processes know, by name. */
class ExportTable {
  readonly #known = new Map<string, ExportNews>();
  /** The highest number heard of, by the part of the names before it: a lower one that is not there was forgotten. */
  readonly #heard = new Map<string, number>();
  readonly #decoder = new Decoder();
  #waiting: (() => void)[] = [];

  /** Takes in what is told. */
  learn(news: ExportNews): void {
    const { object, data } = news;
    if (data === undefined) {
      this.#known.delete(object);
      return;
    }
    this.#known.set(object, news);
    const [prefix, number] = split(object);
    this.#heard.set(prefix, Math.max(number, this.#heard.get(prefix) ?? -1));
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** True once it is known what an object is, or that it was forgotten; false while the news of it is on its way. */
  isKnown(object: string): boolean {
    if (this.#known.has(object)) return true;
    const [prefix, number] = split(object);
    return number <= (this.#heard.get(prefix) ?? -1);
  }

  /** Opens an object, for the seat that this thread acts for. */
  open(object: string): Opened {
    const news = this.#known.get(object);
    if (news !== undefined) {
      const core: Core = openCore(news.kind, decode(this.#decoder, news.data!));
      return { core, passOn: passOnOf(news.kind) };
    }
    throw new NotShareableError(
      "Cannot use object of another process: that one has let go of it; have it keep the object, or send it again",
    );
  }

  /** A promise for the next news. */
  news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** The parts of a name: who gave it, a number, and the part of the object that is meant, if not all of it. */
function split(object: string): [prefix: string, number: number, part: string | undefined] {
  const [prefix, number, part] = object.split("/");
  return [prefix, Number(number), part];
}

function wholeOf(object: string): string {
  return object.split("/", 2).join("/");
}

/** What other processes know of this one's objects. */
export const exportTable: ExportTable = new ExportTable();

/** The objects that this thread itself hands out, in the results of calls. */
const ownExports = new Exports(crypto.randomUUID(), (news) => {
  // What a child was given is kept by its broker; only then may it be forgotten.
  if (news.data !== undefined) exportTable.learn(news);
});

/** Has objects found again that a child sends back, in the arguments of a call. Only for the serving thread. */
export function findExports(): void {
  setRemoteCores((_kind, { remote }) => exportTable.open(wholeOf(remote)).core);
}

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** A call that may wait. */
interface WaitingCall {
  readonly call: RemoteCall;
  readonly deadlineMs: number;
}

/** A promise of the child's that was told what it got, and may not have been settled yet. */
interface Promised extends WaitingCall {
  readonly value: unknown;
}

/**
 * Makes the calls of one child's thread.
 *
 * A promise of the child's may be granted a lock while the child, which cannot know yet, goes to sleep for the same lock.
 * The two would wait for each other. So what a promise got is remembered until a later call tells that it was settled; a
 * blocking call that finds it pending gets that instead, and the promise waits again.
 */
export class Broker {
  readonly deputy: Deputy;
  readonly #reply: (kind: number, id: number, value: unknown) => void;
  readonly #opened = new Map<string, Opened>();
  /** Objects that the child was given in results. */
  readonly #given = new Map<string, Shareable>();
  /** Calls that wait. */
  readonly #waits = new Map<number, AbortController>();
  /** Calls that are to end before they have begun. */
  readonly #aborted = new Set<number>();
  /** What promises got, by object and by the ids of their calls. */
  readonly #promised = new Map<string, Map<number, Promised>>();
  #before: Promise<unknown> | undefined;

  /** @param reply Sends the child what came of a call. */
  constructor(deputy: Deputy, reply: (kind: number, id: number, value: unknown) => void) {
    this.deputy = deputy;
    this.#reply = reply;
  }

  /** Makes a call; calls are made in the order in which they come. */
  call(id: number, call: RemoteCall): void {
    if (this.#before === undefined && this.#isKnown(call.object)) return this.#make(id, call);
    const turn = this.#makeLater(this.#before, id, call);
    this.#before = turn;
    turn.then(() => {
      if (this.#before === turn) this.#before = undefined;
    });
  }

  async #makeLater(
    before: Promise<unknown> | undefined,
    id: number,
    call: RemoteCall,
  ): Promise<void> {
    await before;
    while (!this.#isKnown(call.object)) await exportTable.news();
    this.#make(id, call);
  }

  #isKnown(object: string): boolean {
    return this.#opened.has(object) || exportTable.isKnown(wholeOf(object));
  }

  #make(id: number, call: RemoteCall): void {
    const { object, method, args, patienceMs, isBlocking } = call;
    try {
      this.#forgetSettled(call);
      const { core } = this.#open(object);
      if (patienceMs === undefined) {
        this.#answer(id, (core as unknown as Methods)[method](...args));
      } else if (!isBlocking || !this.#passOn(id, call)) {
        this.#wait(id, { call, deadlineMs: patienceMs < 0 ? NEVER : nowMs() + patienceMs });
      }
    } catch (error) {
      this.#reply(REPLY.THROWN, id, [error]);
    }
  }

  async #wait(id: number, { call, deadlineMs }: WaitingCall): Promise<void> {
    const { object, method, args, isBlocking } = call;
    const controller = new AbortController();
    this.#waits.set(id, controller);
    if (this.#aborted.delete(id)) controller.abort();
    let hasWaited = false;
    const onWait = (): void => void (hasWaited = true);
    const limits: Limits = { deadlineMs, signal: controller.signal, isBlocking, onWait };
    try {
      const { core } = this.#open(object);
      const value = await (core as unknown as Methods)[method](...args, limits);
      if (hasWaited && !isBlocking && value !== false) {
        this.#remember(id, { call, deadlineMs, value });
      }
      this.#answer(id, value);
    } catch (error) {
      this.#reply(REPLY.THROWN, id, [error]);
    } finally {
      this.#waits.delete(id);
    }
  }

  #answer(id: number, value: unknown): void {
    this.#reply(REPLY.RETURNED, id, value);
  }

  // What promises got

  #remember(id: number, promised: Promised): void {
    const { object } = promised.call;
    const ofObject = this.#promised.get(object);
    if (ofObject === undefined) this.#promised.set(object, new Map([[id, promised]]));
    else ofObject.set(id, promised);
  }

  /** Forgets the promises that are settled by now. */
  #forgetSettled({ object, settled }: RemoteCall): void {
    const ofObject = this.#promised.get(object);
    if (ofObject === undefined || settled === undefined) return;
    for (const id of settled) ofObject.delete(id);
    if (ofObject.size === 0) this.#promised.delete(object);
  }

  /** Has a blocking call get what a promise got, which waits again; false when there is none. */
  #passOn(id: number, { object, method, args }: RemoteCall): boolean {
    const { core, passOn } = this.#open(object);
    for (const [other, promised] of this.#promised.get(object) ?? []) {
      const { call, value } = promised;
      if (call.method !== method || !passOn(core, method, { args: call.args, value }, args)) {
        continue;
      }
      this.#promised.get(object)!.delete(other);
      this.#reply(REPLY.RETRACTED, other, undefined);
      this.#answer(id, value);
      this.#wait(other, promised);
      return true;
    }
    return false;
  }

  // Objects

  #open(object: string): Opened {
    let opened = this.#opened.get(object);
    if (opened === undefined) {
      const [, , part] = split(object);
      opened = this.deputy.act(() => {
        if (part === undefined) return exportTable.open(object);
        const { kind, data } = (this.#open(wholeOf(object)).core as WholeCore).part(part);
        return { core: openCore(kind, data), passOn: passOnOf(kind) };
      });
      this.#opened.set(object, opened);
    }
    return opened;
  }

  /** What stands for an object in the result of a call. */
  readonly handleOf = (object: Shareable): Handle => {
    const handle = ownExports.handleOf(object);
    const { remote } = handle.data as { remote?: string };
    ownExports.takeNamed();
    if (remote !== undefined) this.#given.set(remote, object);
    return handle;
  };

  /** Ends a call that waits. */
  abort(id: number): void {
    const wait = this.#waits.get(id);
    if (wait !== undefined) wait.abort();
    else if (this.#before !== undefined) this.#aborted.add(id);
    // The promise keeps what it has got.
    for (const ofObject of this.#promised.values()) ofObject.delete(id);
  }

  /** The child has no more use for an object. */
  release(object: string): void {
    this.#opened.delete(object);
    this.#promised.delete(object);
    this.#given.delete(object);
  }

  /** The child has ended. */
  end(): void {
    this.deputy.leave();
    for (const controller of this.#waits.values()) controller.abort();
  }
}
