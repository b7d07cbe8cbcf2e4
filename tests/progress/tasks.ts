/** The tasks of the tests of progress. */

import { task, taskContext } from "../../executors/task_module.ts";
import type { Value } from "../../sync/mod.ts";
import { enterGate, gateOpens, type GateParts } from "../contracts/gate_parts.ts";

export const square = task(import.meta, function square(n: number): number {
  return n * n;
});

/** Fails for odd numbers. */
export const squareEven = task(import.meta, function squareEven(n: number): number {
  if (n % 2 !== 0) throw new RangeError(`odd: ${n}`);
  return n * n;
});

/** Reports, and returns once the gate is open. */
export const reportAndPass = task(
  import.meta,
  async function reportAndPass(fraction: number, gate: GateParts): Promise<number> {
    taskContext().report(fraction);
    enterGate(gate);
    await gateOpens(gate);
    return fraction;
  },
);

/** Reports after a timer has fired. */
export const reportLater = task(
  import.meta,
  async function reportLater(fraction: number, gate: GateParts): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    taskContext().report(fraction);
    await gateOpens(gate);
    return fraction;
  },
);

/** Reports that all is done; for the item that is `held`, reports half and waits for the gate. */
export const reportItem = task(
  import.meta,
  async function reportItem(
    item: number,
    [gate, held]: [gate: GateParts, held: number],
  ): Promise<number> {
    taskContext().report(item === held ? 0.5 : 1);
    if (item === held) await gateOpens(gate);
    return item;
  },
);

export const countTo = task(import.meta, function* countTo(end: number): Generator<number> {
  for (let n = 0; n < end; n++) yield n;
});

/** Counts for ever, and counts how often it was closed. */
export const countForEver = task(
  import.meta,
  function* countForEver(closings: Value<"i32">): Generator<number> {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      closings.add(1);
    }
  },
);
