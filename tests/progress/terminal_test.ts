import { assert, assertEquals, assertMatch } from "@std/assert";
import { progress } from "../../progress/mod.ts";
import { test } from "../_support/leaks.ts";
import { FakeError, hasTerminals, runInTerminal } from "../_support/terminal.ts";
import { FakeClock } from "./clock.ts";

const REAL = { ignore: !hasTerminals, timeout: 60_000 };

/** What a drawing contains besides text. */
// deno-lint-ignore no-control-regex
const SEQUENCE = /\x1b\[[?\d]*\w/g;

/** Longer than the time between two drawings. */
const A_WHILE_MS = 200;

/** A line without what depends on the time; the filled part of a bar is `#`, the rest `-`. */
function plain(line: string): string {
  return line.replaceAll("█", "#").replaceAll("░", "-")
    .replace(
      / \[[^\]]*\]$/,
      (times) => /, (?:stopped|failed)\]$/.exec(times)?.[0].slice(0, -1) ?? "",
    )
    .replace(/\|[#-]+\|/, (bar) => bar.length > 8 ? "|...|" : bar);
}

async function screenOf(error: FakeError): Promise<string[]> {
  return (await error.screen()).map(plain);
}

/** A loop that is run step by step, each of which takes a while. */
function stepper(clock: FakeClock, ...args: Parameters<typeof progress<number>>): () => void {
  const iterator = progress(...args)[Symbol.iterator]();
  return () => {
    clock.pass(A_WHILE_MS);
    iterator.next();
  };
}

// What a terminal shows: an imitation, read by an emulator

test("a bar is drawn over itself, and stays when the loop is over", async () => {
  using error = new FakeError(true, { size: { columns: 44, rows: 5 } });
  using clock = new FakeClock();
  const step = stepper(clock, [1, 2, 3, 4], { label: "work" });
  const screens: string[][] = [];
  for (let i = 0; i < 5; i++) {
    step();
    screens.push((await error.screen()).map((line) => line.replace(/ \[.*/, "")));
  }
  assertEquals(screens, [
    ["work:   0%|░░░░░░░░░░░░░░░| 0/4"],
    ["work:  25%|██░░░░░░| 1/4"],
    ["work:  50%|████░░░░| 2/4"],
    ["work:  75%|██████░░| 3/4"],
    ["work: 100%|█████████████| 4/4"],
  ]);
});

test("a loop of unknown length has figures and no bar", async () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  function* endless(): Generator<number> {
    for (;;) yield 1;
  }
  const iterator = progress(endless())[Symbol.iterator]();
  for (let i = 0; i < 11; i++) {
    clock.pass(A_WHILE_MS);
    iterator.next();
  }
  assertEquals(await error.screen(), ["10 [0:02, 5.0/s]"]);
  iterator.return!();
  assertEquals(await error.screen(), ["10 [0:02, 5.0/s, stopped]"]);
});

test("several bars stand below one another, and the last state of each above those that go on", async () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  const [a, b, c] = ["a", "b", "c"].map((label) => stepper(clock, [1, 2], { label }));
  a();
  b();
  c();
  b();
  assertEquals(await screenOf(error), ["a:   0%|...| 0/2", "b:  50%|...| 1/2", "c:   0%|...| 0/2"]);
  b();
  assertEquals(await screenOf(error), ["b: 100%|...| 2/2", "a:   0%|...| 0/2", "c:   0%|...| 0/2"]);
  for (let i = 0; i < 2; i++) c();
  for (let i = 0; i < 2; i++) a();
  assertEquals(await screenOf(error), ["b: 100%|...| 2/2", "c: 100%|...| 2/2", "a: 100%|...| 2/2"]);
});

test("a bar with leave: false is gone when its loop is over, whatever else is shown", async () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  const outer = stepper(clock, [1, 2], { label: "outer" });
  outer();
  const inner = stepper(clock, [1], { label: "inner", leave: false });
  inner();
  assertEquals(await screenOf(error), ["outer:   0%|...| 0/2", "inner:   0%|...| 0/1"]);
  inner();
  assertEquals(await screenOf(error), ["outer:   0%|...| 0/2"]);
  for (let i = 0; i < 2; i++) outer();
  const alone = stepper(clock, [1], { label: "alone", leave: false });
  alone();
  assertEquals(await screenOf(error), ["outer: 100%|...| 2/2", "alone:   0%|...| 0/1"]);
  alone();
  assertEquals(await screenOf(error), ["outer: 100%|...| 2/2"]);
});

