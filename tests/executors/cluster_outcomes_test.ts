/** Outcomes that are too large, or that cannot be sent as they are. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { BullSubmitter } from "../../executors/cluster/_bullmq.ts";
import {
  ClusterExecutor,
  JobLostError,
  PayloadTooLargeError,
  RemoteError,
} from "../../executors/cluster/mod.ts";
import {
  type MapResult,
  NotShareableError,
  tasks,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
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

/** The most bytes that a result may have. */
const LIMIT = 1_000;

/** Characters of an outcome that is too large for any event. */
const LARGE = 100_000;

function connect(maxResultBytes = LIMIT): Promise<ClusterExecutor> {
  return ClusterExecutor.connect({
    url: cluster.url,
    modules: { difficult: ADDRESS },
    maxResultBytes,
  });
}

/** The engine of a submitter that receives nothing. */
function deafEngine(): BullSubmitter {
  const nobody = { active() {}, waiting() {}, completed() {}, failed() {}, progress() {} };
  const address = { url: cluster.url, tls: undefined, silenceMs: 15_000 };
  return new BullSubmitter(address, "default", 10_000, nobody, () => {});
}

/** Makes the hosts run `fill` for a submitter that neither receives nor removes anything. */
async function addForNobody(id: string, ...args: Parameters<typeof difficult.fill>): Promise<void> {
  const engine = deafEngine();
  const limits = { timeout: null, retries: 0, maxResult: 3 * LARGE, ttl: 60_000 };
  const data = { v: 1 as const, args: JSON.stringify(args), arity: 0, ...limits };
  try {
    await engine.add([{ id, name: "difficult#fill", data, priority: 0 }]);
  } finally {
    await engine.close();
  }
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
    const limit =
      `at most ${LIMIT} may be returned: the smaller of maxResultBytes and the host's --max-result`;
    assertStringIncludes(error.message, limit);
    assertEquals(
      outcomes.map((outcome) => typeof outcome === "string" ? outcome.length : LIMIT),
      lengths,
    );
    // This still counts as one task, and as one that has failed.
    const { completed, failed } = await executor.stats();
    assertEquals([completed, failed], [0, 1]);
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
  "ClusterExecutor.stats() counts a chunk as failed of which an item threw, as thread pools do",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect();
    await using threads = new ThreadPoolExecutor({ maxWorkers: 1 });
    for (const pool of [executor, threads]) {
      const fails = [false, true, false, false, true, true];
      const results = pool.map(difficult.fill, [1, 1, 1, 1, 1, 1], fails, { chunksize: 2 });
      await outcomesOf(results, fails.length);
      const { completed, failed } = await pool.stats();
      assertEquals([completed, failed], [1, 2]);
    }
  },
);

