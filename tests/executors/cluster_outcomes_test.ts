/** Outcomes that are too large, or that cannot be sent as they are. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ClusterExecutor, PayloadTooLargeError } from "../../executors/cluster/mod.ts";
import { type MapResult, NotShareableError, tasks } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { NEEDS_REDIS } from "../_support/redis.ts";
import { shareHosts } from "./_cluster_hosts.ts";
import byDefault, * as difficult from "./fixtures/cluster_outcome_tasks.ts";

const ADDRESS = import.meta.resolve("./fixtures/cluster_outcome_tasks.ts");

const cluster = shareHosts({
  pools: ["default"],
  modules: { difficult: ADDRESS },
  leaseSeconds: 20,
});

/** Bytes of a result. */
const LIMIT = 1_000;

function connect(): Promise<ClusterExecutor> {
  return ClusterExecutor.connect({
    url: cluster.url,
    modules: { difficult: ADDRESS },
    maxResultBytes: LIMIT,
  });
}

/** Each result of a map, or the error in its place. */
async function outcomesOf(results: MapResult<unknown>, count: number): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  const iterator = results[Symbol.asyncIterator]();
  for (let i = 0; i < count; i++) {
    await iterator.next().then(
      ({ value }) => outcomes.push(value),
      (error) => outcomes.push(error),
    );
  }
  return outcomes;
}

test(
  "ClusterExecutor.map() runs the rest of a chunk again whose results are too large together",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect();
    const lengths = [300, 1, 301, 302, LIMIT, 303, 304, 305, 306, 307];
    const outcomes = await outcomesOf(
      executor.map(difficult.fill, lengths, { chunksize: lengths.length }),
      lengths.length,
    );
    const error = outcomes[4];
    assert(PayloadTooLargeError.is(error), Deno.inspect(error));
    assertEquals(error.message.includes(`maxResultBytes is ${LIMIT}`), true);
    assertEquals(
      outcomes.map((outcome) => typeof outcome === "string" ? outcome.length : LIMIT),
      lengths,
    );
    assertEquals((await executor.stats()).failed, 0);
  },
);

test(
  "ClusterExecutor.map() fails the one item of a chunk whose result cannot be sent",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect();
    const outcomes = await outcomesOf(
      executor.map(difficult.symbolForThree, [1, 2, 3, 4], { chunksize: 4 }),
      4,
    );
    const [error] = outcomes.splice(2, 1);
    assertEquals(outcomes, [1, 2, 4]);
    assert(NotShareableError.is(error), Deno.inspect(error));
    assertEquals(error.message.includes("Symbol(three) cannot be cloned"), true);
  },
);

test(
  "ClusterExecutor gives an error that has what cannot be sent, with words in place of that",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect();
    const error = await assertRejects(() => executor.submit(difficult.failWithParts).result());
    assertInstanceOf(error, RangeError);
    const { message, cause, code, retry, self } = error as RangeError & Record<string, unknown>;
    assertEquals(
      [message, cause, code, retry, self],
      ["odd", "Symbol(cause)", 7, undefined, "Error"],
    );
  },
);

test("ClusterExecutor tells of an error that is too large", NEEDS_REDIS, async () => {
  await using executor = await connect();
  const error = await assertRejects(
    () => executor.submit(difficult.fill, 2 * LIMIT, true).result(),
    PayloadTooLargeError,
    'it begins with "RangeError: xxx',
  );
  assert(error.message.length < LIMIT);
});

test(
  "ClusterExecutor finds tasks by the names of their functions, and of their exports",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect();
    const { exportedName } = tasks<{ exportedName(): string }>(ADDRESS);
    assertEquals(
      await Promise.all([
        executor.submit(difficult.exportedName),
        executor.submit(exportedName),
        executor.submit(byDefault),
      ]),
      ["own", "own", "default"],
    );
  },
);
