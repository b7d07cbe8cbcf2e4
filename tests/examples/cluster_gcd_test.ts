import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { assertDead, childrenOf, startDeno } from "../_support/processes.ts";
import { NEEDS_REDIS, startRedis } from "../_support/redis.ts";
import type { RunResult } from "../_support/run.ts";
import { scratchFolder } from "../_support/scratch.ts";
import { assertRefuses, folderIn, namesIn } from "./_photos.ts";
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

test("cluster_gcd.ts leaves nothing behind when it is ended", OPTIONS, async () => {
  await using scratch = await scratchFolder();
  const folder = await folderIn(scratch, "temporary");
  for (const [signal, expected] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const) {
    const args = ["run", "-A", "examples/cluster_gcd.ts", "--repeat", "3000"];
    await using program = startDeno(args, { TMPDIR: folder });
    assertMatch(await program.line() ?? "", /^worker hosts: /);
    const children = [...childrenOf(program.pid).keys()];
    program.kill(signal);
    const { code } = await program.status;
    await assertDead(children, TIME.timeoutMs);
    assertEquals([code, children.length, namesIn(folder)], [expected, 3, []]);
  }
});

test("cluster_gcd.ts refuses what it does not understand", OPTIONS, async () => {
  const refused: [args: string[], message: RegExp][] = [
    [["--repeat", "0"], /^--repeat must be an integer from 1 to 999999, got "0"$/m],
    [["--broker", "here"], /^--broker must be an address like redis:.*, got "here"$/m],
    [["--bogus"], /--bogus/],
  ];
  for (const [args, message] of refused) {
    assertRefuses(await runExample("cluster_gcd", { ...TIME, args }), message);
  }
});
