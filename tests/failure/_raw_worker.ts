/**
 * A worker that belongs to no pool: does with locks what messages order, and reports when it has.
 */

import { Condition, type Handle, Lock, RLock } from "@concurrent/futures";
import { waitFor } from "./_sync_tasks.ts";
import { type End, endLater } from "./_tasks.ts";

/** What the worker can be ordered to do. */
export type Order =
  | { act: "make" }
  | { act: "acquire"; handle: Handle; how: "Sync" | "promise" }
  | { act: "await"; handle: Handle }
  | { act: "block"; handle: Handle }
  | { act: "release" }
  | { act: "handle errors, and throw" }
  | { act: "end"; how: End };

let held: Lock | RLock | Condition;

/** Called when an error was handled; errors are handled only while this is set. */
let onHandled: ((word: string) => void) | undefined;

// Added before the first lock is made: the package's own listener must see that the error is
// handled.
self.addEventListener("error", (event) => {
  if (onHandled === undefined) return;
  event.preventDefault();
  onHandled("handled");
});

function open(handle: Handle): Lock | RLock | Condition {
  if (handle.kind === "Lock") return Lock.from(handle);
  return handle.kind === "RLock" ? RLock.from(handle) : Condition.from(handle);
}

async function follow(order: Order): Promise<unknown> {
  switch (order.act) {
    case "make":
      held = new Lock({ name: "made elsewhere" });
      return held.handle;
    case "acquire":
      held = open(order.handle);
      return order.how === "Sync" ? held.acquireSync() : await held.acquire();
    case "await":
      open(order.handle).acquire().catch(() => {});
      return "waits";
    case "block":
      return waitFor(open(order.handle));
    case "release":
      held.release();
      return "released";
    case "handle errors, and throw": {
      const handled = new Promise((resolve) => onHandled = resolve);
      setTimeout(() => {
        throw new RangeError("no harm done");
      }, 0);
      return await handled;
    }
    case "end": {
      const gate = new Int32Array(new SharedArrayBuffer(8));
      await endLater(gate, order.how);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      return "ends";
    }
  }
}

/** The worker's own scope, which the types of the configuration lack. */
interface WorkerScope {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = async ({ data }): Promise<void> => {
  try {
    scope.postMessage(await follow(data));
  } catch (error) {
    scope.postMessage(`${error}`);
  }
};
