import { assert, assertEquals } from "@std/assert";
import { asCompleted, Future } from "../../executors/mod.ts";
import { progress } from "../../progress/mod.ts";
import { View } from "../../progress/_view.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { FakeError } from "../_support/terminal.ts";
import { FakeClock } from "./clock.ts";

test("a log gets a line every five seconds, and one at the end", () => {
  using error = new FakeError(false);
  using clock = new FakeClock();
  const loop = progress(new Array(100).fill(0), { label: "work" })[Symbol.iterator]();
  loop.next();
  for (let i = 0; i < 6; i++) {
    clock.turn(2_500);
    loop.next();
  }
  loop.return!();
  assertEquals(error.lines, [
    "work: 1/100 (1%), 5.0 s each, 0:05 elapsed, 8:15 remaining",
    "work: 3/100 (3%), 3.3 s each, 0:10 elapsed, 5:23 remaining",
    "work: 5/100 (5%), 3.0 s each, 0:15 elapsed, 4:45 remaining",
    "work: 6/100 (6%), 2.5 s each, 0:15 elapsed, stopped",
  ]);
  assertEquals(clock.pending, 0);
});

test("a terminal is drawn at once, and ten times a second", () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  const loop = progress(new Array(100).fill(0))[Symbol.iterator]();
  loop.next();
  assert(error.text.includes("0/100"));
  const drawings: number[] = [];
  error.onWrite = () => drawings.push(performance.now());
  for (let i = 0; i < 100; i++) clock.turn(10);
  assertEquals(drawings.length, 10);
  loop.return!();
});

test("mininterval sets how often, for a log and for a terminal", () => {
  for (const isTerminal of [false, true]) {
    using error = new FakeError(isTerminal);
    using clock = new FakeClock();
    const loop = progress([1, 2], { mininterval: 50 })[Symbol.iterator]();
    loop.next();
    let drawings = 0;
    error.onWrite = () => drawings++;
    for (let i = 0; i < 100; i++) clock.turn(10);
    assertEquals(drawings, 20);
    loop.return!();
  }
});

test("a loop that lets no timer run is drawn all the same", () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  let drawings = 0;
  error.onWrite = () => drawings++;
  // Slow items first, and then fast ones.
  for (const item of progress(new Array(11_000).fill(0).map((_, i) => i))) {
    clock.pass(item < 1_000 ? 50 : 0.1);
  }
  // 50 s and 1 s at ten drawings a second; one more at the beginning and one at the end.
  assert(drawings >= 500 + 9 && drawings <= 500 + 12, `${drawings}`);
});

test("drawing takes at most a fiftieth of the time, however much there is to read", () => {
  using _error = new FakeError(true);
  let timeMs = 0;
  let drawings = 0;
  class Slow extends View {
    protected override draw(): void {
      timeMs += 30;
      drawings++;
    }
  }
  const view = new Slow(100);
  view.open({ settings: {} } as never, timeMs);
  assertEquals(view.dueMs, 100);
  timeMs = 100;
  view.tick(() => timeMs);
  assertEquals([drawings, view.dueMs], [1, 130 + 30 * 50]);
});

test("two loops at once share their drawings", () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  const [first, second] = ["a", "b"].map((label) => progress([1, 2], { label })[Symbol.iterator]());
  first.next();
  clock.turn(50);
  second.next();
  let drawings = 0;
  error.onWrite = () => drawings++;
  for (let i = 0; i < 100; i++) clock.turn(10);
  assertEquals(drawings, 10);
  first.return!();
  for (let i = 0; i < 100; i++) clock.turn(10);
  second.return!();
  assertEquals([drawings, clock.pending], [22, 0]);
});

test("a program whose loop was forgotten ends", async () => {
  const { code, stderr, timedOut } = await runProgram(`
    import { progress } from "@concurrent/futures/progress";
    const loop = progress([1, 2, 3], { label: "forgotten", mininterval: 0 })[Symbol.iterator]();
    loop.next();
    loop.next();
  `);
  assertEquals([code, timedOut], [0, false]);
  assert(stderr.startsWith("forgotten: 0/3 (0%)"), stderr);
});

test("a program goes on when nobody reads what is shown any more", async () => {
  const { code, stdout } = await runProgram(`
    import { progress } from "@concurrent/futures/progress";
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", "--config", "deno.json", ${
    JSON.stringify(`
        import { progress } from "@concurrent/futures/progress";
        await new Response(Deno.stdin.readable).text();
        let count = 0;
        for (const _ of progress(new Array(1000), { mininterval: 0 })) count++;
        console.log("counted", count);
      `)
  }],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await child.stderr.cancel();
    await child.stdin.close();
    const { code, stdout } = await child.output();
    console.log(code, new TextDecoder().decode(stdout));
  `);
  assertEquals([code, stdout.trim()], [0, "0 counted 1000"]);
});

test("progress() needs no permission, and asks for none", async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { progress } from "@concurrent/futures/progress";
    for (const item of progress([1, 2], { label: "plain" })) console.log(item);
  `,
    { permissions: [], env: { NO_PROGRESS: "1" } },
  );
  assertEquals([code, stdout], [0, "1\n2\n"]);
  // The program may not read the variable, so the variable has no effect.
  assert(stderr.startsWith("plain: 2/2 (100%)"), stderr);
  const permitted = await runProgram(
    `
    import { progress } from "@concurrent/futures/progress";
    for (const item of progress([1, 2])) console.log(item);
  `,
    { permissions: ["--allow-env=NO_PROGRESS"], env: { NO_PROGRESS: "1" } },
  );
  assertEquals([permitted.stdout, permitted.stderr], ["1\n2\n", ""]);
});

test("a bar is drawn while nothing comes", async () => {
  using error = new FakeError(true);
  // The display does not keep the program running.
  const hold = setInterval(() => {}, 1_000);
  const future = new Future<number>();
  let drawings = 0;
  error.onWrite = () => {
    if (++drawings === 4) future.setResult(1);
  };
  for await (const done of progress(asCompleted([future]))) assertEquals(await done, 1);
  clearInterval(hold);
  assert(drawings >= 5, `${drawings}`);
});
