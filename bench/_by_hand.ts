/**
 * What pools are measured against: the same calls, made by hand.
 *
 * @module
 */

import type { Executor } from "@concurrent/futures";
import { burst } from "./_measure.ts";
import { OBJECT } from "./_object.mjs";
import { add, echo, lengthOf } from "./_tasks.ts";

const MEBIBYTE = 1 << 20;

/** About 100 bytes of JSON, made anew. */
export function copyOfObject(): typeof OBJECT {
  return { ...OBJECT, tags: [...OBJECT.tags] };
}

/** A mebibyte of numbers. */
export function mebibyte(): Float64Array<ArrayBuffer> {
  return new Float64Array(MEBIBYTE / Float64Array.BYTES_PER_ELEMENT).fill(1.5);
}

/** Calls by hand: a message there, a message back, an id to find the caller. */
export abstract class CallsByHand {
  readonly #callers = new Map<number, (value: unknown) => void>();
  #calls = 0;

  /** Sends a call, and moves what is to be moved. */
  protected abstract send(
    call: [id: number, name: string, args: unknown[]],
    moved: Transferable[],
  ): void;

  /** Takes an answer; one that nobody has called for is dropped. */
  protected answer([id, value]: [id: number, value: unknown]): void {
    const caller = this.#callers.get(id);
    this.#callers.delete(id);
    caller?.(value);
  }

  /** Has a function called there. */
  call(name: string, ...args: unknown[]): Promise<unknown> {
    return this.#call(name, args, []);
  }

  /** The same with an array whose memory is moved there. */
  move(name: string, array: Float64Array<ArrayBuffer>): Promise<unknown> {
    return this.#call(name, [array], [array.buffer]);
  }

  #call(name: string, args: unknown[], moved: Transferable[]): Promise<unknown> {
    return new Promise((resolve) => {
      this.#callers.set(++this.#calls, resolve);
      this.send([this.#calls, name, args], moved);
    });
  }
}

/** Registers some of the calls as benchmarks of `deno bench`, by hand and by a pool. */
export function registerCalls(byHand: string, raw: CallsByHand, pool: Executor): void {
  const array = mebibyte();
  const contenders: [
    group: string,
    raw: () => Promise<unknown>,
    pool: () => PromiseLike<unknown>,
  ][] = [
    ["one call, two ints", () => raw.call("add", 3, 4), () => pool.submit(add, 3, 4)],
    [
      "one call, 100-byte object",
      () => raw.call("echo", copyOfObject()),
      () => pool.submit(echo, copyOfObject()),
    ],
    ["one call, 1 MiB in", () => raw.call("lengthOf", array), () => pool.submit(lengthOf, array)],
    [
      "burst of 1,000, two ints",
      () => burst(1000, () => raw.call("add", 3, 4)),
      () => burst(1000, () => pool.submit(add, 3, 4)),
    ],
  ];
  for (const [group, callByHand, callByPool] of contenders) {
    Deno.bench({ group, name: `${group}: ${byHand}`, baseline: true }, async () => {
      await callByHand();
    });
    Deno.bench({ group, name: `${group}: pool` }, async () => {
      await callByPool();
    });
  }
}
