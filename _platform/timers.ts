/**
 * The runtime's own timers, microtasks and clock.
 *
 * Tests replace the global ones with fake ones, which stand still until the test moves them on. The
 * threads that this thread works with keep the real ones: a thread that spins, blocks, or waits for
 * a turn of the event loop by fake ones would do so for ever. So this package uses the ones that
 * were there when it was loaded.
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

// On Node they are taken from the modules that the global ones come from: a test runner's sandbox
// may have begun with fake ones, or with a browser's.
const isNode = !("Deno" in globalThis) && hasBuiltins();
const origin: object = isNode ? builtin("node:timers") : globalThis;
const { performance } = isNode ? builtin("node:perf_hooks") : globalThis;

/**
 * The functions of these names. Take one out of this object before you call it: some refuse to be
 * called as methods.
 */
export const timers = {} as Timers;

for (const name of NAMES) {
  // The property is copied and not its value: Deno loads these functions when they are first looked
  // at, which takes some 10 ms. In a browser's workers they are inherited, so there the value is
  // taken.
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
