/**
 * A cluster of Deno and Node: a submitter on one, a worker host on the other, each with the package
 * in the form that its runtime gets.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ClusterExecutor } from "../../executors/cluster/mod.ts";
import { tasks } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import "../_support/processes.ts";
import { NEEDS_REDIS, startRedis } from "../_support/redis.ts";
import { CONFIG, ROOT } from "../_support/scratch.ts";
import { type Consumer, hasNode, installed, NAME } from "./_consumer.ts";

/** The first test builds the package, and installs it with what a cluster needs. */
const OPTIONS = { ignore: !hasNode || NEEDS_REDIS.ignore, timeout: 120_000 };

const CLIENTS = ["bullmq@^6.5.1", "ioredis@^6.0.0"];

/** The module of the tasks; `PACKAGE` stands for how it imports the package. */
const WORK = `
import { task, taskContext } from "PACKAGE";

export const gcd = task(import.meta, function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
});

export const describe = task(import.meta, function describe(value) {
  const runtime = typeof globalThis.Deno === "object" ? "Deno" : "Node";
  return [runtime, taskContext().attempt, value];
});

export const fail = task(import.meta, function fail(text) {
  throw new RangeError(text, { cause: new Map([["n", 1n]]) });
});
`;

interface Work {
  gcd(a: number, b: number): number;
  describe(value: unknown): [runtime: string, attempt: number, value: unknown];
  fail(text: string): never;
}

const DENO_WORK = WORK.replace("PACKAGE", new URL("mod.ts", ROOT).href);

let consumer: Promise<Consumer> | undefined;
Deno.test.afterAll(async () => await (await consumer)?.[Symbol.asyncDispose]());

function onNode(): Promise<Consumer> {
  return consumer ??= installed({ "work.mjs": WORK.replace("PACKAGE", NAME) }, CLIENTS);
}

/** Starts a worker host; resolves after its first line. SIGTERM ends it. */
async function startHost(
  command: string,
  args: string[],
  cwd: URL,
): Promise<{ end(): Promise<{ code: number; output: string }> } & AsyncDisposable> {
  const child = new Deno.Command(command, {
    args,
    cwd,
    env: { NO_COLOR: "1", NODE_NO_WARNINGS: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (!output.includes("ready")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The host has ended: ${output}${await errors}`);
    output += value;
  }
  let ended: Promise<{ code: number; output: string }> | undefined;
  const end = async (): Promise<{ code: number; output: string }> => {
    child.kill("SIGTERM");
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      output += next.value;
    }
    const { code } = await child.status;
    return { code, output: output + await errors };
  };
  return {
    end: () => ended ??= end(),
    [Symbol.asyncDispose]: async () => void await (ended ??= end()),
  };
}

test("a submitter on Deno has its tasks run by a worker host on Node", OPTIONS, async () => {
  const { folder } = await onNode();
  await using redis = await startRedis();
  const command = fromFileUrl(new URL("node_modules/.bin/concurrent-futures-worker", folder));
  await using host = await startHost(
    command,
    ["--broker", redis.url, "--module", "work=./work.mjs", "--threads", "2", "--grace", "1"],
    folder,
  );
  const url = new URL("work.ts", folder).href;
  const work = tasks<Work>(url);
  await using executor = await ClusterExecutor.connect({ url: redis.url, modules: { work: url } });
  assertEquals(await executor.submit(work.gcd, 48, 36), 12);
  const value = { list: [undefined, NaN, -0, 2n], at: new Date(5), bytes: new Uint8Array([1, 2]) };
  assertEquals(await executor.submit(work.describe, value), ["Node", 1, value]);
  const error = await executor.submit(work.fail, "odd").exception() as RangeError;
  assertEquals([error instanceof RangeError, error.message], [true, "odd"]);
  assertEquals(error.cause, new Map([["n", 1n]]));
  assertStringIncludes(error.stack!, "work.mjs");
  const pairs = Array.from({ length: 1000 }, (_, i) => i);
  const found = await executor.map(work.gcd, pairs, pairs.map((n) => 2 * n)).toArray();
  assertEquals(found, pairs);
  const { code, output } = await host.end();
  assertEquals(code, 0, output);
  assertStringIncludes(output, "stopped");
});

test("a submitter on Node has its tasks run by a worker host on Deno", OPTIONS, async () => {
  const node = await onNode();
  await using redis = await startRedis();
  await node.write("deno_work.ts", DENO_WORK);
  const worker = fromFileUrl(new URL("executors/cluster/worker.ts", ROOT));
  const file = fromFileUrl(new URL("deno_work.ts", node.folder));
  await using host = await startHost(
    Deno.execPath(),
    [
      ...["run", "--quiet", "--no-check", "--config", CONFIG, "-A", worker],
      ...["--broker", redis.url, "--module", `work=${file}`, "--threads", "2", "--grace", "1"],
    ],
    ROOT,
  );
  await node.write(
    "submit.mjs",
    `
    import { ClusterExecutor } from "${NAME}/cluster";
    import * as work from "./work.mjs";
    const executor = await ClusterExecutor.connect({
      url: "${redis.url}",
      modules: { work: import.meta.resolve("./work.mjs") },
    });
    console.log(await executor.submit(work.gcd, 48, 36));
    console.log(await executor.submit(work.describe, new Map([[1n, undefined]])));
    const error = await executor.submit(work.fail, "odd").exception();
    console.log(error instanceof RangeError, error.message, error.cause);
    const total = (await executor.map(work.gcd, [4, 6, 9], [6, 9, 12]).toArray()).join();
    console.log(total);
    await executor.shutdown();
    `,
  );
  const { code, stdout, stderr } = await node.run("node", ["submit.mjs"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.trimEnd().split("\n"), [
    "12",
    "[ 'Deno', 1, Map(1) { 1n => undefined } ]",
    "true odd Map(1) { 'n' => 1n }",
    "2,3,3",
  ]);
  assertEquals((await host.end()).code, 0);
});
