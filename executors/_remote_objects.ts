/**
 * The parent process's locks, queues and the like, as a thread of a child sees them: stubs of their
 * cores. The parent's side is `_broker.ts`.
 *
 * A call is a message to the parent and one back. In the blocking form this thread sleeps until the
 * answer is there, which the process's main thread passes on.
 *
 * @module
 */

import { whenAborted } from "../_platform/aborts.ts";
import { NEVER, nowMs } from "../_platform/clock.ts";
import { soon } from "../_platform/timers.ts";
import { type Core, methodsOf, type RemoteData } from "../_memory/core.ts";
import { doorbell } from "../_memory/doorbell.ts";
import type { Limits } from "../_memory/seat.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { MailboxWriter } from "./_mailbox.ts";
import { KIND, type RemoteCall, REPLY } from "./_protocol.ts";

/** What came of a call. */
interface Answer {
  readonly hasThrown: boolean;
  /** Whether the call has thrown because its own signal aborted. */
  readonly isAborted: boolean;
  readonly value: unknown;
}

/** A call that has no answer yet. */
interface Pending {
  readonly onAnswer: (answer: Answer) => void;
  /** Whether a promise waits for the answer, not the blocked thread. */
  readonly isPromise: boolean;
}

/** No limit, as `patienceMs` of a call says it. */
const FOR_EVER = -1;

function patienceOf(deadlineMs: number): number {
  return deadlineMs === NEVER ? FOR_EVER : Math.max(0, deadlineMs - nowMs());
}

/** The parent's objects that this thread uses. */
export class RemoteObjects {
  readonly #outbox: MailboxWriter;
  readonly #pending = new Map<number, Pending>();
  /** Ids of calls whose promises were settled since the last call. */
  #settled: number[] = [];
  /** How many blocking calls are under way. */
  #blocked = 0;
  /**
   * Answers for promises that came while this thread was blocked: the parent may take them back
   * until the thread goes on.
   */
  readonly #unheard = new Map<number, Answer>();
  readonly #stubs = new Map<string, WeakRef<Core>>();
  readonly #registry = new FinalizationRegistry<string>((object) => this.#forget(object));
  #calls: number;

  /** @param calls How many calls were made before: the first id. */
  constructor(outbox: MailboxWriter, calls = 0) {
    this.#outbox = outbox;
    this.#calls = calls;
  }

  /** The stub of an object's core. */
  open(kind: string, data: RemoteData): Core {
    const { remote } = data;
    const known = this.#stubs.get(remote)?.deref();
    if (known !== undefined) return known;
    const stub = this.#stubOf(methodsOf(kind).waiting, data);
    this.#stubs.set(remote, new WeakRef(stub));
    this.#registry.register(stub, remote);
    return stub;
  }

  #forget(object: string): void {
    if (this.#stubs.get(object)?.deref() !== undefined) return;
    this.#stubs.delete(object);
    this.#outbox.write(KIND.RELEASE, 0, object);
  }

