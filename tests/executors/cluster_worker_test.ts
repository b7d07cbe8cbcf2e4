/** The worker program of a cluster: what it prints and how it ends. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type Log, WorkerHost } from "../../executors/cluster/_host.ts";
import { test } from "../_support/leaks.ts";
import { startDeno } from "../_support/processes.ts";
import { NEEDS_REDIS, startRedis } from "../_support/redis.ts";
import { runDeno, type RunResult } from "../_support/run.ts";
import { CONFIG, ROOT } from "../_support/scratch.ts";

const WORKER = fromFileUrl(new URL("executors/cluster/worker.ts", ROOT));
const TASKS = import.meta.resolve("./fixtures/cluster_tasks.ts");
const LOUD_TASKS = import.meta.resolve("./fixtures/cluster_loud_tasks.ts");
const NO_TASKS = new URL("tests/contracts/suite.ts", ROOT).href;

/** An address where nobody listens. */
const NOWHERE = "redis://user:secret@127.0.0.1:1";

function workerArgs(args: string[], permissions = ["-A"]): string[] {
  return ["run", "--config", CONFIG, "--no-prompt", "--quiet", ...permissions, WORKER, ...args];
}

function runWorker(...args: string[]): Promise<RunResult> {
  return runDeno(workerArgs(args));
}

test("the worker program tells its options", async () => {
  const { code, stdout, stderr } = await runWorker("--help");
  assertEquals([code, stderr], [0, ""]);
  for (const option of ["broker", "module", "pool", "threads", "processes", "grace", "lease"]) {
    assertStringIncludes(stdout, `--${option} `);
  }
});

test("the worker program refuses options that are none, and says what to write", async () => {
  const module = ["--module", `tasks=${TASKS}`];
  const cases: [args: string[], text: string][] = [
    [[], "no broker was given; add --broker"],
    [["--broker", NOWHERE], "no module was given"],
    [["--broker", NOWHERE, "--module", "tasks"], "is not of the form name=./file.ts"],
    [["--broker", NOWHERE, "--module", "__proto__#=x"], "Cannot name module"],
    [["--broker", NOWHERE, ...module, "--threads", "0"], 'neither a number from 1 nor "auto"'],
    [["--broker", NOWHERE, ...module, "--grace", "soon"], '--grace "soon" is no number'],
    [["--broker", NOWHERE, ...module, "--lease", "3e6"], "is no number from 0.1 to 2147483.647"],
    [["--broker", NOWHERE, ...module, "--pool", "a:b"], 'Cannot use pool "a:b"'],
    [["--broker", NOWHERE, ...module, "--threads", "1", "--processes", "1"], "exclude one another"],
    [["--brokre", NOWHERE], "--brokre"],
    [["--broker", "user:secret@host", ...module], "Cannot use --broker: Cannot connect"],
    [["--broker", NOWHERE, ...module, "--ca", "./nowhere.pem"], "Cannot use --ca: "],
    [["--broker", NOWHERE, ...module, "--ca", fromFileUrl(TASKS)], "write rediss://"],
  ];
  const results = [];
  for (const [args] of cases) results.push(await runWorker(...args));
  results.forEach(({ code, stdout, stderr }, i) => {
    assertEquals([code, stdout], [2, ""], stderr);
    assertStringIncludes(stderr, cases[i][1]);
    assertStringIncludes(stderr, "See --help.");
    assertEquals(stderr.includes("secret"), false, stderr);
  });
});

test("the worker program says what its processes need to read their modules", async () => {
  const args = ["--broker", NOWHERE, "--module", `tasks=${TASKS}`, "--processes", "1"];
  const permissions = ["--allow-run", "--allow-env", `--allow-read=${fromFileUrl(ROOT)}`];
  const { code, stderr } = await runDeno(workerArgs(args, permissions));
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, "Requires read access to");
  assertStringIncludes(stderr, "run it with --allow-read, without a path");
});

test("the worker program says why it cannot start, and never the password", async () => {
  const cases: [args: string[], text: string][] = [
    [["--module", "tasks=./nowhere.ts"], 'Cannot load module "tasks"'],
    [["--module", `tasks=${NO_TASKS}`], "exports no task; mark its functions"],
  ];
  for (const [args, text] of cases) {
    const { code, stdout, stderr } = await runWorker(
      "--broker",
      NOWHERE,
      "--threads",
      "1",
      ...args,
    );
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, text);
    assertEquals((stdout + stderr).includes("secret"), false, stdout + stderr);
  }
});

