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
import { type Core, openCore, setRemoteCores, type WholeCore } from "../_memory/core.ts";
import type { Handle, Shareable } from "../_memory/handle.ts";
import type { Deputy, Limits } from "../_memory/seat.ts";
import { NotShareableError } from "../sync/errors.ts";
import { type ExportNews, Exports } from "./_exports.ts";
import { type RemoteCall, REPLY } from "./_protocol.ts";

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

  /** Opens the core of an object, for the seat that this thread acts for. */
  open(object: string): Core {
    const news = this.#known.get(object);
    if (news !== undefined) return openCore(news.kind, decode(this.#decoder, news.data!));
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
  setRemoteCores((_kind, { remote }) => exportTable.open(wholeOf(remote)));
}

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Makes the calls of one child's thread. */
export class Broker {
  readonly deputy: Deputy;
  readonly #reply: (kind: number, id: number, value: unknown) => void;
  readonly #cores = new Map<string, Core>();
  /** Objects that the child was given in results. */
  readonly #given = new Map<string, Shareable>();
  /** Calls that wait. */
  readonly #waits = new Map<number, AbortController>();
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
    return this.#cores.has(object) || exportTable.isKnown(wholeOf(object));
  }

  #make(id: number, call: RemoteCall): void {
    const { object, method, args, patienceMs, isBlocking } = call;
    try {
      const core = this.#coreOf(object) as unknown as Methods;
      if (patienceMs === undefined) this.#answer(id, core[method](...args));
      else this.#wait(id, core, method, args, patienceMs, isBlocking);
    } catch (error) {
      this.#reply(REPLY.THROWN, id, [error]);
    }
  }

  async #wait(
    id: number,
    core: Methods,
    method: string,
    args: readonly unknown[],
    patienceMs: number,
    isBlocking: boolean,
  ): Promise<void> {
    const controller = new AbortController();
    this.#waits.set(id, controller);
    const deadlineMs = patienceMs < 0 ? NEVER : nowMs() + patienceMs;
    const limits: Limits = { deadlineMs, signal: controller.signal, isBlocking };
    try {
      this.#answer(id, await core[method](...args, limits));
    } catch (error) {
      this.#reply(REPLY.THROWN, id, [error]);
    } finally {
      this.#waits.delete(id);
    }
  }

  #answer(id: number, value: unknown): void {
    this.#reply(REPLY.RETURNED, id, value);
  }

  #coreOf(object: string): Core {
    let core = this.#cores.get(object);
    if (core === undefined) {
      const [, , part] = split(object);
      core = this.deputy.act(() => {
        if (part === undefined) return exportTable.open(object);
        const { kind, data } = (this.#coreOf(wholeOf(object)) as WholeCore).part(part);
        return openCore(kind, data);
      });
      this.#cores.set(object, core);
    }
    return core;
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
    this.#waits.get(id)?.abort();
  }

  /** The child has no more use for an object. */
  release(object: string): void {
    this.#cores.delete(object);
    this.#given.delete(object);
  }

  /** The child has ended. */
  end(): void {
    this.deputy.leave();
    for (const controller of this.#waits.values()) controller.abort();
  }
}