  #stubOf(waiting: readonly string[], data: RemoteData): Core {
    const methods = new Map<string, (...args: unknown[]) => unknown>();
    const use = (): void => this.#use(data.remote);
    return new Proxy({ data, name: data.name, use } as Core, {
      get: (target, property): unknown => {
        if (property in target) return target[property as keyof Core];
        if (typeof property !== "string") return undefined;
        let method = methods.get(property);
        if (method === undefined) {
          method = this.#methodOf(waiting, data.remote, property);
          methods.set(property, method);
        }
        return method;
      },
    });
  }

  #methodOf(
    waiting: readonly string[],
    object: string,
    name: string,
  ): (...args: unknown[]) => unknown {
    if (waiting.includes(name)) {
      return (...args) => this.#wait(object, name, args, args.pop() as Limits);
    }
    const method = name.replace(/Sync$/, "");
    if (method === name || !waiting.includes(method)) {
      return (...args) => {
        return this.#callSync({
          object,
          method: name,
          args,
          patienceMs: undefined,
          isBlocking: true,
        });
      };
    }
    return (...args) => {
      const patienceMs = patienceOf(args.pop() as number);
      return this.#callSync({ object, method, args, patienceMs, isBlocking: true });
    };
  }

  #call(call: RemoteCall, isPromise: boolean, onAnswer: (answer: Answer) => void): number {
    const id = this.#calls++ | 0; // As the words of mail carry it.
    const settled = this.#settled;
    try {
      this.#outbox.writeSync(KIND.CALL, id, settled.length === 0 ? call : { ...call, settled });
    } catch (error) {
      throw call.isRefused ? error : this.#refusal(call, error);
    }
    if (settled.length > 0) this.#settled = [];
    this.#pending.set(id, { onAnswer, isPromise });
    return id;
  }

  /**
   * The error of a call whose arguments cannot be sent. Throws another one that takes precedence, as
   * it does where the object is.
   */
  #refusal(call: RemoteCall, error: unknown): unknown {
    this.#callSync({
      ...call,
      args: [],
      patienceMs: undefined,
      isBlocking: true,
      isRefused: true,
    });
    if (Object(error).name !== "DataCloneError" && !NotShareableError.is(error)) return error;
    try {
      // This names the place within the argument: the caller does not know how a call is sent.
      for (const arg of call.args) this.#outbox.check(arg, undefined);
    } catch (better) {
      return better;
    }
    return error;
  }

  /** Calls the method that does nothing, and does not wait; see `ConditionCore`. */
  #use(object: string): void {
    const call = { object, method: "use", args: [], patienceMs: undefined, isBlocking: false };
    this.#call(call, false, () => {});
  }

  #callSync(call: RemoteCall): unknown {
    let answer: Answer | undefined;
    this.#call(call, false, (got) => answer = got);
    this.#blocked++;
    try {
      doorbell.waitSync(() => answer !== undefined, NEVER);
    } finally {
      this.#blocked--;
    }
    const { hasThrown, value } = answer!;
    if (hasThrown) throw value;
    return value;
  }

  #wait(
    object: string,
    method: string,
    args: readonly unknown[],
    { deadlineMs, signal }: Limits,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => void this.#outbox.write(KIND.CALL_ABORT, id, undefined);
      const id = this.#call(
        { object, method, args, patienceMs: patienceOf(deadlineMs), isBlocking: false },
        true,
        (answer) => {
          this.#settled.push(id);
          stopListening();
          doorbell.arrived(1);
          const { hasThrown, isAborted, value } = answer;
          if (!hasThrown) resolve(value);
          else reject(isAborted ? signal!.reason : value);
        },
      );
      doorbell.expect();
      const stopListening = whenAborted(signal, onAbort);
      if (signal?.aborted === true) onAbort();
    });
  }

  /** Takes in the answer to a call. */
  answer(kind: number, id: number, value: unknown): void {
    if (kind === REPLY.RETRACTED) {
      this.#unheard.delete(id);
      return;
    }
    const hasThrown = kind !== REPLY.RETURNED;
    const isAborted = kind === REPLY.ABORTED;
    const answer = {
      hasThrown,
      isAborted,
      value: kind === REPLY.THROWN ? (value as unknown[])[0] : value,
    };
    if (this.#blocked === 0 || !this.#pending.get(id)?.isPromise) return this.#settle(id, answer);
    this.#unheard.set(id, answer);
    soon(() => this.#hear(id));
  }

  /** Settles a promise whose answer came while this thread was blocked. */
  #hear(id: number): void {
    const answer = this.#unheard.get(id);
    if (answer === undefined) return;
    this.#unheard.delete(id);
    this.#settle(id, answer);
  }

  #settle(id: number, answer: Answer): void {
    const call = this.#pending.get(id);
    this.#pending.delete(id);
    call?.onAnswer(answer);
  }
}