test(
  "the worker program gives up when there is no broker, and tells where it looked",
  { timeout: 30_000 },
  async () => {
    const { code, stdout, stderr } = await runWorker(
      ...["--broker", NOWHERE, "--threads", "1", "--module", `tasks=${TASKS}`, "--lease", "1"],
    );
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, "Cannot connect: the broker at 127.0.0.1:1 says");
    assertEquals((stdout + stderr).includes("secret"), false, stdout + stderr);
  },
);

test("the worker program ends on SIGTERM although there is no broker", async () => {
  await using host = startDeno(workerArgs([
    ...["--broker", NOWHERE, "--threads", "1", "--module", `tasks=${TASKS}`, "--json"],
  ]));
  assertEquals(JSON.parse(await host.line() ?? "null").event, "trouble");
  host.kill("SIGTERM");
  const events = (await host.lines()).map((line) => JSON.parse(line).event);
  assertEquals(events.slice(-2), ["stopping", "stopped"]);
  assertEquals((await host.status).code, 0);
});

test("the worker program ends on SIGTERM while a module is being loaded", async () => {
  const slow =
    'data:text/javascript,console.log("loading"); await new Promise((go) => setTimeout(go, 1e9))';
  await using host = startDeno(workerArgs([
    ...["--broker", NOWHERE, "--threads", "1", "--module", `slow=${slow}`, "--json"],
  ]));
  assertEquals(await host.line(), "loading");
  host.kill("SIGTERM");
  const events = (await host.lines()).map((line) => JSON.parse(line).event);
  assertEquals(events, ["stopping", "stopped"]);
  assertEquals((await host.status).code, 0);
});

test("WorkerHost logs a trouble once in a while, also when troubles alternate", () => {
  const logged: unknown[] = [];
  const settings = {
    modules: new Map<string, string>(),
    name: "host",
    threads: 1,
    leaseMs: 1_000,
    maxArgumentBytes: 1_000,
    maxResultBytes: 1_000,
  };
  const nothing = {} as never;
  const log: Log = (event, particulars) => logged.push([event, particulars?.error]);
  const host = new WorkerHost(settings, nothing, () => nothing, log);
  for (let i = 0; i < 10; i++) {
    for (const text of ["refused", "lost"]) host.trouble(new Error(text));
  }
  assertEquals(logged, [["trouble", "refused"], ["trouble", "lost"]]);
});

for (const kind of ["threads", "processes"]) {
  test(
    `the worker program loads its modules on all its ${kind} before it takes tasks`,
    NEEDS_REDIS,
    async () => {
      await using redis = await startRedis();
      await using host = startDeno(workerArgs([
        ...["--broker", redis.url, `--${kind}`, "3", "--json"],
        ...["--module", `a=${LOUD_TASKS}`, "--module", `b=${LOUD_TASKS}?again`],
      ]));
      const events: string[] = [];
      while (events.at(-1) !== "ready") events.push(JSON.parse(await host.line() ?? "null").event);
      assertEquals(events, [...Array(6).fill("loaded"), "ready"]);
    },
  );

  test(
    `the worker program runs tasks on ${kind}, and ends well on SIGTERM`,
    NEEDS_REDIS,
    async () => {
      await using redis = await startRedis();
      await using host = startDeno(workerArgs([
        ...["--broker", redis.url, `--${kind}`, "1", "--module", `tasks=${TASKS}`, "--json"],
      ]));
      const ready = JSON.parse(await host.line() ?? "null");
      assertEquals([ready.event, ready.pool, ready[kind]], ["ready", "default", 1]);
      assertStringIncludes(ready.tasks, "tasks#square");
      assertMatch(ready.time, /^\d{4}-\d\d-\d\dT.*Z$/);
      host.kill("SIGTERM");
      const events = (await host.lines()).map((line) => JSON.parse(line).event);
      assertEquals(events, ["stopping", "stopped"]);
      assertEquals((await host.status).code, 0);
    },
  );
}
