/** Tasks of the stress tests of pools. */

import { task } from "../../executors/task_module.ts";
import { enterGate, gateOpens, type GateWords } from "../contracts/gate.ts";

export const twice = task(import.meta, function twice(n: number): number {
  return 2 * n;
});

/**
 * A task of the given kind: one that returns, one that fails, one that computes for a while, one
 * that waits.
 */
export const act = task(import.meta, function act(kind: number, n: number): unknown {
  switch (kind) {
    case 0:
      return n;
    case 1:
      throw new RangeError(`task ${n}`);
    case 2: {
      const endMs = performance.now() + 0.2;
      while (performance.now() < endMs);
      return n;
    }
    default:
      return new Promise((resolve) => setTimeout(resolve, 1, n));
  }
});

export const hold = task(import.meta, async function hold(gate: GateWords): Promise<void> {
  enterGate(gate);
  await gateOpens(gate);
});

/** Returns the first value, the last value, and the number of values. */
export const ends = task(import.meta, function ends(values: Float64Array): number[] {
  return [values[0], values[values.length - 1], values.length];
});

export const filled = task(
  import.meta,
  function filled(length: number, value: number): Float64Array {
    return new Float64Array(length).fill(value);
  },
);

export const repeated = task(import.meta, function repeated(text: string, count: number): string {
  return text.repeat(count);
});

/** Returns its argument, so that the array goes both ways. */
export const back = task(import.meta, function back(values: Float64Array): Float64Array {
  return values;
});
