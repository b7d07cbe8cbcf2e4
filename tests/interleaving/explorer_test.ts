import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as real from "../../_platform/atomics.ts";
import { test } from "../_support/leaks.ts";
import { runCommand, runDeno, type RunResult } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";
import { OP } from "./control_layout.ts";
import { Fingerprint } from "./fingerprint.ts";
import * as stepped from "./stepped_atomics.ts";
import { formatSchedule, parseSchedule } from "./trace.ts";

/** Time limit of the walk over all models of the library. */
const WALK_MS = 300_000;
/** Time limit of any other run of the explorer. */
const RUN_MS = 15_000;

const EXPLORER = [
  ...["run", "-A", "--no-config", "--import-map", "tests/interleaving/import_map.json"],
  "tests/interleaving/main.ts",
];

function runExplorer(args: readonly string[], timeoutMs = RUN_MS): Promise<RunResult> {
  return runDeno([...EXPLORER, ...args], { timeoutMs });
}

/** A line of the explorer's table. */
interface Row {
  readonly name: string;
  readonly schedules: number;
  readonly different: number;
}

function rowsOf({ stdout }: RunResult): Row[] {
  const lines = stdout.matchAll(/^(.+?) +\d+ +\d+ +(\d+) +(\d+) +\d+ +[\d.]+$/gm);
  return Array.from(lines, ([, name, schedules, different]) => ({
    name,
    schedules: Number(schedules),
    different: Number(different),
  }));
}

/** Walks a model in which nothing goes wrong. */
async function walk(name: string, ...args: readonly string[]): Promise<Row> {
  const result = await runExplorer(["--model", name, ...args]);
  assertEquals(result.code, 0, result.stdout + result.stderr);
  const [row] = rowsOf(result);
  assertEquals(row.name, name);
  return row;
}

/** Walks a model in which something goes wrong; returns the reason and the schedule. */
async function findViolation(name: string): Promise<{ reason: string; schedule: string }> {
  const { code, stdout, stderr } = await runExplorer(["--model", name]);
  assertEquals(code, 1, stdout + stderr);
  const reason = /^violation in model ".*": (.*)$/m.exec(stdout);
  const schedule = /^replay: .* --schedule "(.*)"$/m.exec(stdout);
  assert(reason !== null && schedule !== null, stdout + stderr);
  return { reason: reason[1], schedule: schedule[1] };
}

/**
 * Runs the explorer on one processor, where the system can be asked for that: threads that take
 * turns are woken faster there, at less cost.
 */
async function runExplorerPinned(timeoutMs: number): Promise<RunResult> {
  try {
    const deno = [Deno.execPath(), ...EXPLORER];
    return await runCommand("taskset", ["-c", "0", ...deno], { cwd: ROOT, timeoutMs });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return await runExplorer([], timeoutMs);
  }
}

test("every schedule of every model goes right", { timeout: WALK_MS + RUN_MS }, async () => {
  const result = await runExplorerPinned(WALK_MS);
  console.log(result.stdout);
  assertEquals(result.code, 0, result.stderr);
  const rows = rowsOf(result);
  // There is a line for each model. The heading is no row, and neither is the line of a walk that
  // was broken off, which has more in it.
  assertEquals(rows.length, result.stdout.trim().split("\n").length - 1);
  for (const { name, schedules } of rows) assert(schedules > 1, name);
});

for (
  const [name, expected] of [
    ["look then take", /another thread is inside/],
    ["forgets sleeper", /deadlock: nobody is left to wake T\d$/],
    ["wakes only one", /deadlock: nobody is left to wake T\d$/],
    ["spins for ever", /livelock/],
  ] as const
) {
  test(`explorer finds what is wrong with the mutex that ${name}, and replays it`, async () => {
    const { reason, schedule } = await findViolation(name);
    assertMatch(reason, expected);
    const { code, stdout } = await runExplorer(["--model", name, "--schedule", schedule]);
    assertEquals(code, 1);
    assertStringIncludes(stdout, `violation: ${reason}`);
  });
}

test("explorer finds nothing wrong with a right mutex, in the same number of schedules each time", async () => {
  assertEquals(await walk("mutex"), await walk("mutex"));
  assertEquals(await walk("mutex of three"), await walk("mutex of three"));
});

test("explorer needs a third thread where two show nothing", async () => {
  await walk("wakes only one, two");
});

