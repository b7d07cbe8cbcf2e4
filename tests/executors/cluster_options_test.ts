/** What ClusterExecutor has in addition to what all executors have. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BrokerUnavailableError,
  ClusterExecutor,
  JobLostError,
  PayloadTooLargeError,
  TaskNotFoundError,
} from "../../executors/cluster/mod.ts";
import { Future, NotShareableError, RuntimeError, tasks } from "../../executors/mod.ts";
import { telemetry, type TelemetryApi, type TelemetrySpan } from "../../executors/telemetry.ts";
import { trace } from "../../executors/trace.ts";
import { Lock } from "../../sync/mod.ts";
import * as contract from "../contracts/tasks.ts";
import { test } from "../_support/leaks.ts";
import { NEEDS_REDIS } from "../_support/redis.ts";
import { shareHosts } from "./_cluster_hosts.ts";

const cluster = shareHosts({
  pools: ["default"],
  modules: { tasks: import.meta.resolve("./fixtures/cluster_tasks.ts") },
  leaseSeconds: 20,
});

const MODULES = { tasks: import.meta.resolve("../contracts/tasks.ts") };

/** A module that no host has. */
const OTHER = "file:///elsewhere/other.ts";

function connect(options: Record<string, unknown> = {}): Promise<ClusterExecutor> {
  return ClusterExecutor.connect({ url: cluster.url, modules: MODULES, sweepMs: 100, ...options });
}

test("ClusterExecutor refuses bad options", () => {
  const url = "redis://127.0.0.1:1";
  const cases: [options: unknown, text: string][] = [
    [null, "Cannot connect: expected options such as { url, modules }, got null"],
    [
      "redis://:secret@127.0.0.1",
      "Cannot connect: expected options such as { url, modules }, got a string",
    ],
    [{ modules: MODULES }, "expected `url`"],
    [{ url }, "expected `modules`"],
    [{ url: "127.0.0.1", modules: MODULES }, "the URL is none"],
    [{ url: "http://127.0.0.1", modules: MODULES }, 'unknown protocol "http:"'],
    [{ url, modules: MODULES, tls: {} }, "write rediss://"],
    [{ url, modules: { "a#b": OTHER } }, "Cannot name module"],
    [{ url, modules: { a: "./a.ts" } }, "import.meta.resolve"],
    [{ url, modules: MODULES, pool: "a:b" }, "Cannot use pool"],
    [{ url, modules: MODULES, version: "" }, "Cannot use version"],
    [{ url, modules: MODULES, maxPending: 1.5 }, "expected a whole number"],
    [{ url, modules: MODULES, maxPending: "5" }, 'Cannot use maxPending "5": expected'],
    [{ url: "redis://user:50%@host", modules: MODULES }, 'a lone "%"; write'],
  ];
  for (const [options, text] of cases) {
    assertThrows(() => new ClusterExecutor(options as never), TypeError, text);
  }
  for (const [name, value] of [["maxPending", 0], ["resultTtl", 10], ["retries", -1]] as const) {
    assertThrows(
      () => new ClusterExecutor({ url, modules: MODULES, [name]: value }),
      RangeError,
      `Cannot use ${name} ${value}`,
    );
  }
  assertThrows(
    () => new ClusterExecutor({ url, modules: MODULES, leaseMs: 3e9 }),
    RangeError,
    "Cannot use leaseMs 3000000000: expected 2147483647 or less",
  );
});

test("ClusterExecutor does not quote what may be a password", () => {
  for (const rest of ["/secret@host", "?secret@host", "#secret@host", "/secret"]) {
    const url = `redis://user:12${rest}`;
    const error = assertThrows(
      () => new ClusterExecutor({ url, modules: MODULES }),
      TypeError,
      "as encodeURIComponent() does",
    );
    assertEquals(error.message.includes("secret"), false);
  }
});

test(
  "ClusterExecutor.connect() tells that the broker has no such database, and nothing goes into another",
  NEEDS_REDIS,
  async () => {
    const options = { url: `${cluster.url}/99`, modules: MODULES, pool: "other" };
    await assertRejects(
      () => ClusterExecutor.connect(options),
      BrokerUnavailableError,
      "name a database in the URL that it has",
    );
    const executor = new ClusterExecutor({ ...options, submitTimeout: 200 });
    await assertRejects(() => executor.submit(contract.square, 2).result(), BrokerUnavailableError);
    await executor.shutdown();
    await using there = await connect({ pool: "other" });
    assertEquals((await there.stats()).depth, 0);
  },
);

test("ClusterExecutor.connect() tells within submitTimeout that there is no broker, and not the password", async () => {
  const url = "redis://user:secret@127.0.0.1:1";
  const error = await assertRejects(
    () => ClusterExecutor.connect({ url, modules: MODULES, submitTimeout: 300 }),
    BrokerUnavailableError,
    "Cannot connect: the broker at 127.0.0.1:1",
  );
  assertEquals(error.message.includes("secret"), false);
});

test("ClusterExecutor() of a broker that is away fails its futures within submitTimeout", async () => {
  const executor = new ClusterExecutor({
    url: "redis://127.0.0.1:1",
    modules: MODULES,
    submitTimeout: 200,
  });
  await assertRejects(
    () => executor.submit(contract.square, 2).result(),
    BrokerUnavailableError,
    'Cannot submit "tasks#square"',
  );
  await executor.shutdown();
});

