/**
 * Models whose number of schedules is known, or of which some schedule is known to go wrong.
 *
 * @module
 */

import { notify, store, wait, waitAsync } from "../../../_platform/atomics.ts";
import { nowMs } from "../../../_platform/clock.ts";
import { defineModel, type Model } from "../model.ts";
import { point } from "../stepped_atomics.ts";

/** Threads that have nothing to do with each other: every order of their steps is one schedule. */
function independent(threads: number, steps: number): Model {
  return defineModel({
    name: `${threads} threads of ${steps} steps`,
    threads,
    preemptions: threads * steps,
    setUp: () => undefined,
    thread() {
      for (let i = 0; i < steps; i++) point(i);
    },
  });
}

const TIMEOUT_MS = 10;

/**
 * Thread 0 sleeps for a while and thread 1 wakes it; goes wrong if the sleep ends in the given way.
 */
function neverEnds(how: "ok" | "not-equal" | "timed-out"): Model {
  return defineModel({
    name: `never ${how}`,
    threads: 2,
    setUp: () => ({ words: new Int32Array(new SharedArrayBuffer(4)) }),
    thread(thread, { words }) {
      if (thread === 1) {
        store(words, 0, 1);
        notify(words, 0);
        return;
      }
      const startMs = nowMs();
      const end = wait(words, 0, 0, TIMEOUT_MS);
      const elapsedMs = nowMs() - startMs;
      if (elapsedMs !== (end === "timed-out" ? TIMEOUT_MS : 0)) throw new Error(`at ${elapsedMs}`);
      if (end === how) throw new Error(`ended ${how}`);
    },
  });
}

/** Thread 2 wakes one sleeper, lets it run, and wakes the other. */
const firstCome = defineModel({
  name: "first come, first served",
  threads: 3,
  preemptions: 0,
  setUp: () => ({ words: new Int32Array(new SharedArrayBuffer(8)) }),
  thread(thread, { words }) {
    if (thread < 2) {
      wait(words, 0, 0, Infinity);
      return;
    }
    for (let woken = 0; woken < 2; woken += notify(words, 0, 1)) wait(words, 1, 0, TIMEOUT_MS);
  },
});

const asynchronous = defineModel({
  name: "waits as a promise",
  threads: 1,
  setUp: () => ({ words: new Int32Array(new SharedArrayBuffer(4)) }),
  thread(_, { words }) {
    waitAsync(words, 0, 0);
  },
});

let runs = 0;

const forgetful = defineModel({
  name: "not the same each time",
  threads: 2,
  setUp: () => undefined,
  thread() {
    runs++;
    for (let i = 0; i < 3 + runs % 2; i++) point();
  },
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  independent(2, 3),
  independent(3, 2),
  neverEnds("ok"),
  neverEnds("not-equal"),
  neverEnds("timed-out"),
  firstCome,
  asynchronous,
  forgetful,
];
