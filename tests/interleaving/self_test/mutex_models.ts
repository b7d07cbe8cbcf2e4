/**
 * Models of the right mutex and of its wrong variants.
 *
 * @module
 */

import { add, load } from "../../../_platform/atomics.ts";
import { defineModel, type Model } from "../model.ts";
import { ForgetsSleeper, LookThenTake, Mutex, SpinsForEver, WakesOnlyOne } from "./mutex.ts";

/** Each thread takes the mutex once and counts itself in and out. */
function mutexModel(name: string, threads: number, kind: typeof Mutex): Model {
  return defineModel({
    name,
    threads,
    setUp: () => ({ lock: words(1), inside: words(1) }),
    open: ({ lock, inside }) => ({ lock: new kind(lock), inside }),
    thread(_, { lock, inside }) {
      lock.acquire();
      if (add(inside, 0, 1) !== 0) throw new Error("another thread is inside");
      add(inside, 0, -1);
      lock.release();
    },
    check({ lock }) {
      const state = load(lock, 0);
      if (state !== 0) throw new Error(`the mutex is left in state ${state}`);
    },
  });
}

function words(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(count * 4));
}

/** See `models.ts`. */
export const models: readonly Model[] = [
  mutexModel("mutex", 2, Mutex),
  mutexModel("mutex of three", 3, Mutex),
  mutexModel("look then take", 2, LookThenTake),
  mutexModel("forgets sleeper", 2, ForgetsSleeper),
  mutexModel("wakes only one, two", 2, WakesOnlyOne),
  mutexModel("wakes only one", 3, WakesOnlyOne),
  mutexModel("spins for ever", 2, SpinsForEver),
];
