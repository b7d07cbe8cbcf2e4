/**
 * The memory of queues: how it grows, is used up and is used again, and items that are too large
 * for it.
 */

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { QUEUE, WORD_BYTES } from "../../_memory/layout.ts";
import { ThreadPoolExecutor } from "../../executors/mod.ts";
import { Full, PriorityQueue, Queue } from "../../queue/mod.ts";
import { test } from "../_support/leaks.ts";
import {
  allWaitersOf,
  type AnyQueue,
  assertSound,
  BOUNDED,
  bytesOf,
  drain,
  errorOf,
  LEAST_BYTES,
  NOBODY,
  numbers,
  PUTS,
  queued,
  SHORT_MS,
  stateOf,
  SUITES,
  unfinishedOf,
} from "./_support.ts";
import * as tasks from "./fixtures/queue_tasks.ts";

const INITIAL_BYTES = 1 << 16;
/** Bytes of a queue's memory that are not for items. */
const HEAD_BYTES = QUEUE.SIZE * WORD_BYTES;
const MIB = 1 << 20;
const RUNS = 100;
/** Stands for a number instead of a string of the given size. */
const NUMBER = -1;

/** Puts items until there is no room; returns how many. */
function fill(queue: AnyQueue<unknown>, item: unknown): number {
  for (let count = 0;; count++) {
    try {
      queue.putNowait(item);
    } catch (error) {
      assertInstanceOf(error, Full);
      return count;
    }
  }
}

/** Takes items until there is room for the given one, which is put; returns the items taken. */
function takeForRoom(queue: AnyQueue<unknown>, item: unknown): unknown[] {
  const taken: unknown[] = [];
  for (;;) {
    taken.push(queue.getNowait());
    try {
      queue.putNowait(item);
      return taken;
    } catch (error) {
      assertInstanceOf(error, Full);
    }
  }
}

function bytes(length: number, first = 1): Uint8Array {
  return new Uint8Array(length).map((_, i) => i * 7 + first);
}

