import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { parseTypeErrors, typeErrors, typeErrorsOf } from "./_support/compile.ts";
import {
  checked,
  countLiveWorkers,
  markClosed,
  settle,
  takeCensus,
  test,
  watchCounter,
} from "./_support/leaks.ts";
import { runDeno, runProgram } from "./_support/run.ts";
import { scratchFolder } from "./_support/scratch.ts";
import { comesAbout, inTime, withTimeLimit } from "./_support/time_limits.ts";
import { TimeoutError } from "../executors/mod.ts";

const IDLE = "data:text/javascript,onmessage=()=>{}";
const THROWING = "data:text/javascript,throw new Error('expected in this test')";

/** A task that has ended. */
const OVER = { done: () => true };

/** These bodies do not use the context of a test. */
const context = {} as Deno.TestContext;

test("countLiveWorkers() counts from the start of a worker to its end", () => {
  const before = countLiveWorkers();
  const first = new Worker(IDLE, { type: "module" });
  const second = new Worker(IDLE, { type: "module" });
  assertEquals(countLiveWorkers(), before + 2);
  first.terminate();
  assertEquals(countLiveWorkers(), before + 1);
  markClosed(second);
  assertEquals(countLiveWorkers(), before);
  second.terminate();
});

test("countLiveWorkers() leaves out a worker that died of an error", async () => {
  const before = countLiveWorkers();
  const worker = new Worker(THROWING, { type: "module" });
  await new Promise((resolve) => {
    worker.onerror = (event) => {
      event.preventDefault();
      resolve(event);
    };
  });
  assertEquals(countLiveWorkers(), before);
});

test("test() fails by name a test that leaves a worker running", async () => {
  let worker: Worker | undefined;
  const body = checked("leaky", () => {
    worker = new Worker(IDLE, { type: "module", name: "left behind" });
  });
  await assertRejects(
    async () => await body(context),
    Error,
    'Test "leaky" left running: worker "left behind"',
  );
  worker?.terminate();
});

test("test() fails by name a test that leaves a terminated worker computing", async () => {
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const source =
    "onmessage = ({ data }) => { postMessage(0); while (Atomics.load(data, 0) === 0); }";
  const body = checked("spinning", async () => {
    const worker = new Worker(`data:text/javascript,${source}`, { type: "module" });
    worker.postMessage(stop);
    await new Promise((resolve) => worker.onmessage = resolve);
    worker.terminate();
  });
  const error = await assertRejects(async () => await body(context), Error, "spinning");
  assertStringIncludes((error as Error).message, "left running: a thread that computes (worker-");
  Atomics.store(stop, 0, 1);
});

test("test() waits for a worker that is about to end", async () => {
  const body = checked("slow to close", () => {
    const worker = new Worker(IDLE, { type: "module" });
    setTimeout(() => worker.terminate(), 20);
  });
  await body(context);
});

test("test() shows the error of the test and not what it left over", async () => {
  let worker: Worker | undefined;
  const body = checked("failing", () => {
    worker = new Worker(IDLE, { type: "module" });
    throw new RangeError("the first error");
  });
  await assertRejects(async () => await body(context), RangeError, "the first error");
  worker?.terminate();
});

test("watchCounter() adds a count of others to the check", async () => {
  let count = 0;
  watchCounter("things", () => count);
  const census = takeCensus();
  count = 2;
  assertEquals(await settle(census, 0), ["2 of things"]);
  count = 0;
  assertEquals(await settle(census, 0), []);
});

test("test() ends a test that blocks the thread", async () => {
  await using scratch = await scratchFolder();
  const leaks = new URL("./_support/leaks.ts", import.meta.url).href;
  const file = await scratch.write(
    "blocked_test.ts",
    `import { test } from ${JSON.stringify(leaks)};
     test("blocked", { timeout: 100 }, () => { for (;;); });`,
  );
  // Without the configuration, which excludes this folder from the tests.
  const result = await runDeno(["test", "-A", "--no-check", "--no-config", file]);
  assertEquals([result.code, result.timedOut], [1, false]);
  assertStringIncludes(result.stdout, "Test timed out after 100ms");
});

