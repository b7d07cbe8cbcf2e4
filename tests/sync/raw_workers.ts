/** Workers that no pool has started, as seen from outside. */

import type { Handle, LockState } from "../../sync/mod.ts";
import type { RawKind, RawReply, RawRequest } from "./fixtures/raw_worker.ts";

type Request = RawRequest extends infer R ? R extends RawRequest ? Omit<R, "number"> : never
  : never;

/** A worker started by hand; it ends with its `using` block. */
export class RawWorker implements Disposable {
  readonly #worker: Worker;
  readonly #replies: PromiseWithResolvers<unknown>[] = [];

  constructor(name?: string) {
    this.#worker = new Worker(new URL("./fixtures/raw_worker.ts", import.meta.url), {
      type: "module",
      name,
    });
    this.#worker.onmessage = ({ data }: MessageEvent<RawReply>) => {
      const { number, value, error } = data;
      if (error === undefined) this.#replies[number].resolve(value);
      else this.#replies[number].reject(Object.assign(new Error(error.message), error));
    };
  }

  /** Makes the worker create an object. */
  async make(kind: RawKind, ...args: unknown[]): Promise<{ there: RawObject; handle: Handle }> {
    const { object, handle } = await this.#ask({ act: "make", kind, args }) as {
      object: number;
      handle: Handle;
    };
    return { there: this.#object(object), handle };
  }

  /** Makes the worker rebuild an object. */
  async open(shared: { readonly handle: Handle }): Promise<RawObject> {
    return this.#object(await this.#ask({ act: "open", handle: shared.handle }) as number);
  }

  /** The result of `debugLocks` in the worker. */
  async debugLocks(): Promise<LockState[]> {
    return await this.#ask({ act: "states" }) as LockState[];
  }

  #object(object: number): RawObject {
    return {
      call: (method, ...args) => this.#ask({ act: "call", object, method, args }),
      whenWaiting: (count, method) => this.#ask({ act: "whenWaiting", object, method, count }),
    };
  }

  #ask(request: Request): Promise<unknown> {
    const reply = Promise.withResolvers<unknown>();
    const number = this.#replies.push(reply) - 1;
    this.#worker.postMessage({ ...request, number });
    return reply.promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** An object, as the worker sees it. */
export interface RawObject {
  /** Calls a method, or reads a property, in the worker. */
  call(method: string, ...args: unknown[]): Promise<unknown>;
  /** Blocks the worker until `count` waits are queued at the object, and then calls a method. */
  whenWaiting(count: number, method: string): Promise<unknown>;
}