for (const { name, makeAny, orderOf } of SUITES) {
  const isFifo = orderOf([1, 2])[0] === 1 && name !== "PriorityQueue";

  test(`${name} grows: items larger than its first memory, and many of them`, async () => {
    const queue = makeAny();
    assertEquals(bytesOf(queue), INITIAL_BYTES);
    const items = numbers(20).map((i) => `${i}`.repeat(INITIAL_BYTES));
    for (const item of items) queue.putSync(item);
    assert(bytesOf(queue) > 20 * INITIAL_BYTES);
    const seen = drain(queue);
    assert(seen.every((item, i) => item === (name === "LifoQueue" ? items[19 - i] : items[i])));
    await assertSound(queue);
  });

  test(`${name} holds a hundred thousand items, and uses their memory again`, async () => {
    const queue = makeAny();
    const items = numbers(100_000);
    let grown = 0;
    for (const round of numbers(3)) {
      await queue.putMany(items);
      assertEquals(queue.qsize(), items.length);
      assertEquals(drain(queue), orderOf(items));
      if (round === 0) grown = bytesOf(queue);
      assertEquals(bytesOf(queue), grown);
    }
    await assertSound(queue);
  });

  for (const size of [MIB, 10 * MIB]) {
    test(`${name} carries typed arrays of ${size / MIB} MiB, here and to a worker and back`, async () => {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const queue = makeAny();
      const item = { bytes: bytes(size), doubles: new Float64Array(size / 8).map((_, i) => i / 3) };
      for (const put of size === MIB ? Object.values(PUTS) : [PUTS["put()"]]) {
        await put(queue, item);
        const copy = queue.getNowait() as typeof item;
        assert(copy.bytes.buffer instanceof ArrayBuffer);
        assertSameBytes(copy.bytes, item.bytes);
        assertSameBytes(copy.doubles, item.doubles);
      }
      queue.putSync(item);
      const there = await pool.submit(tasks.getOneSync, queue) as typeof item;
      assertSameBytes(there.bytes, item.bytes);
      assertSameBytes(there.doubles, item.doubles);
      await assertSound(queue);
    });
  }

  test(`${name}.getMany() gives small and large items together, each right`, async () => {
    const queue = makeAny();
    const items = numbers(60).map((i) =>
      i % 3 === 0 ? "x".repeat(200_000) + i : i % 3 === 1 ? i : { i }
    );
    queue.putManySync(items);
    const seen: unknown[] = [];
    while (!queue.empty()) seen.push(...queue.getManySync(17));
    assertEquals(seen, name === "LifoQueue" ? items.toReversed() : items);
    await assertSound(queue);
  });

  test(`${name}.getMany() gives as many as it is asked for, wherever in memory they lie`, async () => {
    const queue = makeAny();
    let next = 0;
    const put = (count: number): void =>
      queue.putManySync(numbers(count).map((i) => i % 50 === 7 ? { i: next++ } : next++));
    put(450);
    let first = 0;
    for (const _ of numbers(40)) {
      put(101);
      const items = queue.getManySync(101);
      assertEquals(items.length, 101);
      if (!isFifo) continue;
      for (const item of items) {
        assertEquals(typeof item === "number" ? item : (item as { i: number }).i, first++);
      }
    }
    assertEquals(drain(queue).length, 450);
    await assertSound(queue);
  });

  test(`${name}: large items fill at least three quarters of the memory, whatever their size`, () => {
    const capacityBytes = 8 * MIB;
    for (const size of [1100, 4096, 65_536, 100_000, MIB]) {
      const count = fill(makeAny({ capacityBytes }), bytes(size));
      assert(count >= Math.floor(0.75 * capacityBytes / size), `${count} items of ${size} bytes`);
    }
  });

  test(`${name}() may have any capacityBytes from ${LEAST_BYTES} up`, async () => {
    for (const capacityBytes of [LEAST_BYTES, 4097, 5000.5, INITIAL_BYTES, 100_003]) {
      const queue = makeAny({ capacityBytes });
      assert(fill(queue, 1) > 0);
      assert(bytesOf(queue) < capacityBytes + 8);
      drain(queue);
      await assertSound(queue);
    }
  });

  // Items that are too large

  const tooLarge: [capacityBytes: number, item: unknown][] = [
    [INITIAL_BYTES, "x".repeat(INITIAL_BYTES)],
    [INITIAL_BYTES, bytes(INITIAL_BYTES)],
    [2 * INITIAL_BYTES, [bytes(INITIAL_BYTES), bytes(INITIAL_BYTES)]],
    [LEAST_BYTES, "x".repeat(5000)],
  ];
  for (const [put, doPut] of Object.entries(PUTS)) {
    test(`${name}.${put} throws RangeError at once for an item that its memory could never hold`, async () => {
      for (const [capacityBytes, item] of tooLarge) {
        const queue = makeAny({ capacityBytes, name: "a" });
        queue.putSync(1);
        const error = await errorOf(() => doPut(queue, item));
        assertInstanceOf(error, RangeError);
        const found =
          /^Cannot put into (\w+) "a": the item takes (\d+) bytes, and the queue can hold one of (\d+) at most; raise capacityBytes$/
            .exec(error.message);
        assert(found !== null, error.message);
        assertEquals(found[1], name);
        assert(Number(found[2]) >= 5000);
        assert(Number(found[3]) < capacityBytes);
        assertEquals([queue.qsize(), unfinishedOf(queue), allWaitersOf(queue)], [1, 1, NOBODY]);
        assertEquals(queue.getNowait(), 1);
        await assertSound(queue);
      }
    });
  }

  test(`${name}.put() throws RangeError for an item of less than 4 KiB that its memory could never hold`, async () => {
    const queue = makeAny({ capacityBytes: LEAST_BYTES });
    for (const length of [3900, 3000, 2000]) {
      const error = await errorOf(() => queue.putNowait("x".repeat(length)));
      assertInstanceOf(error, RangeError);
      assert(error.message.endsWith("; raise capacityBytes"), error.message);
    }
    await assertSound(queue);
  });

  test(`${name}.putMany() puts nothing when one item is too large, wherever it is`, async () => {
    for (const at of [0, 1, 128, 299]) {
      const queue = makeAny({ capacityBytes: INITIAL_BYTES });
      const items: unknown[] = numbers(300);
      items[at] = bytes(INITIAL_BYTES);
      assertInstanceOf(await errorOf(() => queue.putMany(items)), RangeError);
      assertThrows(() => queue.putManySync(items), RangeError, "raise capacityBytes");
      assertEquals([queue.qsize(), unfinishedOf(queue)], [0, 0]);
      await assertSound(queue);
    }
  });

  test(`${name}: an item either is too large, or an empty queue has room for it`, () => {
    // Powers of two are lengths of blocks; a PriorityQueue needs a block of 256 bytes besides.
    const capacities = [INITIAL_BYTES, HEAD_BYTES + INITIAL_BYTES];
    capacities.push(capacities[1] + 256, 100_000);
    for (const capacityBytes of capacities) {
      const queue = makeAny({ capacityBytes });
      for (let length = 4200; length < INITIAL_BYTES + 100; length = Math.ceil(length * 1.003)) {
        assertHasRoomOrRefuses(queue, "x".repeat(length));
      }
      for (let length = INITIAL_BYTES - 200; length < INITIAL_BYTES; length += 4) {
        assertHasRoomOrRefuses(queue, bytes(length));
      }
    }
  });

  test(`${name}: an item of less than 4 KiB either is too large, or an empty queue has room for it`, () => {
    const capacities = [2048, 4096, 4096 + 256].map((bytes) => HEAD_BYTES + bytes);
    for (const capacityBytes of [LEAST_BYTES, ...capacities]) {
      const queue = makeAny({ capacityBytes });
      for (let length = 0; length < 4096; length += 4) {
        assertHasRoomOrRefuses(queue, "x".repeat(length));
      }
    }
  });

  // Memory that is used up

  test(`${name}.putNowait() throws Full that names capacityBytes when its memory is used up`, async () => {
    for (const item of [1, "x".repeat(100), { list: numbers(20) }]) {
      const queue = makeAny({ capacityBytes: LEAST_BYTES, name: "a" });
      const count = fill(queue, item);
      assert(count > 1);
      const error = assertThrows(() => queue.putNowait(item), Full);
      assertEquals(
        [error.message, error.count],
        [
          `Cannot put: ${name} "a" is full, it has used up its memory of ${LEAST_BYTES} bytes; raise capacityBytes`,
          0,
        ],
      );
      assertEquals([queue.qsize(), unfinishedOf(queue)], [count, count]);
      const taken = takeForRoom(queue, item);
      // In a first-in-first-out queue, small items free their memory by the eighth.
      const piece = isFifo ? Math.ceil(count / 8) : 1;
      assert(taken.length <= piece, `${taken.length} of ${count}`);
      assert(taken.every((it) => JSON.stringify(it) === JSON.stringify(item)));
      assertEquals(drain(queue), Array(count - taken.length + 1).fill(item));
      const again = fill(queue, item);
      assert(Math.abs(again - count) < piece, `${again} instead of ${count}`);
      drain(queue);
      await assertSound(queue);
    }
  });

  test(`${name}.putMany() says how many were put before its memory was used up`, async () => {
    const queue = makeAny({ capacityBytes: LEAST_BYTES });
    const count = fill(queue, 1);
    drain(queue);
    const error = await errorOf(() =>
      (queue as Queue<unknown>).putMany(Array(500).fill(1), { block: false })
    );
    assertInstanceOf(error, Full);
    assertEquals([error.count, queue.qsize()], [count, count]);
    drain(queue);
    await assertSound(queue);
  });

  test(`${name}: a large item has room after many small ones were taken, and the other way round`, async () => {
    const queue = makeAny({ capacityBytes: INITIAL_BYTES });
    const large = bytes(30_000);
    let most = 0;
    for (const _ of numbers(5)) {
      const count = fill(queue, { small: true });
      most = Math.max(most, count);
      assert(count >= 0.9 * most, `${count} of ${most}`);
      drain(queue);
      queue.putNowait(large);
      assertThrows(() => queue.putNowait(large), Full, "raise capacityBytes");
      assertEquals(queue.getNowait(), large);
    }
    await assertSound(queue);
  });

  test(`${name} that is never empty uses its memory again for items of other sizes`, async () => {
    const capacityBytes = 4 * MIB;
    const queue = makeAny({ capacityBytes });
    queue.putNowait("first");
    for (const size of [50, 100_000, 300, 20_000, NUMBER, 3000, 100_000]) {
      const item = size === NUMBER ? 1 : "x".repeat(size);
      const count = fill(queue, item);
      const most = fill(makeAny({ capacityBytes }), item);
      assert(count >= 0.9 * most, `${count} of ${most} items of ${size} bytes`);
      while (queue.qsize() > 1) queue.getNowait();
    }
    drain(queue);
    await assertSound(queue);
  });

  test(`${name}: random puts and gets of all sizes in little memory keep every item whole`, () => {
    const size = fc.oneof(
      fc.constant(NUMBER),
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 0, max: 900 }),
      fc.integer({ min: 0, max: 7000 }),
    );
    fc.assert(
      fc.property(fc.array(fc.option(size), { maxLength: 80, size: "max" }), (steps) => {
        const queue = makeAny({ capacityBytes: 16_384 });
        const model: (string | number)[] = [];
        const take = () => name === "LifoQueue" ? model.pop() : model.shift();
        for (const [i, step] of steps.entries()) {
          if (step === null) {
            if (model.length > 0) assertEquals(queue.getNowait(), take());
            continue;
          }
          const item = step === NUMBER ? i : `${i}:${"ab".repeat(step / 2)}`;
          try {
            queue.putNowait(item);
            model.push(item);
          } catch (error) {
            assertInstanceOf(error, Full);
            assert(model.length > 0, `no room for ${step} in an empty queue`);
          }
          assertEquals(queue.qsize(), model.length);
        }
        while (model.length > 0) assertEquals(queue.getNowait(), take());
      }),
      { numRuns: RUNS },
    );
  });
}

