import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { LifoQueue, Queue } from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import { shareProcesses } from "../contracts/elsewhere.ts";
import { queueContract } from "../contracts/queue_contract.ts";
import { boundedQueueContract } from "./_bounded_contract.ts";
import { checkAgainstModel } from "./_model.ts";
import { drain, suiteOf } from "./_support.ts";

shareProcesses(1, 2);

const suite = suiteOf("LifoQueue");
queueContract(suite);
boundedQueueContract(suite);

test("LifoQueue gives items last in, first out, after any puts and gets", () => {
  checkAgainstModel(
    (maxsize) => new LifoQueue(maxsize),
    (items) => items.pop()!,
  );
});

test("LifoQueue gives the newest item first, however it was put", () => {
  const stack = new LifoQueue<string>();
  stack.putNowait("a");
  stack.putManySync(["b", "c"]);
  assertEquals(stack.getNowait(), "c");
  stack.putNowait("d");
  assertEquals(drain(stack), ["d", "b", "a"]);
});

test("LifoQueue is a Queue, but their handles are not each other's", () => {
  const stack = new LifoQueue();
  assertInstanceOf(stack, Queue);
  assertInstanceOf(LifoQueue.from(stack.handle), LifoQueue);
  assert(!(Queue.from(new Queue().handle) instanceof LifoQueue));
  assertThrows(
    () => Queue.from(stack.handle),
    TypeError,
    'Cannot rebuild Queue: expected a handle of kind "Queue", got one of "LifoQueue"',
  );
});
