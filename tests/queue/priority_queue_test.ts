import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import * as fc from "fast-check";
import { QUEUE } from "../../_memory/layout.ts";
import { type PriorityKey, PriorityQueue, Queue, RuntimeError } from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { queueContract } from "../contracts/queue_contract.ts";
import { boundedQueueContract } from "./_bounded_contract.ts";
import { checkAgainstModel, type Item } from "./_model.ts";
import {
  allWaitersOf,
  assertSound,
  drain,
  errorOf,
  LEAST_BYTES,
  NOBODY,
  numbers,
  PUTS,
  queued,
  suiteOf,
  unfinishedOf,
  until,
} from "./_support.ts";
import * as tasks from "./fixtures/queue_tasks.ts";

shareProcesses(1, 2);

const suite = suiteOf("PriorityQueue");
queueContract(suite);
boundedQueueContract(suite);

const RUNS = 200;

/** Takes the first of the smallest items. */
function takeSmallest(items: Item[], keyOf: (item: Item) => number): Item {
  const least = Math.min(...items.map(keyOf));
  return items.splice(items.findIndex((item) => keyOf(item) === least), 1)[0];
}

/** Fails unless the items come in this order, whatever the order in which they were put. */
function assertSorted<T>(expected: T[], priority?: (item: T) => PriorityKey): void {
  const order = fc.shuffledSubarray(expected, { minLength: expected.length });
  fc.assert(
    fc.property(order, fc.boolean(), (items, together) => {
      const queue = new PriorityQueue<T>({ priority });
      if (together) queue.putManySync(items);
      else for (const item of items) queue.putNowait(item);
      assertEquals(drain(queue), expected);
    }),
    { numRuns: 50 },
  );
}

// Order

test("PriorityQueue gives the smallest first, and equal ones in the order in which they were put", () => {
  checkAgainstModel(
    (maxsize) => new PriorityQueue<Item>({ maxsize, priority: ([key]) => key }),
    (items) => takeSmallest(items, ([key]) => key),
  );
});

test("PriorityQueue without a function compares items whole, after any puts and gets", () => {
  checkAgainstModel(
    (maxsize) => new PriorityQueue<Item>(maxsize),
    (items) => takeSmallest(items, ([key]) => key),
    fc.double({ noNaN: true }),
  );
});

test("PriorityQueue sorts numbers", () => {
  assertSorted([
    -Infinity,
    -1e300,
    -(2 ** 31) - 1,
    -(2 ** 31),
    -1.5,
    -1,
    0,
    5e-324,
    0.5,
    1,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 53,
    Infinity,
  ]);
});

test("PriorityQueue keeps the order of equal ones that are there while two billion others pass", () => {
  const queue = new PriorityQueue<[number, string]>({ priority: ([rank]) => rank });
  const { buffer } = queue.handle.data as { buffer: SharedArrayBuffer };
  const next = new Int32Array(buffer, 0, QUEUE.SIZE).subarray(QUEUE.ORDER + 1);
  for (const rank of [0, 5, 5]) queue.putNowait([rank, "early"]);
  next[0] = 2 ** 31 - 3; // So many have passed.
  for (let i = 0; i < 20; i++) queue.putNowait([5, `late ${i}`]);
  const late = Array.from({ length: 20 }, (_, i) => `late ${i}`);
  assertEquals(drain(queue).map(([, name]) => name), ["early", "early", "early", ...late]);
});

test("PriorityQueue takes 0 and -0 for equal, and keeps both", () => {
  const queue = new PriorityQueue<number>();
  queue.putManySync([0, -0, 0, -0]);
  assertEquals(drain(queue).map((n) => Object.is(n, -0)), [false, true, false, true]);
});

test("PriorityQueue sorts bigints, also among numbers", () => {
  assertSorted([-(10n ** 40n), -5n, 0n, 1n, 2n ** 53n + 1n, 2n ** 64n, 10n ** 40n]);
  assertSorted<number | bigint>([-2n, -1.5, 0, 1n, 1.5, 2n, 10n ** 20n, Infinity]);
});

test("PriorityQueue sorts strings by their UTF-16 code units", () => {
  const strings = ["", "A", "Z", "a", "aa", "ab", "b", "\xe9", "日", "\ud83d\ude00", "\uff01"];
  assertSorted(strings);
  assertEquals(strings.toSorted(), strings);
  assertSorted(["x".repeat(5000), "x".repeat(5000) + "y", "x".repeat(5001)].toSorted());
});

