/**
 * Event: a thread that waits at `set` learns of it, and no other thread does.
 *
 * @module
 */

import type { Handle } from "../../../_memory/handle.ts";
import { EVENT, WAIT_LIST } from "../../../_memory/layout.ts";
import { load, pause, store } from "../../../_platform/atomics.ts";
import { Event } from "../../../sync/event.ts";
import { defineModel, type Model } from "../model.ts";
import { assertOneOf, assertZero, newWords, wordsOf } from "./_support.ts";

const TIMEOUT_MS = 10;

interface Shared {
  readonly event: Handle;
  /** A word by which the model's threads tell each other something. */
  readonly note: Int32Array;
}

interface View {
  readonly event: Event;
  readonly words: Int32Array;
  readonly note: Int32Array;
}

function setUp(): Shared {
  return { event: new Event().handle, note: newWords(1) };
}

function open({ event, note }: Shared): View {
  return { event: Event.from(event), words: wordsOf(event), note };
}

/** Throws unless the flag is as given and nobody waits. */
function checkLeft({ event }: Shared, isSet: boolean): void {
  assertOneOf(Event.from(event).isSet(), isSet);
  assertZero(wordsOf(event), EVENT.IS_SET);
}

function waitForEver({ event }: View): void {
  if (!event.waitSync()) throw new Error("timed out, without a timeout");
}

/** Returns once `count` threads wait, up to two. */
function awaitWaiters({ words }: View, count: number): void {
  for (;;) {
    const first = load(words, EVENT.LIST + WAIT_LIST.HEAD);
    const last = load(words, EVENT.LIST + WAIT_LIST.TAIL);
    if (first !== 0 && (count === 1 || last !== first)) return;
    pause();
  }
}

/** One thread sets the event while all others wait. */
function isSet(threads: number, preemptions: number): Model {
  return defineModel({
    name: `Event: set, ${threads - 1} waiting`,
    threads,
    preemptions,
    setUp,
    open,
    thread(thread, view) {
      if (thread > 0) return waitForEver(view);
      view.event.set();
    },
    check: (shared) => checkLeft(shared, true),
  });
}

/** A thread that waits at `set` is woken, whatever happens to the flag afterwards. */
const clearedAtOnce = defineModel({
  name: "Event: set and clear",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, view) {
    if (thread > 0) return waitForEver(view);
    awaitWaiters(view, 2);
    view.event.set();
    view.event.clear();
  },
  check: (shared) => checkLeft(shared, false),
});

/** Thread 2 clears while thread 0 sets. No thread that waited before sleeps on. */
const clearedMeanwhile = defineModel({
  name: "Event: set beside clear",
  threads: 3,
  setUp,
  open,
  thread(thread, view) {
    const { event } = view;
    if (thread === 1) waitForEver(view);
    else if (thread === 2) event.clear();
    else {
      awaitWaiters(view, 1);
      event.set();
    }
  },
  check: ({ event }) => assertZero(wordsOf(event), EVENT.IS_SET),
});

/** A wait that begins after `clear` is not ended by the `set` before it. */
const clearedBefore = defineModel({
  name: "Event: wait after clear",
  threads: 2,
  preemptions: 3,
  setUp,
  open,
  thread(thread, { event, note }) {
    if (thread === 0) {
      event.set();
      event.clear();
      store(note, 0, 1);
      return;
    }
    const isCleared = load(note, 0) === 1;
    if (event.waitSync({ timeout: TIMEOUT_MS }) && isCleared) throw new Error("woken by nobody");
  },
  check: (shared) => checkLeft(shared, false),
});

/**
 * A wait that begins after `clear` is ended only by a `set` that the flag shows, whichever of the
 * two calls came first.
 */
const clearedByWaiter = defineModel({
  name: "Event: clear, then wait",
  threads: 2,
  preemptions: 3,
  setUp,
  open,
  thread(thread, { event }) {
    if (thread === 0) {
      event.set();
      return false;
    }
    event.clear();
    return event.waitSync({ timeout: TIMEOUT_MS });
  },
  check(shared, [, isWoken]) {
    if (isWoken) checkLeft(shared, true);
    assertZero(wordsOf(shared.event), EVENT.IS_SET);
  },
});

/** However often it was cleared in between: an event that is set last lets every thread through. */
const setTwice = defineModel({
  name: "Event: set, clear, set",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, view) {
    if (thread > 0) return waitForEver(view);
    view.event.set();
    view.event.clear();
    view.event.set();
  },
  check: (shared) => checkLeft(shared, true),
});

/** One thread gives up; the other is woken all the same. */
const timedOut = defineModel({
  name: "Event: timeout",
  threads: 3,
  preemptions: 1,
  setUp,
  open,
  thread(thread, view) {
    const { event } = view;
    if (thread === 0) event.set();
    else if (thread === 2) waitForEver(view);
    else event.waitSync({ timeout: TIMEOUT_MS });
  },
  check: (shared) => checkLeft(shared, true),
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  isSet(2, 3),
  isSet(3, 2),
  clearedAtOnce,
  clearedMeanwhile,
  clearedBefore,
  clearedByWaiter,
  setTwice,
  timedOut,
];
