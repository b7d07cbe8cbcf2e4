import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { NEEDS_REDIS, startRedis } from "../_support/redis.ts";
import type { RunResult } from "../_support/run.ts";
import { runExample, SLOW } from "./_support.ts";

const OPTIONS = { ...SLOW, ...NEEDS_REDIS };
const TIME = { timeoutMs: 45_000 };

/**
 * Asserts that a worker host was killed in the meantime, and that every answer came back and was
 * right.
 */
function assertRecovers({ code, stdout, stderr, timedOut }: RunResult, pairs: number): void {
  assertEquals({ code, stderr, timedOut }, { code: 0, stderr: "", timedOut: false });
  const [hosts, killed, answers, ...rest] = stdout.trimEnd().split("\n");
  const [, first, second] = /^worker hosts: (\d+) and (\d+)$/.exec(hosts)!;
  assert(first !== second);
  assertEquals(killed, `${pairs / 4} answers; killed ${first}`);
  assertMatch(
    answers,
    new RegExp(`^${pairs} answers of ${pairs} in \\d+\\.\\d s, 0 of them wrong$`),
  );
  assertEquals(rest, []);
}

test("cluster_gcd.ts gets every answer although it kills a worker host", OPTIONS, async () => {
  assertRecovers(await runExample("cluster_gcd", TIME), 400);
});

test("cluster_gcd.ts --broker uses the broker that it is given", OPTIONS, async () => {
  await using redis = await startRedis();
  const args = ["--broker", redis.url, "--repeat", "20"];
  assertRecovers(await runExample("cluster_gcd", { ...TIME, args }), 80);
  assert(await redis.info("total_connections_received") > 3);
});

test("cluster_gcd.ts says that it needs a redis-server", OPTIONS, async () => {
  const { code, stderr } = await runExample("cluster_gcd", { ...TIME, env: { PATH: "" } });
  assertEquals(code, 1);
  assertStringIncludes(stderr, "Cannot start a broker: there is no redis-server; install it");
});
