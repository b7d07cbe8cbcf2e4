/**
 * The baseline that pools are measured against: the same calls, made by hand.
 *
 * @module
 */

import type { Executor } from "@concurrent/futures";
import { burst } from "./_measure.ts";
import { OBJECT } from "./_object.mjs";
import { add, echo, lengthOf } from "./_tasks.ts";

const MEBIBYTE = 1 << 20;

/** Makes a new copy of an object of about 100 bytes of JSON. */
export function copyOfObject(): typeof OBJECT {
  return { ...OBJECT, tags: [...OBJECT.tags] };
}

/** Makes a mebibyte of numbers. */
export function mebibyte(): Float64Array<ArrayBuffer> {
  return new Float64Array(MEBIBYTE / Float64Array.BYTES_PER_ELEMENT).fill(1.5);
}

/**
 * Calls by hand: a message with the call, a message with the answer, and an id to find the caller.
 */
export abstract class CallsByHand {
  readonly #callers = new Map<number, (value: unknown) => void>();
  #calls = 0;

  /** Sends a call, and transfers the objects in `moved`. */
  protected abstract send(
    call: [id: number, name: string, args: unknown[]],
    moved: Transferable[],
  ): void;

  /** Hands an answer to its caller. Ignores an answer that no caller waits for. */
  protected answer([id, value]: [id: number, value: unknown]): void {
    const caller = this.#callers.get(id);
    this.#callers.delete(id);
    caller?.(value);
  }

  /** Calls a function in the worker or the child. */
  call(name: string, ...args: unknown[]): Promise<unknown> {
    return this.#call(name, args, []);
  }

  /** Calls a function with an array whose memory is transferred. */
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