test("of more bars than the terminal has rows, the last ones show when they are over", async () => {
  using error = new FakeError(true, { size: { columns: 60, rows: 4 } });
  using clock = new FakeClock();
  const labels = ["a", "b", "c", "d", "e"];
  const steps = labels.map((label) => stepper(clock, [1], { label }));
  for (const step of steps) step();
  assertEquals(await screenOf(error), ["a", "b", "c"].map((label) => `${label}:   0%|...| 0/1`));
  for (const step of steps.toReversed()) step();
  assertEquals(
    await screenOf(error),
    labels.toReversed().map((label) => `${label}: 100%|...| 1/1`),
  );
});

test("bars for which a terminal becomes too low leave no copies, and come back once there is room", async () => {
  using error = new FakeError(true, { size: { columns: 60, rows: 10 } });
  using clock = new FakeClock();
  const labels = ["a", "b", "c", "d", "e"];
  const items = [1, 2, 3, 4, 5, 6];
  const steps = labels.map((label) => stepper(clock, items, { label, leave: label === "e" }));
  for (const step of steps) step();
  const labelsAt = async (rows: number, draw: () => void): Promise<string[]> => {
    error.dimensions = { columns: 60, rows };
    error.text = "";
    draw();
    return (await error.screen()).map((line) => line.slice(0, 2));
  };
  const twice = (): void => {
    steps[0]();
    steps[1]();
  };
  assertEquals(await labelsAt(4, twice), ["a:", "b:", "c:"]);
  assertEquals(await labelsAt(10, twice), ["a:", "b:", "c:", "d:", "e:"]);
  // The first drawing at the new height may be that of a bar that is over.
  const end = (step: () => void): void => items.forEach(step);
  const first = progress([1], { label: "f" })[Symbol.iterator]();
  first.next();
  assertEquals(await labelsAt(4, () => first.next()), ["f:", "a:", "b:", "c:"]);
  assertEquals(await labelsAt(4, () => end(steps[0])), ["b:", "c:", "d:"]);
  steps.slice(1).forEach(end);
});

test("a bar fits the terminal after its size has changed", () => {
  using error = new FakeError(true, { size: { columns: 80, rows: 5 } });
  using clock = new FakeClock();
  const step = stepper(clock, new Array(6).fill(0), { label: "work" });
  step();
  for (const columns of [50, 30, 8, 120, 0]) {
    error.dimensions = { columns, rows: 5 };
    error.text = "";
    step();
    // Only the line is left of what is drawn.
    const line = error.text.replaceAll(SEQUENCE, "");
    assert(line.length < (columns || 80), `${columns} columns: "${line}"`);
    assert(line.startsWith("work:"), line);
  }
  step();
});

test("a label of wide characters is cut, and does not take two lines", async () => {
  using error = new FakeError(true, { size: { columns: 30, rows: 5 } });
  using clock = new FakeClock();
  const step = stepper(clock, [1, 2], { label: "画像を処理しています画像を処理しています" });
  for (let i = 0; i < 3; i++) step();
  const lines = await error.screen();
  assertEquals(lines.length, 1, lines.join("\n"));
});

test("what the program prints stands above the bars, in order and whole", async () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  // Printed text goes to the same terminal.
  const real = { log: console.log, error: console.error };
  console.log = console.error = (...args) => error.write(args.join(" ") + "\n");
  try {
    const [a, b] = ["a", "b"].map((label) => stepper(clock, [1, 2], { label }));
    console.log("before");
    a();
    b();
    console.log("first");
    console.error("second\nand third");
    assertEquals(await screenOf(error), [
      "before",
      "first",
      "second",
      "and third",
      "a:   0%|...| 0/2",
      "b:   0%|...| 0/2",
    ]);
    for (let i = 0; i < 2; i++) a();
    console.log("fourth");
    for (let i = 0; i < 2; i++) b();
    console.log("after");
    assertEquals((await screenOf(error)).slice(4), [
      "a: 100%|...| 2/2",
      "fourth",
      "b: 100%|...| 2/2",
      "after",
    ]);
  } finally {
    Object.assign(console, real);
  }
});

test("what console says only when something is wrong stands above the bars too", async () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  const { assert: realAssert, countReset, time } = console;
  const say = (text: string): void => error.write(text + "\n");
  try {
    console.assert = (condition, text) => condition || say(text);
    console.countReset = (label) => say(`no count ${label}`);
    console.time = (label) => say(`second time ${label}`);
    const step = stepper(clock, [1, 2], { label: "a" });
    step();
    const drawn = error.text;
    console.assert(true, "not said");
    assertEquals(error.text, drawn);
    console.assert(false, "asserted");
    console.countReset("b");
    console.time("c");
    assertEquals(await screenOf(error), [
      "asserted",
      "no count b",
      "second time c",
      "a:   0%|...| 0/2",
    ]);
    for (let i = 0; i < 2; i++) step();
  } finally {
    Object.assign(console, { assert: realAssert, countReset, time });
  }
});