test("PriorityQueue sorts arrays element by element, then by their length", () => {
  assertSorted([[], [-1], [1], [1, -5], [1, 2], [1, 2, 0], [2], [10]]);
  assertSorted<PriorityKey>([[1, "a"], [1, "b"], [2, "A"], [3, [1]], [3, [1, 0]], [3, [2]]]);
  assertSorted<PriorityKey>([["a", 1n], ["a", 2], ["b", 0]]);
  assertSorted<PriorityKey>([[[[0]], "x".repeat(9000)], [[[0]], "y"], [[[0, 0]]]]);
});

test("PriorityQueue sorts random keys of any kind as a sort by comparison does", () => {
  const kinds: fc.Arbitrary<PriorityKey>[] = [
    fc.double({ noNaN: true }),
    fc.bigInt(),
    fc.string(),
    fc.tuple(fc.integer({ min: 0, max: 3 }), fc.string({ maxLength: 2 })),
    fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 4 }),
  ];
  const before = (a: PriorityKey, b: PriorityKey): number => {
    if (!Array.isArray(a) || !Array.isArray(b)) return a < b ? -1 : a > b ? 1 : 0;
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const order = before(a[i], b[i]);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  };
  for (const kind of kinds) {
    fc.assert(
      fc.property(fc.array(kind, { maxLength: 200, size: "max" }), fc.boolean(), (keys, named) => {
        const items = keys.map((key, serial) => ({ key, serial }));
        const expected = items.toSorted((a, b) => before(a.key, b.key));
        if (!named) {
          const plain = new PriorityQueue<PriorityKey>();
          plain.putManySync(keys);
          assertEquals(drain(plain), expected.map(({ key }) => key));
          return;
        }
        const queue = new PriorityQueue<{ key: PriorityKey; serial: number }>({
          priority: ({ key }) => key,
        });
        queue.putManySync(items);
        assertEquals(drain(queue), expected);
      }),
      { numRuns: RUNS / 4 },
    );
  }
});

test("PriorityQueue keeps thousands of items in order, beyond its first memory", () => {
  const queue = new PriorityQueue<number>();
  const items = numbers(20_000).map((i) => (i * 7919) % 20_011);
  queue.putManySync(items.slice(0, 10_000));
  for (const item of items.slice(10_000)) queue.putNowait(item);
  assertEquals(drain(queue), items.toSorted((a, b) => a - b));
});

// The function

test("PriorityQueue.priority is called once for each item, when it is put", async () => {
  const seen: string[] = [];
  const priority = (word: string): number => {
    seen.push(word);
    return word.length;
  };
  const queue = new PriorityQueue<string>({ priority, maxsize: 3 });
  assertEquals(queue.priority, priority);
  queue.putNowait("three");
  await queue.put("a");
  queue.putManySync(["no"]);
  const waiting = queue.put("");
  assertEquals(seen, ["three", "a", "no", ""]);
  assertEquals(queue.getNowait(), "a");
  await waiting;
  assertEquals(drain(queue), ["", "no", "three"]);
  assertEquals(seen.length, 4);
});

test("PriorityQueue.priority may give any key, and items may be anything", () => {
  interface Job {
    at: PriorityKey;
    payload?: unknown;
  }
  const jobs = (keys: PriorityKey[]): Job[] =>
    keys.map((at, i) => ({ at, payload: [Uint8Array.of(i), "x".repeat(i * 3000)] }));
  assertSorted(jobs([-1, 0.5, 2n, Infinity]), ({ at }) => at);
  assertSorted(jobs(["", "a", "a".repeat(3000), "b".repeat(10_000), "日本"]), ({ at }) => at);
  assertSorted(jobs([[1, "a"], [1, "b".repeat(6000)], [2n ** 70n]]), ({ at }) => at);
});

test("PriorityQueue.priority may give any key for whole numbers", () => {
  assertSorted([5, 4, 3, 2, 1, 0], (n) => -n / 2);
  assertSorted([5, 4, 3, 2, 1, 0], (n) => `${9 - n}`);
  assertSorted([5, 4, 3, 2, 1, 0], (n) => BigInt(-n) * 2n ** 70n);
  assertSorted([5, 4, 3, 2, 1, 0], (n) => [-n, "x".repeat(n * 3000)]);
  assertSorted<number | string>(
    [5, 4.5, 1, "five", "four"],
    (item) => typeof item === "number" ? [0, -item] : [1, item],
  );
});

test("PriorityQueue.putMany() keeps all keys of many items, also if these are long", () => {
  for (const length of [10, 240, 3000]) {
    const queue = new PriorityQueue<{ n: number }>({
      priority: ({ n }) => String(500 - n).padStart(3, "0") + "x".repeat(length),
    });
    queue.putManySync(numbers(300).map((n) => ({ n })));
    assertEquals(drain(queue).map(({ n }) => n), numbers(300).toReversed(), `${length}`);
  }
});

