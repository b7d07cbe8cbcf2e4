/** The tasks of the failure tests of streams. */

import { task } from "@concurrent/futures/task";
import type { SimpleQueue } from "@concurrent/futures";
import { enterGate, gateOpens, gateOpensSync, type GateParts } from "../contracts/gate_parts.ts";
import { CLOSED } from "../contracts/stream_tasks.ts";

/** Ways in which a generator can end its worker. */
export type End = "close" | "exit" | "throw in a timer" | "unhandled rejection" | "kill";

/** Ends the worker. */
function end(how: End): void {
  switch (how) {
    case "close":
      self.close();
      break;
    case "exit":
      Deno.exit(3);
      break;
    case "throw in a timer":
      setTimeout(() => {
        throw new RangeError("thrown late");
      }, 0);
      break;
    case "unhandled rejection":
      Promise.reject(new RangeError("rejected"));
      break;
    case "kill":
      Deno.kill(Deno.pid, "SIGKILL");
  }
}

/** Yields the given number of numbers, and ends its worker. */
export const endAfter = task(
  import.meta,
  async function* endAfter(count: number, how: End): AsyncGenerator<number> {
    for (let n = 0; n < count; n++) yield n;
    end(how);
    await new Promise(() => {});
  },
);

/** Like {@linkcode endAfter}, but synchronous, and goes on yielding. */
export const endAmid = task(
  import.meta,
  function* endAmid(count: number, how: End): Generator<number> {
    for (let n = 0;; n++) {
      if (n === count) end(how);
      yield n;
    }
  },
);

/** Ends its worker when it is closed. */
export const endAtClose = task(
  import.meta,
  async function* endAtClose(how: End): AsyncGenerator<number> {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      end(how);
      await new Promise(() => {});
    }
  },
);

/** Yields the number of its process, and then numbers. */
export const sayPid = task(import.meta, function* sayPid(): Generator<number> {
  yield Deno.pid;
  for (let n = 0;; n++) yield n;
});

/** Yields a number, comes to the gate, and blocks until it is open. */
export const blockAtGate = task(
  import.meta,
  function* blockAtGate(gate: GateParts, log: SimpleQueue<number>): Generator<number> {
    try {
      yield 1;
      enterGate(gate);
      gateOpensSync(gate);
      yield 2;
    } finally {
      log.putNowait(CLOSED);
    }
  },
);

/** Yields numbers; once closed, it comes to the gate and awaits it. */
export const waitAtClose = task(
  import.meta,
  async function* waitAtClose(gate: GateParts): AsyncGenerator<number> {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      enterGate(gate);
      await gateOpens(gate);
    }
  },
);

/** Yields a number, and computes until the gate opens, even if it is given up. */
export const spinAfterOne = task(
  import.meta,
  function* spinAfterOne(gate: GateParts): Generator<number> {
    yield 1;
    enterGate(gate);
    while (!gate.opening.isSet());
  },
);