test("console is as it was once no bar is shown, also where somebody has replaced a part of it", () => {
  using _error = new FakeError(true);
  const before = { ...console };
  const iterator = progress([1])[Symbol.iterator]();
  iterator.next();
  assert(console.log !== before.log);
  const own = (): void => {};
  console.warn = own;
  iterator.next();
  try {
    assertEquals({ ...console }, { ...before, warn: own });
  } finally {
    console.warn = before.warn;
  }
});

test("no drawing leaves a mode of the terminal changed, and none hides the cursor", () => {
  using error = new FakeError(true);
  using clock = new FakeClock();
  error.onWrite = (text) => {
    assert(!text.includes("\x1b[?25l"));
    // Lines are cut rather than wrapped only within a drawing.
    assertEquals(text.lastIndexOf("\x1b[?7h") > text.lastIndexOf("\x1b[?7l"), true);
  };
  const step = stepper(clock, [1, 2]);
  for (let i = 0; i < 4; i++) step();
  assert(error.text.includes("2/2"));
});

// A real pseudo terminal

test("a program in a terminal shows a bar, what it prints above it, and ends", REAL, async () => {
  const { code, output, screen } = await runInTerminal(`
    import { ThreadPoolExecutor } from "@concurrent/futures";
    import { progress } from "@concurrent/futures/progress";

    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const results = pool.map((n: number) => n * n, [1, 2, 3]);
    for await (const square of progress(results, { label: "squares" })) console.log(square);
    const again = pool.map((n: number) => n * n, [4, 5]);
    for (const square of progress(again, { label: "blocking" })) console.log(square);
    for (const n of progress([1, 2, 3])) if (n === 2) break;
    for (const n of progress([1, 2, 3])) if (n === 3) throw new Error("of the loop");
  `);
  assertEquals(code, 1);
  assertEquals(screen.slice(0, 8).map(plain), [
    "1",
    "4",
    "9",
    "squares: 100%|...| 3/3",
    "16",
    "25",
    "blocking: 100%|...| 2/2",
    " 33%|...| 1/3, stopped",
  ]);
  assertEquals(plain(screen[8]), " 66%|...| 2/3, stopped");
  assertMatch(screen[9], /^error: Uncaught \(in promise\) Error: of the loop|^error: Uncaught/);
  assert(!output.includes("\x1b[?25l"));
  assert(output.lastIndexOf("\x1b[?7h") > output.lastIndexOf("\x1b[?7l"));
});

test("a program in a terminal is asked for no permission", REAL, async () => {
  const { code, screen } = await runInTerminal(
    `
    import { progress } from "@concurrent/futures/progress";
    for (const _ of progress([1, 2, 3]));
  `,
    { permissions: [] },
  );
  assertEquals([code, screen.map(plain)], [0, ["100%|...| 3/3"]]);
});

test("a bar follows the size of a real terminal", REAL, async () => {
  const { code, output } = await runInTerminal(
    `
    import { progress } from "@concurrent/futures/progress";
    for (const columns of progress([40, 25])) {
      const args = ["columns", String(columns)];
      new Deno.Command("stty", { args, stdin: "inherit" }).outputSync();
    }
  `,
    { size: { columns: 90, rows: 10 } },
  );
  assertEquals(code, 0);
  const lines = output.replaceAll(SEQUENCE, "\n").split("\n").filter((line) => /\d%/.test(line));
  assert(lines[0].length > 40 && lines[0].length < 90, lines[0]);
  assert(lines.at(-1)!.trim().length < 25, lines.at(-1));
});

test("a program whose bar was forgotten ends", REAL, async () => {
  const { code, screen } = await runInTerminal(`
    import { progress } from "@concurrent/futures/progress";
    progress([1, 2])[Symbol.iterator]().next();
  `);
  assertEquals([code, screen.map(plain)], [0, ["  0%|...| 0/2"]]);
});

test("a worker writes lines, also where a terminal shows them", REAL, async () => {
  const { code, screen } = await runInTerminal(`
    import { task, ThreadPoolExecutor } from "@concurrent/futures";
    import { progress } from "@concurrent/futures/progress";

    export const count = task(import.meta, function count(): number {
      return [...progress([1, 2, 3], { label: "in a worker" })].length;
    });
    if (import.meta.main) {
      await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      await pool.submit(count);
    }
  `);
  assertEquals([code, screen.length], [0, 1]);
  assertMatch(screen[0], /^in a worker: 3\/3 \(100%\), /);
});
