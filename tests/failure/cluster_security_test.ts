/**
 * Names and payloads from an intruder that can write to the broker, and brokers that must not be
 * trusted.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { fromFileUrl } from "@std/path";
import { Queue, Worker } from "bullmq";
import {
  BrokerUnavailableError,
  ClusterExecutor,
  TaskNotFoundError,
} from "../../executors/cluster/mod.ts";
import { test } from "../_support/leaks.ts";
import { certificates } from "../_support/certificates.ts";
import { startDeno } from "../_support/processes.ts";
import { type RedisServer, startRedis } from "../_support/redis.ts";
import { CONFIG, ROOT } from "../_support/scratch.ts";
import {
  CLUSTER,
  connect,
  launchWorker,
  MODULE,
  POOL,
  range,
  startWorker,
  STEADY,
  TaskLog,
  TASKS,
  WORKER,
} from "./_cluster_support.ts";
import * as tasks from "./_cluster_tasks.ts";

/** The rules that docs/cluster.md gives. */
const RULES =
  "resetkeys ~bull:* resetchannels -@all +@read +@write +@stream +@blocking +@scripting +@transaction " +
  "+@connection -@dangerous +info +client|list";

const USER = { name: "exec", password: "pass-of-exec", rules: RULES };

/** A client of the broker that writes whatever it wants. */
async function intruder(redis: RedisServer): Promise<Queue & AsyncDisposable> {
  const queue = new Queue(POOL, { connection: { host: "127.0.0.1", port: redis.port } });
  await queue.waitUntilReady();
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() });
}

test(
  "A worker host runs the tasks of its modules by their names, and nothing else",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using log = new TaskLog();
    await using _worker = await startWorker(redis.url, ...STEADY);
    await using executor = await connect(redis.url);
    const honest = executor.submit(tasks.note, log.path, "honest");
    await honest;
    await using queue = await intruder(redis);
    const { data, name, opts } = (await queue.getJob(executor.idOf(honest)))!;
    assertEquals(name, `${MODULE}#note`);
    const names = [
      ...[
        "constructor",
        "__proto__",
        "toString",
        "hasOwnProperty",
        "prototype",
        "default",
        "then",
      ],
      ...["secret", "missing", "note.call", "note#call", "", " note", "Note"],
    ].map((name) => `${MODULE}#${name}`);
    names.push("other#note", "#note", "note", "#", "__proto__#note", "constructor#constructor");
    names.push("node:fs#readFileSync", "file:///etc/passwd#x", `${import.meta.url}#x`);
    for (const [i, name] of names.entries()) {
      const jobId = `hostile-${i}`;
      await queue.add(name, data, { priority: opts.priority, jobId });
      const error = await executor.attach(jobId).exception();
      assert(TaskNotFoundError.is(error), `${name}: ${Deno.inspect(error)}`);
    }
    // The same data under the right name runs: it was the name that was refused.
    await queue.add(name, data, { priority: opts.priority, jobId: "right" });
    assertEquals(await executor.attach("right"), "honest");
    assertEquals(log.starts(), new Map([["honest", 2]]));
  },
);

test("A worker host refuses payloads that are none, and goes on", CLUSTER, async () => {
  await using redis = await startRedis();
  await using log = new TaskLog();
  await using worker = await startWorker(redis.url, ...STEADY);
  await using executor = await connect(redis.url);
  const honest = executor.submit(tasks.note, log.path, "honest");
  await honest;
  await using queue = await intruder(redis);
  const { data, name, opts } = (await queue.getJob(executor.idOf(honest)))!;
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const payloads: unknown[] = [
    ...[null, 1, "text", [], {}, { ...data, v: 99 }, { v: data.v }],
    ...["", "{", "1", "null", '{"length":2}', deep, `[${deep}]`].map((args) => ({
      ...data,
      args,
    })),
    ...[
      '[{"$":"Nothing","v":1}]',
      '[{"$":"bigint","v":"x"}]',
      '[{"$":"constructor"}]',
      '[{"__proto__":{"polluted":true}}]',
      '{"$":"Array","v":[[],[["4294967294",1]]]}',
    ].map((
      args,
    ) => ({ ...data, args })),
    ...[-1, 1.5, 1e9, "2"].map((arity) => ({ ...data, arity })),
    ...[-1, "soon"].map((timeout) => ({ ...data, timeout })),
  ];
  for (const [i, payload] of payloads.entries()) {
    const jobId = `hostile-${i}`;
    await queue.add(name, payload, { priority: opts.priority, jobId });
    const error = await executor.attach(jobId).exception();
    assert(
      error instanceof Error,
      `${Deno.inspect(payload).slice(0, 200)}: ${Deno.inspect(error)}`,
    );
  }
  const key = `bull:${POOL}:raw`;
  await redis.command("HSET", key, "name", name, "data", "no JSON", "opts", "{}", "timestamp", "1");
  await redis.command("ZADD", `bull:${POOL}:prioritized`, "1", "raw");
  await redis.command("ZADD", `bull:${POOL}:marker`, "0", "0");
  assertInstanceOf(await executor.attach("raw").exception(), TypeError);
  // In the codec's own form of an object, this is a key like any other.
  const polluted = '[{"$":"Object","v":[["__proto__",{"polluted":true}]]}]';
  await queue.add(`${MODULE}#echo`, { ...data, args: polluted }, {
    priority: opts.priority,
    jobId: "polluted",
  });
  const answer = await executor.attach("polluted") as object;
  assertEquals("polluted" in {}, false);
  assertEquals(Object.getPrototypeOf(answer), Object.prototype);
  assertEquals(await executor.submit(tasks.pass, log.path, "after", log.path), worker.pid);
  assertEquals(log.starts(), new Map([["honest", 1], ["after", 1]]));
});