test("PriorityQueue.putMany() that waits keeps the keys of all items", async () => {
  const queue = new PriorityQueue<{ n: number }>({
    maxsize: 3,
    priority: ({ n }) => ["x".repeat(200), -n],
  });
  const items = numbers(200).map((n) => ({ n }));
  const putting = queue.putMany(items);
  for (const last of numbers(198)) {
    // The largest of those put so far has the smallest key.
    await until(() => queue.qsize() === 3);
    assertEquals(queue.getNowait().n, last + 2);
  }
  await putting;
  assertEquals(drain(queue).map(({ n }) => n), [1, 0]);
});

test("PriorityQueue.priority may be set, for the items that are put from then on", () => {
  const queue = new PriorityQueue<number>();
  assertEquals(queue.priority, undefined);
  queue.priority = (n) => -n;
  queue.putManySync([1, 3, 2]);
  assertEquals(drain(queue), [3, 2, 1]);
  queue.priority = (n) => n;
  queue.putManySync([1, 3, 2]);
  assertEquals(drain(queue), [1, 2, 3]);
});

test("PriorityQueue.priority refuses what is no function", () => {
  const queue = new PriorityQueue<number>();
  for (const bad of [5, null, "item", {}, undefined]) {
    const text = `Cannot sort PriorityQueue: priority must be a function, got ${describe(bad)}`;
    assertThrows(() => queue.priority = bad as never, TypeError, text);
    if (bad === undefined) continue;
    assertThrows(() => new PriorityQueue({ priority: bad as never }), TypeError, text);
  }
  queue.putManySync([2, 1]);
  assertEquals(drain(queue), [1, 2]);
});

test("PriorityQueue.priority that throws: the put throws that, and the queue is as it was", async () => {
  const error = new Error("mine");
  const queue = new PriorityQueue<number>({
    priority: (n) => {
      if (n === 0) throw error;
      return n;
    },
  });
  queue.putNowait(7);
  for (const [put, doPut] of Object.entries(PUTS)) {
    assertEquals(await errorOf(() => doPut(queue, 0)), error, put);
    assertEquals([queue.qsize(), unfinishedOf(queue), allWaitersOf(queue)], [1, 1, NOBODY]);
  }
  assertThrows(() => queue.putManySync([...numbers(200).map((n) => n + 1), 0]), Error, "mine");
  assertEquals(drain(queue), [7]);
  await assertSound(queue);
});

test("PriorityQueue.priority may put into another queue, and into its own", () => {
  const log = new Queue<unknown>();
  const queue: PriorityQueue<string> = new PriorityQueue<string>({
    priority: (word) => {
      log.putManySync([word, { length: word.length }]);
      if (word === "again") queue.putNowait("b");
      return word;
    },
  });
  queue.putManySync(["z", "again", "c"]);
  assertEquals(drain(queue), ["again", "b", "c", "z"]);
  assertEquals(log.qsize(), 8);
});

// What cannot be compared

const NO_KEYS: [key: unknown, got: string][] = [
  [NaN, "NaN"],
  [undefined, "undefined"],
  [null, "null"],
  [{}, "Object"],
  [true, "true"],
  [new Date(), "Date"],
  [Object(5), "Number"],
  [[1, NaN], "an array with something else in it"],
  [[[{}]], "an array with something else in it"],
  [Int8Array.of(1), "Int8Array"],
];