function assertHasRoomOrRefuses(queue: AnyQueue<unknown>, item: string | Uint8Array): void {
  try {
    queue.putNowait(item);
  } catch (error) {
    assertInstanceOf(error, RangeError, `no room for ${item.length} in an empty queue: ${error}`);
    return;
  }
  const copy = queue.getNowait() as typeof item;
  assertEquals(copy.length, item.length);
  if (typeof copy === "string") assert(copy === item);
  else assertSameBytes(copy, item as Uint8Array);
}

function assertSameBytes(actual: Uint8Array | Float64Array, expected: Uint8Array | Float64Array) {
  assertEquals([actual.constructor, actual.length], [expected.constructor, expected.length]);
  const [these, those] = [actual, expected].map(({ buffer, byteOffset, byteLength }) =>
    byteLength % 8 === 0
      ? new BigUint64Array(buffer, byteOffset, byteLength / 8)
      : new Uint8Array(buffer, byteOffset, byteLength)
  );
  for (let i = 0; i < these.length; i++) {
    if (these[i] !== those[i]) throw new Error(`other bytes at ${i}`);
  }
}

for (const { name, makeAny } of BOUNDED) {
  test(`${name}.put() waits while the memory is used up, and goes on when items are taken`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const queue = makeAny({ capacityBytes: LEAST_BYTES });
    const item = "x".repeat(100);
    const count = fill(queue, item);
    assertEquals(queue.full(), false);
    const text = "is full, it has used up its memory of 4096 bytes; raise capacityBytes";
    const late = await errorOf(() => queue.put(item, { timeout: SHORT_MS }));
    assertInstanceOf(late, Full);
    assert(late.message.endsWith(text), late.message);
    assertThrows(() => queue.putSync(item, { timeout: SHORT_MS }), Full, text);
    const waits = [queue.put(item), queue.putMany([item, item])];
    assertEquals(allWaitersOf(queue), [0, 2, 0]);
    assertEquals(await stateOf(waits[0]), "pending");
    queue.getNowait();
    await waits[0];
    assertEquals([queue.qsize(), await stateOf(waits[1])], [count, "pending"]);
    queue.getManySync(2);
    await waits[1];
    assertEquals([queue.qsize(), allWaitersOf(queue)], [count, NOBODY]);
    const taking = pool.submit(tasks.getWhenQueued, queue, "putters", undefined);
    queue.putSync(item);
    assertEquals([await taking, queue.qsize()], [item, count]);
    drain(queue);
    await assertSound(queue);
  });

  test(`${name}: a large item waits until many small ones are taken`, async () => {
    const queue = makeAny({ capacityBytes: INITIAL_BYTES });
    const large = bytes(30_000);
    const count = fill(queue, 1);
    const waiting = queue.put(large);
    for (const _ of numbers(count)) assertEquals(await queue.get(), 1);
    assertEquals(await queue.get(), large);
    await waiting;
    await assertSound(queue);
  });

  test(`${name}: a large item gets the memory of small ones before the last of them is taken`, async () => {
    const queue = makeAny({ capacityBytes: INITIAL_BYTES });
    const count = fill(queue, 1);
    // So small that it has room wherever the last of the others lies.
    const waiting = queue.put(bytes(15_000));
    for (const _ of numbers(count - 1)) await queue.get();
    await waiting;
    assertEquals([queue.qsize(), allWaitersOf(queue)], [2, NOBODY]);
    drain(queue);
    await assertSound(queue);
  });

  test(`${name}: producers of items of all sizes in two workers get everything through little memory`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    const queue = (name === "PriorityQueue"
      ? new PriorityQueue({ capacityBytes: INITIAL_BYTES })
      : makeAny({ capacityBytes: INITIAL_BYTES })) as Queue<unknown>;
    const lengths = [1, 10, 100, 1000, 5000, 20_000];
    const items = numbers(300).map((i) =>
      `${i}:${"y".repeat(lengths[i % lengths.length])}`
    );
    const putting = [
      pool.submit(tasks.putEach, queue, items.slice(0, 100)),
      pool.submit(tasks.putTogetherSync, queue, items.slice(100, 200)),
      queue.putMany(items.slice(200)),
    ];
    const seen: unknown[] = [];
    while (seen.length < items.length) {
      if (seen.length % 2 === 0) seen.push(await queue.get());
      else seen.push(...await queue.getMany(3));
    }
    await Promise.all(putting);
    assertEquals(seen.toSorted(), items.toSorted());
    await assertSound(queue);
  });
}