test("ClusterExecutor.map() fails what no chunk can have returned", CLUSTER, async () => {
  await using redis = await startRedis();
  await using executor = await connect(redis.url);
  const connection = { host: "127.0.0.1", port: redis.port };
  const answers = ["5", "[1,[],[]]", "[1,[1,2,3],[]]", '[1,{"length":2},[]]'];
  const worker = new Worker(POOL, () => Promise.resolve(answers.shift()), { connection });
  try {
    while (answers.length > 0) {
      await assertRejects(
        () => executor.map(tasks.echo, [1, 2], { chunksize: 2 }).toArray(),
        TypeError,
        "it is not that of a chunk",
      );
    }
  } finally {
    await worker.close();
  }
});

test(
  "ClusterExecutor fails a job whose result is no JSON, and finds the outcome of another",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using executor = await connect(redis.url);
    const keyOf = (id: string) => `bull:${POOL}:${id}`;
    const end = ["processedOn", "1", "finishedOn", "2", "returnvalue"];
    await redis.command("HSET", keyOf("bad"), "timestamp", "1", ...end, "no JSON");
    await redis.command("HSET", keyOf("good"), "timestamp", "1");
    const [bad, good] = [executor.attach("bad"), executor.attach("good")];
    await redis.command("HSET", keyOf("good"), ...end, JSON.stringify('"good"'));
    const error = await bad.exception();
    assertInstanceOf(error, TypeError);
    assertStringIncludes(error.message, "Cannot read result");
    assertEquals(await good, "good");
    // The same by an event.
    await redis.command("HSET", keyOf("late"), "timestamp", "1");
    const late = executor.attach("late");
    const event = ["event", "completed", "jobId", "late", "returnvalue", "no JSON"];
    await redis.command("XADD", `bull:${POOL}:events`, "*", ...event);
    assertInstanceOf(await late.exception(), TypeError);
  },
);

/** What no worker host says of itself. */
const NO_REPORTS = [
  "no JSON",
  "null",
  "{}",
  '{"id":"odd","name":"odd","pid":1,"threads":"x","running":0,"done":0}',
  '{"id":"odd","name":"odd","pid":1,"threads":-5,"running":0,"done":0}',
];

test(
  "ClusterExecutor does not count as a host what does not report itself as one",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using _worker = await startWorker(redis.url, ...STEADY);
    await using before = await connect(redis.url);
    const { workers } = await before.stats();
    for (const report of NO_REPORTS) {
      await redis.command("SADD", `bull:${POOL}:cf:hosts`, "odd");
      await redis.command("SET", `bull:${POOL}:cf:host:odd`, report);
      await using executor = await connect(redis.url);
      assertEquals((await executor.stats()).workers, workers, report);
      assertEquals(await executor.map(tasks.echo, [1, 2, 3]).toArray(), [1, 2, 3], report);
    }
  },
);

test("A job that is added again under its id is run once", CLUSTER, async () => {
  await using redis = await startRedis();
  await using log = new TaskLog();
  await using executor = await connect(redis.url);
  const future = executor.submit(tasks.note, log.path, "once");
  await using queue = await intruder(redis);
  const jobId = executor.idOf(future);
  let job = await queue.getJob(jobId);
  while (job === undefined) job = await queue.getJob(jobId);
  const { name, data, opts } = job;
  const again = () => queue.add(name, data, { priority: opts.priority, jobId });
  await Promise.all(range(3).map(again));
  await using _worker = await startWorker(redis.url, ...STEADY);
  assertEquals(await future, "once");
  await again();
  assertEquals(await executor.submit(tasks.note, log.path, "next"), "next");
  log.assertEachOnce(["once", "next"]);
});

test(
  "ClusterExecutor.submit() refuses a task of a module that is not listed, and says what to list",
  CLUSTER,
  async () => {
    await using redis = await startRedis();
    await using executor = await connect(redis.url, {
      modules: { other: import.meta.resolve("../contracts/tasks.ts") },
    });
    const error = await assertRejects(async () => await executor.submit(tasks.echo, 1), Error);
    assertStringIncludes(error.message, "modules");
    assertStringIncludes(error.message, "_cluster_tasks.ts");
  },
);

