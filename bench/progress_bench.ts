/**
 * What does `progress` cost a loop, compared with the same loop without it?
 *
 * `deno run -A bench/progress_bench.ts` measures both in one process, in turn, and prints medians
 * and ratios. Where standard error is a terminal, a bar is drawn meanwhile. Most of the loops only
 * add or count: any real work makes the ratio smaller.
 *
 * @module
 */

import { asCompleted, Future, ThreadPoolExecutor } from "@concurrent/futures";
import { progress } from "@concurrent/futures/progress";
import { interleave, nsEach, row } from "./_measure.ts";
import { increment } from "./_tasks.ts";

const REPEATS = 9;
const ITEMS = 1_000_000;
/** The work for a small item: this number of square roots. */
const ROOTS = 250;

const items = Array.from({ length: ITEMS }, (_, i) => i);

function* generate(): Generator<number> {
  for (let i = 0; i < ITEMS; i++) yield i;
}

async function* generateLater(): AsyncGenerator<number> {
  for (let i = 0; i < ITEMS; i++) yield await i;
}

function doneFutures(): Future<number>[] {
  return items.map((i) => {
    const future = new Future<number>();
    future.setResult(i);
    return future;
  });
}

function sum(values: Iterable<number>): void {
  let total = 0;
  for (const value of values) total += value;
  if (total === 0) throw new Error("Cannot measure: nothing was added");
}

async function sumLater(values: AsyncIterable<number>): Promise<void> {
  let total = 0;
  for await (const value of values) total += value;
  if (total === 0) throw new Error("Cannot measure: nothing was added");
}

/** Runs a loop with a little work for each item. */
function work(values: Iterable<number>): void {
  let total = 0;
  for (const value of values) {
    for (let i = 0; i < ROOTS; i++) total += Math.sqrt(value + i);
  }
  if (total === 0) throw new Error("Cannot measure: nothing was added");
}

function exhaust(values: Iterable<unknown>): void {
  let count = 0;
  for (const _ of values) count++;
  if (count !== ITEMS) throw new Error(`Cannot measure: ${count} values came`);
}

const shown = { leave: false };

/** Measures a loop over what `make` makes, with and without `progress`. */
async function compare<I>(
  what: string,
  make: () => I,
  show: (iterable: I) => I,
  loop: (iterable: I) => void | Promise<void>,
): Promise<void> {
  const { bare, ours } = await interleave(REPEATS, {
    bare: () => nsEach(ITEMS, () => loop(make())),
    ours: () => nsEach(ITEMS, () => loop(show(make()))),
  });
  row(
    what,
    `${bare.toFixed(1)} ns`,
    `${ours.toFixed(1)} ns`,
    `${(ours / bare).toFixed(2)} x`,
    `${(ours - bare).toFixed(0)} ns an item`,
  );
}

if (import.meta.main) {
  console.log("A million items each\n");
  row("", "without", "with progress", "ratio", "costs");
  await compare("for, array", () => items, (it) => progress(it, shown) as number[], sum);
  await compare("for, generator", generate, (it) => progress(it, shown) as typeof it, sum);
  await compare(
    `for, array, ${ROOTS} roots an item`,
    () => items,
    (it) => progress(it, shown) as number[],
    work,
  );
  await compare(
    "for await, asynchronous generator",
    generateLater,
    (it) => progress(it, shown) as typeof it,
    sumLater,
  );
  const futures = doneFutures();
  await compare(
    "for, asCompleted of done futures",
    () => asCompleted(futures),
    (it) => progress(it, shown) as typeof it,
    exhaust,
  );
  await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const results = () => pool.map(increment, items);
  await compare("for await, map on 2 threads", results, (it) => progress(it, shown), sumLater);
  await compare("for, map on 2 threads", results, (it) => progress(it, shown), sum);
  await compare("map on 2 threads, toArray()", results, (it) => progress(it, shown), async (it) => {
    exhaust(await it.toArray());
  });
}