test(
  "ClusterExecutor.stats() counts what the executor has submitted, and not what it has attached to",
  NEEDS_REDIS,
  async () => {
    await using submitter = await connect();
    await using other = await connect();
    const counts = async (executor: ClusterExecutor) => {
      const { queued, running, completed, failed, cancelled, wait, run } = await executor.stats();
      return [queued, running, completed, failed, cancelled, wait.count > 0, run.count > 0];
    };
    const [returns, fails] = [false, true].map((fails) =>
      submitter.submit(difficult.fill, 1, fails)
    );
    const attached = [returns, fails].map((future) => other.attach(submitter.idOf(future)));
    await Promise.all([returns, fails, ...attached].map((future) => future.exception()));
    // There is no such job, but that takes a while to find out.
    const nowhere = other.attach("nowhere");
    const none = [0, 0, 0, 0, 0, false, false];
    assertEquals(await counts(other), none);
    nowhere.cancel();
    assertEquals(await counts(other), none);
    assertEquals((await counts(submitter)).slice(0, 5), [0, 0, 1, 1, 0]);
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

for (
  const way of [
    "error named by a symbol",
    "error without a readable stack",
    "DOMException",
    "getter that throws",
    "proxy whose traps throw",
    "array with toJSON",
  ]
) {
  test(`ClusterExecutor gives what a thread pool gives of: ${way}`, NEEDS_REDIS, async () => {
    await using executor = await connect(LARGE);
    await using threads = new ThreadPoolExecutor({ maxWorkers: 1 });
    const [here, there] = await Promise.all(
      [threads, executor].map((pool) =>
        pool.submit(difficult.strange, way).result().catch((error: unknown) => ({ error }))
      ),
    );
    if (Array.isArray(here)) return assertEquals(there, here);
    const [own, far] = [here, there].map((outcome) => (outcome as { error: Error }).error);
    assertStrictEquals(Object.getPrototypeOf(far), Object.getPrototypeOf(own));
    assertEquals(far.name, own.name);
    // The two texts differ for values that cannot be sent.
    if (NotShareableError.is(own)) assertStringIncludes(far.message, "Error: It is not there");
    else assertEquals(far.message, own.message);
  });
}

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
  "ClusterExecutor gives large errors whole, and keeps them for a moment for those who are attached",
  NEEDS_REDIS,
  async () => {
    const ids: string[] = [];
    {
      await using executor = await connect(3 * LARGE);
      for (let i = 0; i < 3; i++) {
        const future = executor.submit(difficult.fill, LARGE, true);
        const error = await future.exception();
        assertInstanceOf(error, RangeError);
        assertEquals(error.message.length, LARGE);
        ids.push(executor.idOf(future)!);
      }
      // At the latest at its end, the executor tells the broker what it must forget.
    }
    const engine = deafEngine();
    try {
      for (const id of ids) {
        const leftMs = Number(await cluster.command("PTTL", `bull:default:cf:result:${id}`));
        assert(leftMs > 0 && leftMs <= 15_000, `${leftMs} ms`);
        assert((await engine.fetch(id))!.length > LARGE);
      }
      // Removing a job once more does not keep its outcome for longer.
      await cluster.command("PEXPIRE", `bull:default:cf:result:${ids[0]}`, "1000");
      assertEquals(await engine.remove(ids), []);
      const leftMs = Number(await cluster.command("PTTL", `bull:default:cf:result:${ids[0]}`));
      assert(leftMs <= 1_000, `${leftMs} ms`);
    } finally {
      await engine.close();
    }
    const events = Number(await cluster.command("MEMORY", "USAGE", "bull:default:events"));
    assert(events < LARGE, `${events} bytes`);
  },
);

test("The events of a pool hold no result of more than 4 KB", NEEDS_REDIS, async () => {
  await using executor = await connect(3 * LARGE);
  const size = async () => Number(await cluster.command("MEMORY", "USAGE", "bull:default:events"));
  const before = await size();
  for (let i = 0; i < 10; i++) {
    assertEquals((await executor.submit(difficult.fill, 5_000)).length, 5_000);
  }
  const grown = await size() - before;
  assert(grown < 25_000, `${grown} bytes`);
});

test(
  "BullSubmitter.remove() reports a job that cannot be removed as held",
  NEEDS_REDIS,
  async () => {
    const engine = deafEngine();
    try {
      await cluster.command("SET", "bull:default:odd", "no job");
      assertEquals(await engine.remove(["missing", "odd"]), ["odd"]);
    } finally {
      await cluster.command("DEL", "bull:default:odd");
      await engine.close();
    }
  },
);

test(
  "ClusterExecutor.attach() gives a large error, and what is known of it once that is gone",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect();
    const id = "large-error";
    await addForNobody(id, LARGE, true);
    const error = await executor.attach(id).exception();
    assertInstanceOf(error, RangeError);
    assertEquals(error.message.length, LARGE);
    assertEquals(await cluster.command("UNLINK", `bull:default:cf:result:${id}`), "1");
    const rest = await executor.attach(id).exception();
    assert(RemoteError.is(rest), Deno.inspect(rest));
    assertEquals(rest.message.startsWith("RangeError: xxx"), true);
    assert(JobLostError.is(rest.cause), Deno.inspect(rest.cause));
  },
);

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
