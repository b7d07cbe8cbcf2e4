/**
 * Numbers and names that tell one thread from others. They need not be hard to guess, except for
 * {@linkcode secretName}.
 *
 * No source of them is enough by itself. `Math.random` returns the same numbers in all threads of a
 * program that is to repeat itself (`deno run --seed`, `node --random-seed`), and so may `crypto`;
 * a test may have replaced either. A clock may be coarse. So what all of them say is mixed.
 *
 * @module
 */

import { isDeno } from "./deno.ts";
import { platform } from "./mod.ts";
import { isNode } from "./node.ts";
import { clock } from "./timers.ts";

const { random } = Math;

/** Not on Node, where the first look at it takes more than a millisecond of every start. */
const crypto: Crypto | undefined = !isDeno() && isNode() ? undefined : globalThis.crypto;

/** What was mixed so far, and how often. */
let mixed = 0;
let mixes = 0;

/** Mixes in all bits of a number. Numbers of which one bit differs make a difference. */
function mix(part: number): void {
  for (const bits of new Int32Array(Float64Array.of(part).buffer)) {
    mixed = Math.imul(mixed ^ bits, 0x85ebca6b);
    mixed ^= mixed >>> 15;
  }
}

mix(platform.pid);
mix(clock.originMs);

/** A number of 32 bits. */
export function randomWord(): number {
  mix(clock.now());
  mix(++mixes);
  mix(random());
  const [word] = crypto?.getRandomValues(new Int32Array(1)) ?? [0];
  return mixed ^ word;
}

/** A name that nothing else has. */
export function randomName(): string {
  return nameOf(Uint32Array.from({ length: 4 }, randomWord));
}

/**
 * A name that nobody can use who was not told it: of 128 bits that are hard to guess, even for who
 * knows others.
 */
export function secretName(): string {
  // Not `randomUUID`, which pages that came over plain http lack.
  const words = globalThis.crypto.getRandomValues(new Int32Array(4));
  return nameOf(Uint32Array.from(words, (word) => word ^ randomWord()));
}

function nameOf(words: Uint32Array): string {
  return Array.from(words, (word) => word.toString(36)).join("-");
}
