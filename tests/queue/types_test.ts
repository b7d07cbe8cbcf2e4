import { assertEquals, assertMatch } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import type { Future, ThreadPoolExecutor } from "../../executors/mod.ts";
import {
  type BlockOptions,
  type BlockSyncOptions,
  type Handle,
  LifoQueue,
  type PriorityKey,
  PriorityQueue,
  Queue,
  SimpleQueue,
} from "../../queue/mod.ts";
import { typeErrorsOf } from "../_support/compile.ts";
import { test } from "../_support/leaks.ts";
import { ROOT } from "../_support/scratch.ts";

interface Job {
  readonly id: number;
}

/** Checked and never called: only the types count. */
async function inferred(queue: Queue<Job>, executor: ThreadPoolExecutor): Promise<unknown> {
  const item = await queue.get();
  assertType<IsExact<typeof item, Job>>(true);
  const later = queue.get({ block: true, timeout: null, signal: new AbortController().signal });
  assertType<IsExact<typeof later, Promise<Job>>>(true);
  const sync = [queue.getSync(), queue.getSync({ timeout: 5 }), queue.getNowait()];
  assertType<IsExact<typeof sync, Job[]>>(true);
  const some = await queue.getMany(5, { timeout: 5 });
  assertType<IsExact<typeof some, Job[]>>(true);
  const someSync = queue.getManySync(5, { block: false });
  assertType<IsExact<typeof someSync, Job[]>>(true);
  const put = queue.put({ id: 1 }, { timeout: 5 });
  assertType<IsExact<typeof put, Promise<void>>>(true);
  const many = queue.putMany(new Set<Job>());
  assertType<IsExact<typeof many, Promise<void>>>(true);
  for await (const job of queue) assertType<IsExact<typeof job, Job>>(true);
  for (const job of queue) assertType<IsExact<typeof job, Job>>(true);
  const spread = [...queue];
  assertType<IsExact<typeof spread, Job[]>>(true);
  const { name, maxsize, isShutdown, handle } = queue;
  assertType<IsExact<typeof name, string | undefined>>(true);
  assertType<IsExact<typeof maxsize, number>>(true);
  assertType<IsExact<typeof isShutdown, boolean>>(true);
  assertType<IsExact<typeof handle, Handle>>(true);
  const joined = queue.join({ timeout: 5 });
  assertType<IsExact<typeof joined, Promise<void>>>(true);
  const future = executor.submit((queue: Queue<Job>) => queue.getSync(), queue);
  assertType<IsExact<typeof future, Future<Job>>>(true);
  return [sync, some, someSync, spread, later, put, many, joined, future];
}

/** Checked and never called. */
function classes(handle: Handle): unknown {
  const simple = new SimpleQueue<string>({ name: "a", capacityBytes: 4096 });
  const word = simple.getSync();
  assertType<IsExact<typeof word, string>>(true);
  const words = simple.getMany(2);
  assertType<IsExact<typeof words, Promise<string[]>>>(true);
  const stack = new LifoQueue<number>(5);
  const queue: Queue<number> = stack;
  const top = stack.getNowait();
  assertType<IsExact<typeof top, number>>(true);
  const jobs = new PriorityQueue<Job>({ maxsize: 5, priority: ({ id }) => [id, "a"] });
  const { priority } = jobs;
  assertType<IsExact<typeof priority, ((item: Job) => PriorityKey) | undefined>>(true);
  const views = [
    Queue.from<Job>(handle),
    LifoQueue.from<Job>(handle),
    PriorityQueue.from<Job>(handle),
  ] as const;
  assertType<
    IsExact<typeof views, readonly [Queue<Job>, LifoQueue<Job>, PriorityQueue<Job>]>
  >(true);
  const view = SimpleQueue.from<Job>(handle);
  assertType<IsExact<typeof view, SimpleQueue<Job>>>(true);
  const options: BlockOptions = { signal: undefined };
  const syncOptions: BlockSyncOptions = { block: false, timeout: 0 };
  const union = new Queue<number | null>();
  union.putSync(null, syncOptions);
  return [queue, union.get(options), words];
}

test("types of items follow from the queue", () => {
  assertEquals([typeof inferred, typeof classes], ["function", "function"]);
});

const HEAD = `
import { Handle, LifoQueue, PriorityQueue, Queue, SimpleQueue } from ${
  JSON.stringify(new URL("mod.ts", ROOT).href)
};
const queue = new Queue<number>();
const simple = new SimpleQueue<number>();
const sorted = new PriorityQueue<string>();
const signal = new AbortController().signal;
`;

test("calls of queues with wrong arguments do not compile", { timeout: 60_000 }, async () => {
  const wrong = {
    "an item of another type": 'queue.put("a");',
    "an item of another type, blocking": 'queue.putSync("a");',
    "an item of another type, at once": 'queue.putNowait("a");',
    "items of another type": 'queue.putMany(["a"]);',
    "items that are not iterable": "queue.putMany(5);",
    "no item": "queue.put();",
    "a result of another type": "const item: string = queue.getSync();",
    "a promise for an item": "const item: number = queue.get();",
    "unknown option": "queue.get({ blocking: false });",
    "a timeout that is no number": 'queue.get({ timeout: "5" });',
    "signal in a blocking get": "queue.getSync({ signal });",
    "signal in a blocking put": "queue.putSync(1, { signal });",
    "signal in a blocking getMany": "queue.getManySync(1, { signal });",
    "signal in a blocking putMany": "queue.putManySync([1], { signal });",
    "signal in a blocking join": "queue.joinSync({ signal });",
    "options where nothing waits": "queue.putNowait(1, { block: false });",
    "a number missing": "queue.getMany();",
    "unknown shutdown option": "queue.shutdown({ wait: true });",
    "unknown queue option": "new Queue({ maxSize: 5 });",
    "a size that is no number": 'new Queue("5");',
    "a priority that is no key": "new PriorityQueue<string>({ priority: (item) => ({ item }) });",
    "a priority of another item": "new PriorityQueue<string>({ priority: (n: number) => n });",
    "a priority of a plain queue": "new Queue<number>({ priority: (n: number) => n } as const);",
    "a size of a simple queue": "new SimpleQueue({ maxsize: 5 });",
    "tracking of a simple queue": "simple.taskDone();",
    "shutdown of a simple queue": "simple.shutdown();",
    "a loop over a simple queue": "for (const item of simple) console.log(item);",
    "a simple queue for a queue": "const other: Queue<number> = simple;",
    "a name that is assigned": 'queue.name = "a";',
    "a queue for a handle": "Queue.from(queue);",
    "a loop that takes items for another type": "for await (const s of queue) s.length;",
  };
  const right = {
    "all of it right": `
      await queue.put(1, { timeout: 5, signal });
      queue.putSync(1, { block: false });
      const items: number[] = await queue.getMany(5);
      for await (const item of queue) items.push(item);
      sorted.priority = (word) => [word.length, word];
      const other: Queue<string> = sorted;
      const stack = LifoQueue.from<string>(new LifoQueue<string>({ maxsize: 1 }).handle);
      const handle: Handle = stack.handle;`,
  };
  const sources = Object.entries({ ...wrong, ...right }).map(([name, code]) => [name, HEAD + code]);
  const errors = await typeErrorsOf(Object.fromEntries(sources) as Record<string, string>);
  for (const name of Object.keys(wrong)) assertMatch(errors[name].join("\n"), /^TS\d+: /, name);
  for (const name of Object.keys(right)) assertEquals(errors[name], [], name);
});