test("PriorityQueue.put() throws RangeError for a priority that its memory could never hold", async () => {
  const queue = new PriorityQueue<number | string>({
    capacityBytes: INITIAL_BYTES,
    priority: (item) => "x".repeat(2 * INITIAL_BYTES) + item,
  });
  for (const item of [1, "small", "y".repeat(9000)]) {
    assertInstanceOf(await errorOf(() => queue.putNowait(item)), RangeError);
    assertInstanceOf(await errorOf(() => queue.put(item, { timeout: SHORT_MS })), RangeError);
    assertInstanceOf(await errorOf(() => queue.putMany([item], { block: false })), RangeError);
  }
  assertEquals([queue.qsize(), allWaitersOf(queue)], [0, NOBODY]);
});

test("Queue: two getters that read large items at once leave no memory behind", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const queue = new Queue<Uint8Array>({ capacityBytes: 2 * MIB });
  const count = 100;
  const taking = [1, 2].map(() => pool.submit(tasks.getSome, queue, count / 2));
  await queued(queue, "getters", 2);
  for (const i of numbers(count)) await queue.put(bytes(100_000, i));
  const seen = (await Promise.all(taking)).flat() as Uint8Array[];
  assertEquals(seen.map(([first]) => first).toSorted((a, b) => a - b), numbers(count));
  assert(fill(queue, bytes(100_000)) >= 10);
});
