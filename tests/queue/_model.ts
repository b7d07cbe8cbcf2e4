/** Random puts and gets, compared with a plain array. */

import { assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { Empty, Full, type Queue } from "../../queue/mod.ts";
import { drain } from "./_support.ts";

const RUNS = 300;

/** One step: items to put together, or how many to take together. */
type Step<T> = { put: T[] } | { get: number };

/** A key, and a serial number that distinguishes items. */
export type Item = [key: number, serial: number];

/**
 * Fails unless the queue does what the model does.
 *
 * @param make Makes a queue of the given size.
 * @param take Takes the item out of the model that must come first.
 * @param keys The items' keys; few, so that some are equal.
 */
export function checkAgainstModel(
  make: (maxsize: number) => Queue<Item>,
  take: (items: Item[]) => Item,
  keys: fc.Arbitrary<number> = fc.integer({ min: -3, max: 3 }),
): void {
  const step: fc.Arbitrary<Step<number>> = fc.oneof(
    fc.record({ put: fc.array(keys, { maxLength: 5 }) }),
    fc.record({ get: fc.integer({ min: 1, max: 5 }) }),
  );
  const steps = fc.array(step, { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 12 }), (steps, maxsize) => {
      const queue = make(maxsize);
      const model: Item[] = [];
      let serial = 0;
      for (const step of steps) {
        if ("put" in step) {
          const items = step.put.map((key): Item => [key, serial++]);
          const room = (maxsize === 0 ? Infinity : maxsize) - model.length;
          model.push(...items.slice(0, room));
          if (items.length <= room) queue.putManySync(items, { block: false });
          else {
            const put = () => queue.putManySync(items, { block: false });
            assertEquals(assertThrows(put, Full).count, room);
          }
        } else if (model.length === 0) assertThrows(() => queue.getNowait(), Empty);
        else {
          const count = Math.min(step.get, model.length);
          const expected = Array.from({ length: count }, () => take(model));
          assertEquals(queue.getManySync(step.get), expected);
        }
        assertEquals([queue.qsize(), queue.full()], [
          model.length,
          maxsize > 0 && model.length === maxsize,
        ]);
      }
      const rest = model.map(() => 0).map(() => take(model));
      assertEquals(drain(queue), rest);
    }),
    { numRuns: RUNS },
  );
}