for (const [put, doPut] of Object.entries(PUTS)) {
  test(`PriorityQueue.${put} refuses items that are no keys, or whose priority is none, and the queue is as it was`, async () => {
    const plain = new PriorityQueue<unknown>();
    const sorted = new PriorityQueue<{ key: unknown }>({
      priority: ({ key }) => key as PriorityKey,
    });
    plain.putNowait(7);
    sorted.putNowait({ key: 7 });
    for (const [key, got] of NO_KEYS) {
      const expected = `must be a number, a bigint, a string, or an array of such, got ${got}`;
      const example = Array.isArray(key) ? "(item) => item[0]" : "(item) => item.rank";
      const cases: [call: () => unknown, text: string][] = [
        [() => doPut(sorted, { key }), `a priority ${expected}`],
        [
          () => doPut(plain, key),
          `without a priority function the item itself is the priority, which ${expected}; give the function: new PriorityQueue({ priority: ${example} })`,
        ],
      ];
      for (const [call, text] of cases) {
        const error = await errorOf(call);
        assertInstanceOf(error, TypeError);
        assertEquals(error.message, `Cannot put into PriorityQueue: ${text}`);
      }
      assertEquals([plain.qsize(), unfinishedOf(plain), allWaitersOf(plain)], [1, 1, NOBODY]);
      assertEquals([sorted.qsize(), unfinishedOf(sorted)], [1, 1]);
    }
    assertEquals([drain(plain), drain(sorted)], [[7], [{ key: 7 }]]);
    await assertSound(plain);
  });

  test(`PriorityQueue.${put} refuses what cannot be compared with what is there, and the queue is as it was`, async () => {
    const cases: [there: PriorityKey, item: PriorityKey, shown: string, thereShown: string][] = [
      [1, "a", '"a"', "1"],
      ["a", 1, "1", '"a"'],
      ["a", 1n, "1", '"a"'],
      [1, [1], "[1]", "1"],
      [[1, "a"], [1, 2], "[1, 2]", '[1, "a"]'],
      [[1, [2]], [1, "b"], '[1, "b"]', "[1, [2]]"],
    ];
    for (const [there, item, shown, thereShown] of cases) {
      const queue = new PriorityQueue<PriorityKey>();
      queue.putNowait(there);
      const error = await errorOf(() => doPut(queue, item));
      assertInstanceOf(error, TypeError);
      const text = `priority ${shown} cannot be compared with ${thereShown}, which is in the queue`;
      assert(error.message.startsWith("Cannot put"), error.message);
      assert(error.message.endsWith(text), error.message);
      assertEquals([queue.qsize(), unfinishedOf(queue), allWaitersOf(queue)], [1, 1, NOBODY]);
      queue.putNowait(there);
      assertEquals(drain(queue), [there, there]);
      queue.taskDone(2);
      await doPut(queue, item);
      assertEquals(drain(queue), [item]);
    }
  });
}

test("PriorityQueue.put() that waited throws TypeError when its item cannot be compared then", async () => {
  const queue = new PriorityQueue<PriorityKey>(1);
  queue.putNowait(1);
  const waiting = errorOf(() => queue.put("a"));
  const next = queue.put(3);
  await queued(queue, "putters", 2);
  // The putter that is woken finds an item with which its own cannot be compared, or none: then its
  // own comes first.
  queue.getNowait();
  queue.putNowait(2);
  await queued(queue, "putters", 2);
  queue.getNowait();
  queue.shutdown();
  assert(await waiting instanceof Error);
  assert(await errorOf(() => next) instanceof Error);
  assertEquals([queue.qsize(), allWaitersOf(queue)], [0, NOBODY]);
});

test("PriorityQueue.putMany(): one that cannot be compared is not counted, nor any after it", () => {
  const queue = new PriorityQueue<PriorityKey>();
  assertThrows(() => queue.putManySync([2, 1, "a", 3]), TypeError, "cannot be compared");
  assertEquals(queue.qsize(), unfinishedOf(queue));
  assert(queue.qsize() <= 2);
  const left = drain(queue);
  assertEquals(left, left.toSorted());
  queue.putManySync([2, 1]);
  assertEquals(drain(queue), [1, 2]);
});

test("PriorityQueue: random items, some of which cannot be compared, leave it whole", () => {
  const key: fc.Arbitrary<PriorityKey> = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 9 }) },
    fc.string({ maxLength: 2 }),
    fc.tuple(fc.integer({ min: 0, max: 1 }), fc.oneof(fc.integer(), fc.string())),
  );
  fc.assert(
    fc.property(fc.array(fc.option(key), { maxLength: 60, size: "max" }), (steps) => {
      const queue = new PriorityQueue<PriorityKey>();
      const inside: PriorityKey[] = [];
      const take = (): void => {
        const item = queue.getNowait();
        const at = inside.findIndex((other) => JSON.stringify(other) === JSON.stringify(item));
        assert(at >= 0, `${item} was not put, or was taken before`);
        inside.splice(at, 1);
      };
      for (const step of steps) {
        if (step === null) {
          if (inside.length > 0) take();
          continue;
        }
        try {
          queue.putNowait(step);
          inside.push(step);
        } catch (error) {
          assertInstanceOf(error, TypeError);
        }
        assertEquals([queue.qsize(), queue.empty()], [inside.length, inside.length === 0]);
      }
      while (inside.length > 0) take();
      assertEquals(queue.empty(), true);
    }),
    { numRuns: RUNS },
  );
});

// Threads