test(
  "ClusterExecutor.submit() fails for a function that no listed module exports, and says what to list",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect();
    await assertRejects(
      () => executor.submit((n: number) => n, 1).result(),
      NotShareableError,
      "mark it with task(import.meta, ...)",
    );
    const other = tasks<{ run(): void }>(OTHER);
    await assertRejects(
      () => executor.submit(other.run).result(),
      NotShareableError,
      `add modules: { other: "${OTHER}" }`,
    );
    await assertRejects(
      () => executor.submit(contract.echo, new Lock()).result(),
      NotShareableError,
      "lives in this machine's memory",
    );
    const missing = tasks<{ missing(): void }>(MODULES.tasks);
    await assertRejects(
      () => executor.submit(missing.missing).result(),
      TaskNotFoundError,
      "exports no such task on this host; it has add,",
    );
  },
);

test(
  "ClusterExecutor.submit() to a version that no host has waits, and can be cancelled",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect({ version: "2" });
    const future = executor.submit(contract.square, 2);
    assertEquals((await executor.stats()).hosts, []);
    assertEquals([future.running(), future.cancel()], [false, true]);
  },
);

test(
  "ClusterExecutor.attach() gives the outcome of a job by its id, to another executor too",
  NEEDS_REDIS,
  async () => {
    await using first = await connect();
    const future = first.submit(contract.describeItself);
    const id = first.idOf(future);
    assertEquals((await future).slice(0, 2), [id, 1]);
    assertStrictEquals(first.idOf(future), id);
    await using second = await connect();
    const again = second.attach(id) as Future<[string, number]>;
    assertEquals((await again)[0], id);
    assertStrictEquals(second.idOf(again), id);
    const failed = first.submit(contract.fail, "kept");
    await failed.exception();
    await assertRejects(() => second.attach(first.idOf(failed)).result(), RangeError, "kept");
    await assertRejects(
      () => second.attach("nobody-0").result(),
      JobLostError,
      "Cannot read outcome: the broker does not know job nobody-0;",
    );
    // The name of a key that is no job.
    await assertRejects(() => second.attach("events").result({ timeout: 5_000 }), JobLostError);
    assertThrows(() => second.attach("a:b"), TypeError, "expected the id of a job");
    assertThrows(() => first.idOf(new Future()), TypeError, "not one of this executor's");
  },
);

test(
  "ClusterExecutor keeps no more than maxPending jobs in the broker, and runs all",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect({ maxPending: 3, version: "none" });
    const futures = Array.from({ length: 10 }, (_, n) => executor.submit(contract.square, n));
    // A message sent has arrived before the broker answers a later request.
    while ((await executor.stats()).depth < 3);
    assertEquals((await executor.stats()).depth, 3);
    for (const future of futures) assert(future.cancel());
    await using working = await connect({ maxPending: 3 });
    const numbers = Array.from({ length: 50 }, (_, n) => n);
    assertEquals(
      await Promise.all(numbers.map((n) => working.submit(contract.square, n))),
      numbers.map((n) => n * n),
    );
  },
);

test(
  "ClusterExecutor.map() sends items one by one whose chunk would be too large",
  NEEDS_REDIS,
  async () => {
    await using executor = await connect({ maxArgumentBytes: 1_000 });
    const texts = ["a", "b", "c"].map((letter) => letter.repeat(600));
    assertEquals(await executor.map(contract.echo, texts, { chunksize: 3 }).toArray(), texts);
    await assertRejects(
      () => executor.submit(contract.echo, "x".repeat(2_000)).result(),
      PayloadTooLargeError,
      "maxArgumentBytes is 1000",
    );
  },
);

test("ClusterExecutor gives results that are too large for an event", NEEDS_REDIS, async () => {
  await using executor = await connect();
  const text = "é".repeat(100_000);
  assertEquals(await executor.submit(contract.echo, text), text);
});

test("trace() and telemetry() say that a cluster cannot be watched", NEEDS_REDIS, async () => {
  await using executor = await connect();
  for (const view of [executor, executor.with({ timeout: 100 })]) {
    assertThrows(
      () => trace(view),
      RuntimeError,
      "Cannot trace a cluster: its tasks run in other programs; use its stats(), or trace a pool that runs the same tasks",
    );
    assertThrows(
      () => telemetry(view, {} as TelemetryApi<unknown, TelemetrySpan>),
      RuntimeError,
      "Cannot watch a cluster: its tasks run in other programs; use its stats(), or watch a pool",
    );
  }
});

test(
  "ClusterExecutor.stats() tells of hosts, of the queue and of its own tasks",
  NEEDS_REDIS,
  async () => {
    const executor = await connect();
    await executor.submit(contract.square, 2);
    await executor.submit(contract.fail, "counted").exception();
    const { hosts, workers, completed, failed, queued, depth, run } = await executor.stats();
    assertEquals([workers, completed, failed, queued, depth], [1, 1, 1, 0, 0]);
    assertEquals(hosts.map(({ threads }) => threads), [1]);
    assert(hosts[0].pid > 0 && run.count >= 1);
    await executor.shutdown();
    await assertRejects(() => executor.stats(), RuntimeError, "was shut down");
  },
);

test("ClusterExecutor.stream() and bad retries are refused", NEEDS_REDIS, async () => {
  await using executor = await connect();
  assertThrows(() => executor.stream(contract.echo as () => number[]), RuntimeError, "map() over");
  for (const view of [executor, executor.with({ priority: 1 }) as ClusterExecutor]) {
    assertThrows(() => view.with({ retries: -1 }), RangeError, "Cannot use retries -1");
  }
  assertEquals(await executor.with({ retries: 0 }).submit(contract.square, 3), 9);
});
