import { assertEquals } from "@std/assert";
import { Queue } from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { queueContract } from "../contracts/queue_contract.ts";
import { boundedQueueContract } from "./_bounded_contract.ts";
import { checkAgainstModel } from "./_model.ts";
import { numbers, suiteOf } from "./_support.ts";
import { putEach } from "./fixtures/queue_tasks.ts";

shareProcesses(1, 2);

const suite = suiteOf("Queue");
queueContract(suite);
boundedQueueContract(suite);

test("Queue gives items first in, first out, after any puts and gets", () => {
  checkAgainstModel(
    (maxsize) => new Queue(maxsize),
    (items) => items.shift()!,
  );
});

test("Queue.getSync takes what has woken a get of the same thread, also by another view of the queue", async () => {
  await using crew = ELSEWHERE[0].crew(1);
  const queue = new Queue<number>();
  const first = queue.get();
  const putting = crew.submit(putEach, queue, [1]);
  assertEquals(Queue.from<number>(queue.handle).getSync({ timeout: 20_000 }), 1);
  await putting;
  queue.putSync(2);
  assertEquals(await first, 2);
});

for (const elsewhere of ELSEWHERE) {
  test(`Queue keeps the items of each producer in order, two of them ${elsewhere.names}`, async () => {
    await using crew = elsewhere.crew(2);
    const count = elsewhere.rounds(300);
    const queue = new Queue<number>(7);
    const producers = [0, 1, 2].map((k) => numbers(count).map((i) => 1000 * k + i));
    const putting = [crew.submit(putEach, queue, producers[0])];
    putting.push(crew.submit(putEach, queue, producers[1]));
    const here = queue.putMany(producers[2]);
    const seen: number[] = [];
    while (seen.length < 3 * count) seen.push(...await queue.getMany(5));
    await Promise.all([...putting, here]);
    for (const [k, items] of producers.entries()) {
      assertEquals(seen.filter((item) => Math.floor(item / 1000) === k), items);
    }
  });
}