for (const elsewhere of ELSEWHERE) {
  test(`PriorityQueue: a put by ${elsewhere.name} that has no function throws RuntimeError that says what to do`, async () => {
    await using crew = elsewhere.crew(1);
    const queue = new PriorityQueue<number>({ priority: (n) => -n });
    const text =
      "Cannot put into PriorityQueue: it sorts by a function that is not here; set queue.priority in each thread that puts";
    for (const put of [tasks.putEach, tasks.putTogether, tasks.putTogetherSync]) {
      const future = crew.submit(put as typeof tasks.putEach, queue, [1]);
      await assertRejects(() => future.result(), RuntimeError, text);
      assertEquals([queue.qsize(), unfinishedOf(queue)], [0, 0]);
    }
    const view = PriorityQueue.from<number>(queue.handle);
    assertThrows(() => view.putNowait(1), RuntimeError, text);
    queue.putManySync([1, 3, 2]);
    assertEquals(view.getNowait(), 3);
    assertEquals(await crew.submit(tasks.getSome, queue, 2), [2, 1]);
    assertEquals(queue.qsize(), 0);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`PriorityQueue: ${elsewhere.name} that sets the function puts in order with all others`, async () => {
    await using crew = elsewhere.crew(1);
    const queue = new PriorityQueue<number>({ priority: (n) => -n });
    queue.putManySync([1, 5, 9]);
    await crew.submit(tasks.putSorted, queue, [2, 6, 8]);
    assertEquals(drain(queue), [9, 8, 6, 5, 2, 1]);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`PriorityQueue without a function sorts what two ${elsewhere.names} put`, async () => {
    await using crew = elsewhere.crew(2);
    const queue = new PriorityQueue<[number, string]>();
    const items = numbers(200).map((i): [number, string] => [(i * 77) % 200, `item ${i}`]);
    const halves = [items.slice(0, 100), items.slice(100)];
    await Promise.all(halves.map((half) => crew.submit(tasks.putEach, queue, half)));
    assertEquals(drain(queue).map(([key]) => key), numbers(200));
  });
}

test("PriorityQueue: a function's long keys take no memory in other queues afterwards", () => {
  const countOf = (): number => {
    const queue = new Queue<unknown>({ capacityBytes: LEAST_BYTES });
    let count = 0;
    while (errorIn(() => queue.putNowait(count)) === undefined) count++;
    return count;
  };
  const before = countOf();
  const sorted = new PriorityQueue<number>({ priority: () => "x".repeat(1000) });
  sorted.putNowait(1);
  assertEquals(countOf(), before);
});

test("PriorityQueue: after a put by its function, puts of the same thread that wait for room in other queues stay whole", async () => {
  const sorted = new PriorityQueue<number>({ priority: (n) => n });
  sorted.putNowait(1);
  const queue = new Queue<string>(1);
  const items = numbers(20).map((i) => `${i}:${"x".repeat(100 * i)}`);
  const seen: string[] = [];
  const putting = Promise.allSettled(items.map((item) => queue.put(item)));
  while (seen.length < items.length) seen.push(await queue.get({ timeout: 10_000 }));
  assertEquals(seen, items);
  const together = Promise.allSettled([queue.putMany(items)]);
  for (const item of items) assertEquals(await queue.get({ timeout: 10_000 }), item);
  const outcomes = [...await putting, ...await together];
  assert(outcomes.every(({ status }) => status === "fulfilled"));
});

function errorIn(call: () => void): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
}

test("PriorityQueue is a Queue, but their handles are not each other's", () => {
  const queue = new PriorityQueue<number>();
  assertInstanceOf(queue, Queue);
  assertInstanceOf(PriorityQueue.from(queue.handle), PriorityQueue);
  assertThrows(
    () => Queue.from(queue.handle),
    TypeError,
    'Cannot rebuild Queue: expected a handle of kind "Queue", got one of "PriorityQueue"',
  );
  assertThrows(() => PriorityQueue.from(new Queue().handle), TypeError, 'got one of "Queue"');
});

test("PriorityQueue sorts by keys as they were when they were put", async () => {
  const queue = new PriorityQueue<[number, string]>(2);
  queue.putManySync([[2, "b"], [3, "c"]]);
  const item: [number, string] = [1, "a"];
  const put = queue.put(item); // It waits for room.
  item[0] = 9;
  assertEquals(queue.getSync(), [2, "b"]);
  await put;
  assertEquals(queue.getManySync(2), [[1, "a"], [3, "c"]]);
});

test("PriorityQueue refuses keys with holes", () => {
  const queue = new PriorityQueue<number[]>();
  const holes = new Array<number>(1);
  const error = assertThrows(() => queue.putNowait(holes), TypeError);
  assertStringIncludes(error.message, "array with something else in it");
  assertEquals(queue.qsize(), 0);
});
