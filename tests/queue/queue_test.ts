import { assertEquals } from "@std/assert";
import { ThreadPoolExecutor } from "../../executors/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import { queueContract } from "../contracts/queue_contract.ts";
import { boundedQueueContract } from "./_bounded_contract.ts";
import { checkAgainstModel } from "./_model.ts";
import { numbers, suiteOf } from "./_support.ts";
import { putEach } from "./fixtures/queue_tasks.ts";

const suite = suiteOf("Queue");
queueContract(suite);
boundedQueueContract(suite);

test("Queue gives items first in, first out, after any puts and gets", () => {
  checkAgainstModel(
    (maxsize) => new Queue(maxsize),
    (items) => items.shift()!,
  );
});

test("Queue keeps the items of each producer in order", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const queue = new Queue<number>(7);
  const producers = [0, 1, 2].map((k) => numbers(300).map((i) => 1000 * k + i));
  const putting = [pool.submit(putEach, queue, producers[0])];
  putting.push(pool.submit(putEach, queue, producers[1]));
  const here = queue.putMany(producers[2]);
  const seen: number[] = [];
  while (seen.length < 900) seen.push(...await queue.getMany(5));
  await Promise.all([...putting, here]);
  for (const [k, items] of producers.entries()) {
    assertEquals(seen.filter((item) => Math.floor(item / 1000) === k), items);
  }
});