test(
  "ClusterExecutor and its worker hosts need no more than the documented rights, by TLS",
  CLUSTER,
  async () => {
    await using redis = await startRedis({ tls: true, user: USER });
    await using log = new TaskLog();
    const url = `rediss://${USER.name}:${USER.password}@localhost:${redis.port}`;
    await using worker = await startWorker(url, "--ca", redis.caFile!);
    await using executor = await connect(url, { tls: { ca: redis.ca! } });
    const values = range(50);
    const futures = values.map((n) => executor.submit(tasks.note, log.path, n));
    assertEquals(await Promise.all(futures), values);
    assertEquals(await executor.map(tasks.echo, values).toArray(), values);
    assertEquals(await executor.attach(executor.idOf(futures[0])), 0);
    worker.kill("SIGTERM");
    assertEquals((await worker.status).code, 0);
    const waits = executor.submit(tasks.note, log.path, "never");
    assertEquals(waits.cancel(), true);
    assert(!worker.printed.join("\n").includes(USER.password), "the password was printed");
  },
);

test("ClusterExecutor and its worker hosts connect by TLS to an address", CLUSTER, async () => {
  await using redis = await startRedis({ tls: "DNS:localhost,IP:127.0.0.1" });
  const url = `rediss://127.0.0.1:${redis.port}`;
  await using _worker = await startWorker(url, "--ca", redis.caFile!);
  await using executor = await connect(url, { tls: { ca: redis.ca! } });
  assertEquals(await executor.submit(tasks.echo, 1), 1);
});

test(
  "A worker host needs no permissions but those that the documentation names",
  CLUSTER,
  async () => {
    await using redis = await startRedis({ tls: true, user: USER });
    const url = `rediss://${USER.name}:${USER.password}@localhost:${redis.port}`;
    await using worker = startDeno([
      ...[
        "run",
        "--config",
        CONFIG,
        "--no-prompt",
        "--quiet",
        `--allow-net=localhost:${redis.port}`,
      ],
      `--allow-read=${fromFileUrl(ROOT)},${redis.caFile}`,
      ...["--allow-env=CONCURRENT_FUTURES_BROKER", "--ignore-env", WORKER, "--pool", POOL],
      ...["--ca", redis.caFile!, "--module", `${MODULE}=${fromFileUrl(TASKS)}`],
    ], { CONCURRENT_FUTURES_BROKER: url });
    await using executor = await connect(url, { tls: { ca: redis.ca! } });
    assertEquals(await executor.submit(tasks.echo, "narrow"), "narrow");
    worker.kill("SIGTERM");
    const [{ code }, printed, errors] = await Promise.all([
      worker.status,
      worker.lines(),
      worker.errors(),
    ]);
    assertEquals([code, errors], [0, ""]);
    assert(!printed.join("\n").includes(USER.password), "the password was printed");
  },
);

/**
 * Asserts that both an executor and a worker host refuse to connect, soon, with a reason, and
 * without naming the password.
 */
async function assertRefused(url: string, password: string, ca: string, caFile: string) {
  let error: unknown;
  try {
    await using executor = await ClusterExecutor.connect({
      url,
      pool: POOL,
      modules: {},
      tls: { ca },
      submitTimeout: 5_000,
    });
    error = `it connected: ${Deno.inspect(executor)}`;
  } catch (thrown) {
    error = thrown;
  }
  assert(BrokerUnavailableError.is(error), Deno.inspect(error));
  assert(!Deno.inspect(error).includes(password), "the password is in the error");

  await using worker = launchWorker(url, "--ca", caFile, "--threads", "1");
  const [{ code }, printed, errors] = await Promise.all([
    worker.status,
    worker.lines(),
    worker.errors(),
  ]);
  const said = printed.join("\n") + errors;
  assert(code !== 0, said);
  assert(!said.includes("ready"), said);
  assertStringIncludes(said, "Cannot ");
  assert(!said.includes(password), "the password was printed");
}

test(
  "ClusterExecutor and its worker hosts refuse a wrong authority, host name and password",
  CLUSTER,
  async () => {
    await using redis = await startRedis({ tls: true, user: USER });
    const folder = await Deno.makeTempDir({ prefix: "futures-other-" });
    try {
      const { caFile } = await certificates(folder);
      const otherCa = await Deno.readTextFile(caFile);
      const at = (host: string, password: string) =>
        `rediss://${USER.name}:${password}@${host}:${redis.port}`;
      const { password } = USER;
      await assertRefused(at("localhost", password), password, otherCa, caFile);
      await assertRefused(at("127.0.0.1", password), password, redis.ca!, redis.caFile!);
      await assertRefused(at("localhost", "wrong-word"), "wrong-word", redis.ca!, redis.caFile!);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
