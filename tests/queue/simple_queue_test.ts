import { assert, assertEquals } from "@std/assert";
import { Queue, SimpleQueue } from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import { shareProcesses } from "../contracts/elsewhere.ts";
import { queueContract } from "../contracts/queue_contract.ts";
import { drain, numbers, SIMPLE } from "./_support.ts";

shareProcesses(1, 2);

queueContract(SIMPLE);

test("SimpleQueue gives items first in, first out", () => {
  const queue = new SimpleQueue<number>();
  queue.putManySync(numbers(500));
  for (const i of numbers(100)) {
    queue.putSync(500 + i);
    assertEquals(queue.getNowait(), i);
  }
  assertEquals(drain(queue), numbers(600).slice(100));
});

test("SimpleQueue.put() ignores further arguments, as in Python", async () => {
  const queue = new SimpleQueue<number>();
  const put = queue.put.bind(queue) as (item: number, options: unknown) => Promise<void>;
  const putSync = queue.putSync.bind(queue) as (item: number, options: unknown) => void;
  for (const options of [{ block: false }, { timeout: -1 }, { block: "no" }]) {
    await put(1, options);
    putSync(2, options);
  }
  assertEquals(drain(queue), [1, 2, 1, 2, 1, 2]);
});

test("SimpleQueue is no Queue: it has no size, no tracking and no end", () => {
  const queue = new SimpleQueue();
  assert(!((queue as unknown) instanceof Queue));
  for (const member of ["maxsize", "full", "taskDone", "join", "shutdown", "isShutdown"]) {
    assert(!(member in queue), member);
  }
});