test("explorer runs every order of independent steps once", async () => {
  // 6! / (3! 3!) and 6! / (2! 2! 2!)
  assertEquals((await walk("2 threads of 3 steps")).schedules, 20);
  assertEquals((await walk("3 threads of 2 steps")).schedules, 90);
});

test("explorer keeps to the bound of preemptions", async () => {
  // Without a preemption: only which thread begins. With one, also a a|b b b|a and a|b b b|a a.
  // With two, also a^i b^j a^(3-i) b^(3-j).
  const schedules = async (bound: number): Promise<number> =>
    (await walk("2 threads of 3 steps", `--extra=${bound - 6}`)).schedules;
  assertEquals([await schedules(0), await schedules(1), await schedules(2)], [2, 6, 14]);
});

test("explorer loses nothing that is different by passing over choices", async () => {
  for (const name of ["mutex of three", "TaskRing: cancel"]) {
    const some = await walk(name);
    const all = await walk(name, "--all");
    assertEquals(some.different, all.different);
    assert(some.schedules < all.schedules);
  }
});

test("wait ends in each way that it can, and time passes only where it times out", async () => {
  for (const how of ["ok", "not-equal", "timed-out"]) {
    assertStringIncludes((await findViolation(`never ${how}`)).reason, `ended ${how}`);
  }
});

test("notify wakes first who slept first", async () => {
  for (const [first, second] of [[0, 1], [1, 0]]) {
    const { code, stdout } = await runExplorer(
      ["--model", "first come, first served", "--schedule", first === 0 ? "none" : "0:1"],
    );
    assertEquals(code, 0, stdout);
    const awake = Array.from(stdout.matchAll(/T([01]) +is awake/g), ([, thread]) => Number(thread));
    assertEquals(awake, [first, second]);
  }
});

test("explorer notices threads that do not do the same each time", async () => {
  assertMatch((await findViolation("not the same each time")).reason, /^not repeatable/);
});

test("explorer refuses waits as promises", async () => {
  assertMatch((await findViolation("waits as a promise")).reason, /Cannot step waitAsync/);
});

test("explorer refuses a schedule that does not fit", async () => {
  const { code, stdout } = await runExplorer(["--model", "mutex", "--schedule", "900:1"]);
  assertEquals(code, 1);
  assertStringIncludes(stdout, "violation: the schedule does not fit");
});

test("explorer refuses options with which it would walk nothing, or another model", async () => {
  const model = ["--model", "mutex"];
  const refused: [args: string[], message: string][] = [
    [[...model, "--seconds", "abc"], 'Cannot explore: --seconds is "abc"; give a number'],
    [[...model, "--extra", "x"], 'Cannot explore: --extra is "x"; give a number'],
    [["--schedule", "1:1"], "Cannot replay schedule: --model is not given; name the model"],
  ];
  for (const [args, message] of refused) {
    const { code, stdout, stderr } = await runExplorer(args);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, message);
  }
});

test("stepped_atomics.ts has every operation of atomics.ts", () => {
  for (const name of Object.keys(real)) assert(name in stepped, name);
});

test("Fingerprint is the same in whatever order independent operations come", () => {
  // Thread, operation, buffer, index, operands, result.
  const load0 = [0, OP.LOAD, 1, 0, 0, 0, 5];
  const load1 = [1, OP.LOAD, 1, 0, 0, 0, 5];
  const store0 = [0, OP.STORE, 1, 7, 3, 0, 0];
  const store1 = [1, OP.STORE, 1, 0, 3, 0, 0];
  const valueOf = (...records: number[][]): number => {
    const fingerprint = new Fingerprint();
    for (const record of records) fingerprint.add((field) => record[field] ?? 0);
    return fingerprint.value;
  };
  assertEquals(valueOf(load0, load1), valueOf(load1, load0));
  assertEquals(valueOf(store0, store1), valueOf(store1, store0));
  assert(valueOf(load0, store1) !== valueOf(store1, load0));
  assert(valueOf(load0, store0) !== valueOf(store0, load0));
});

test("parseSchedule reads what formatSchedule wrote", () => {
  for (const schedule of [[], [0, 1], [12, 1, 40, 0]]) {
    assertEquals(parseSchedule(formatSchedule(schedule)), schedule);
  }
});
