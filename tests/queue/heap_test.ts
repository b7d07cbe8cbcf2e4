/** The blocks of a queue's memory, without a queue. */

import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { QUEUE } from "../../_memory/layout.ts";
import { BLOCK, createHeapBuffer, formOf, Heap, lengthOf } from "../../queue/_heap.ts";
import { test } from "../_support/leaks.ts";
import { numbers } from "./_support.ts";

const CAPACITY_BYTES = 1 << 16;
const RUNS = 300;
/** The FORM of blocks in use; any but 0. */
const USED = 1;
/** One more block is given back before another walk for as many that are in use. */
const BLOCKS_PER_FREE = 16;

/** A heap of which every word of every block in use is written, and checked. */
class CheckedHeap {
  readonly heap = new Heap(createHeapBuffer(CAPACITY_BYTES));
  /** What is in the words of each block in use. */
  readonly used = new Map<number, number>();
  #next = 1;

  allocate(size: number): number {
    const { heap, used } = this;
    const block = heap.allocate(size);
    const { words } = heap;
    if (block === 0) {
      if (used.size < BLOCKS_PER_FREE - 1) {
        const most = (size > 256 ? 1.25 : 2) * size;
        assert(this.#longestRun() < most, `${size} words were refused`);
      }
      return 0;
    }
    assert(lengthOf(words, block) >= size);
    words[block + BLOCK.META] |= USED;
    const value = this.#next++;
    for (const at of this.#wordsOf(block)) words[at] = value;
    used.set(block, value);
    return block;
  }

  free(block: number): void {
    this.check(block);
    this.used.delete(block);
    this.heap.free(block);
  }

  /** Cuts off what a block has beyond `size` words. */
  trim(block: number, size: number): void {
    const { words } = this.heap;
    const before = lengthOf(words, block);
    const wasTrimmed = this.heap.trim(block, size);
    assert(lengthOf(words, block) >= Math.min(size, before));
    assertEquals(wasTrimmed, lengthOf(words, block) < before);
  }

  /** Fails unless a block is as it was written. */
  check(block: number): void {
    const { words } = this.heap;
    assertEquals(formOf(words, block), USED);
    for (const at of this.#wordsOf(block)) assertEquals(words[at], this.used.get(block));
  }

  /** Fails unless all blocks in use are as they were written, and found from the first block on. */
  checkAll(): void {
    for (const block of this.used.keys()) this.check(block);
    const found = [...this.#blocks()].filter((block) => formOf(this.heap.words, block) === USED);
    assertEquals(found, [...this.used.keys()].toSorted((a, b) => a - b));
  }

  /** All words of a block, except for META. */
  *#wordsOf(block: number): Generator<number> {
    const end = block + lengthOf(this.heap.words, block);
    for (let at = block; at < end; at++) if (at !== block + BLOCK.META) yield at;
  }

  /** All blocks, in the order of their addresses; they lie without a gap between them. */
  *#blocks(): Generator<number> {
    const { words } = this.heap;
    let at: number = QUEUE.SIZE;
    for (; at < words[QUEUE.HEAP]; at += lengthOf(words, at)) yield at;
    assertEquals(at, words[QUEUE.HEAP]);
  }

  /** How many words that lie behind one another are free. */
  #longestRun(): number {
    const { words } = this.heap;
    let start: number = QUEUE.SIZE;
    let longest = 0;
    for (const block of this.#blocks()) {
      if (formOf(words, block) !== USED) continue;
      longest = Math.max(longest, block - start);
      start = block + lengthOf(words, block);
    }
    return Math.max(longest, CAPACITY_BYTES / 4 - start);
  }
}

test("Heap: blocks of random sizes keep their words, and are one piece again once all are free", () => {
  const size = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 600 }),
    fc.integer({ min: 1, max: 9000 }),
  );
  const step = fc.record({
    act: fc.constantFrom("allocate", "allocate", "free", "trim"),
    size,
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const checked = new CheckedHeap();
      for (const { act, size, which } of steps) {
        const blocks = [...checked.used.keys()];
        const block = blocks[which % blocks.length];
        if (act === "allocate") checked.allocate(size);
        else if (block === undefined) continue;
        else if (act === "free") checked.free(block);
        else checked.trim(block, size);
      }
      checked.checkAll();
      for (const block of checked.used.keys()) checked.free(block);
      assert(checked.allocate(checked.heap.largestBeside(0)) !== 0);
      checked.checkAll();
    }),
    { numRuns: RUNS },
  );
});

/** Fills a heap with blocks of `size` words. */
function full(size: number): { heap: CheckedHeap; blocks: number[] } {
  const heap = new CheckedHeap();
  const blocks: number[] = [];
  for (let block = heap.allocate(size); block !== 0; block = heap.allocate(size)) {
    blocks.push(block);
  }
  return { heap, blocks };
}

test("Heap.allocate() splits a free block that is larger than wanted", () => {
  const { heap, blocks } = full(1024);
  while (heap.allocate(16) !== 0); // What is left behind the last block.
  heap.free(blocks[3]);
  const small = numbers(1024 / 16).map(() => heap.allocate(16));
  assertEquals(
    small.toSorted((a, b) => a - b),
    small.map((_, i) => blocks[3] + 16 * i),
  );
  assertEquals(heap.allocate(16), 0);
  heap.checkAll();
});

test("Heap.allocate() merges free blocks that lie side by side, and no others", () => {
  const { heap, blocks } = full(1024);
  heap.free(blocks[5]);
  heap.free(blocks[3]);
  assertEquals(heap.allocate(2048), 0);
  heap.free(blocks[4]);
  assertEquals(heap.allocate(2048), blocks[3]);
  heap.checkAll();
});

test("Heap.allocate() merges what is free at the end with what was never used", () => {
  const { heap, blocks } = full(1024);
  const last = blocks.at(-1)!;
  heap.free(last);
  assertEquals(heap.allocate(1280), last);
  heap.checkAll();
});

test("Heap.allocate() takes at most a quarter more than wanted, from 256 words on", () => {
  const heap = new Heap(createHeapBuffer(1 << 26));
  for (let size = 256; size < 1 << 22; size = Math.ceil(size * 1.01)) {
    const block = heap.allocate(size);
    assert(block !== 0);
    const length = lengthOf(heap.words, block);
    assert(length >= size && length <= 1.25 * size, `${length} for ${size}`);
    heap.free(block);
    assertEquals(heap.allocate(length), block);
    heap.reset();
  }
});

test("Heap.allocate() tries again to merge once some of many blocks were given back", () => {
  const { heap, blocks } = full(16);
  for (const [i, block] of blocks.entries()) if (i % 2 === 0) heap.free(block);
  assertEquals(heap.allocate(32), 0);
  const needed = 1 + Math.floor(heap.used.size / BLOCKS_PER_FREE);
  for (const block of blocks.filter((_, i) => i % 2 === 1).slice(0, needed)) heap.free(block);
  assert(heap.allocate(32) !== 0);
  heap.checkAll();
});