test("runProgram() gives the code, the output and the input of a program", async () => {
  const result = await runProgram(
    `import { assertEquals } from "@std/assert";
     assertEquals(Deno.args, ["one"]);
     console.log(await new Response(Deno.stdin.readable).text());
     console.error("err");
     Deno.exit(3);`,
    { args: ["one"], stdin: "text" },
  );
  assertEquals([result.code, result.stdout, result.stderr], [3, "text\n", "err\n"]);
  assertEquals(result.timedOut, false);
});

test("runProgram() kills a program at the timeout", async () => {
  const result = await runProgram("for (;;);", { timeoutMs: 1_000 });
  assert(result.timedOut);
  assertEquals(result.signal, "SIGKILL");
  assertLess(result.elapsedMs, 10_000);
});

test("runProgram() runs with the permissions given and no others", async () => {
  const result = await runProgram('Deno.readTextFileSync("deno.json");', { permissions: [] });
  assertEquals(result.code, 1);
  assertStringIncludes(result.stderr, "NotCapable");
});

test("typeErrorsOf() gives each snippet its own errors", { timeout: 60_000 }, async () => {
  const errors = await typeErrorsOf({
    good: 'import { assert } from "@std/assert";\nassert(true);',
    bad: 'const n: number = "text";',
    two: "const a: string = 1;\nmissing();",
  });
  assertEquals(errors.good, []);
  assertEquals(errors.bad, ["TS2322: Type 'string' is not assignable to type 'number'."]);
  assertEquals(errors.two.map((text) => text.slice(0, 6)), ["TS2322", "TS2304"]);
  assertEquals(await typeErrors("export const a = 1;"), []);
});

test("parseTypeErrors() reads code, message and file", () => {
  assertEquals(
    parseTypeErrors(
      "TS1 [ERROR]: One.\n  code\n  ~~~\n    at file:///a.ts:1:2\n\nTS2 [ERROR]: Two.\n",
    ),
    [{ text: "TS1: One.", file: "file:///a.ts" }, { text: "TS2: Two.", file: "" }],
  );
  // The second error is part of the first.
  assertEquals(
    parseTypeErrors(
      "TS1 [ERROR]: One.\n    at file:///a.ts:1:2\n\nTS2 [ERROR]:     Why.\n    at file:///b.ts:1:2\n",
    ),
    [{ text: "TS1: One.", file: "file:///a.ts" }],
  );
});

test("withTimeLimit() begins anew with twice the time while that is up too soon, and for nothing else", async () => {
  const limits: number[] = [];
  const late = (isLate: () => boolean, error = new Error("wrong")) =>
    withTimeLimit(1, async (limitMs) => {
      limits.push(limitMs);
      await comesAbout(OVER, () => !isLate());
      throw error;
    });
  await assertRejects(() => late(() => limits.length < 4), Error, "wrong");
  assertEquals(limits.splice(0), [1, 2, 4, 8]);
  await assertRejects(() => late(() => true), Error, "up before");
  assertEquals(limits.splice(0).length, 10);
  await withTimeLimit(1, async (limitMs) => {
    if (limitMs === 1) await inTime(Promise.reject(new TimeoutError("late")));
    limits.push(limitMs);
  });
  assertEquals(limits, [2]);
  const other = () => inTime(Promise.reject(new RangeError("other")));
  await assertRejects(() => withTimeLimit(1, other), RangeError, "other");
});

test("comesAbout() waits as long as the task is not over", async () => {
  let looks = 0;
  await comesAbout({ done: () => false }, () => ++looks === 3);
  // A condition that holds when the task ends is not a matter of time.
  await comesAbout(OVER, () => true);
  assertEquals(looks, 3);
});
