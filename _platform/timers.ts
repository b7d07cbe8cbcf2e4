/**
 * The runtime's own timers, microtasks and clock.
 *
 * Tests put others in the place of the global ones, which stand still until they are told to go on. The threads that this one
 * works with keep the real ones: who spins, blocks, or waits for a turn of the event loop by the others would do so for ever.
 * So this package goes by what was there when it was loaded.
 *
 * @module
 */

import { builtin, hasBuiltins } from "./_node_modules.ts";

const NAMES = [
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
] as const;

type Timers = Pick<typeof globalThis, typeof NAMES[number]>;

// On Node from where the global ones come: a test runner's sandbox may have begun with others, or with those of a browser.
const isNode = !("Deno" in globalThis) && hasBuiltins();
const origin: object = isNode ? builtin("node:timers") : globalThis;
const { performance } = isNode ? builtin("node:perf_hooks") : globalThis;

/** The functions of these names. Take them out to call them: some insist on having no object. */
export const timers = {} as Timers;

for (const name of NAMES) {
  // Not its value: Deno loads these when they are first looked at, which takes some 10 ms. A browser's workers inherit them.
  const property = Object.getOwnPropertyDescriptor(origin, name) ?? { value: globalThis[name] };
  Object.defineProperty(timers, name, property);
}

const { now } = performance;

/** A clock that never goes back, in milliseconds: since 1970 with `originMs` added to it. */
export const clock = { originMs: performance.timeOrigin, now: (): number => now.call(performance) };

const resolved = Promise.resolve();

/** Calls back in a microtask. */
export function soon(callback: () => void): void {
  resolved.then(callback);
}
