import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

const EXAMPLE = new URL("examples/processes.ts", ROOT);
const SECONDS = 0.5;
const TASKS = 10;

/** Programs take their time when other tests run beside them. */
const SLOW = { timeout: 60_000 };
const TIMEOUT_MS = 45_000;

/** A part of what the program prints: its title, its lines, and how long it took. */
interface Part {
  readonly title: string;
  readonly started: string[];
  readonly done: string[];
  readonly tookMs: number;
  readonly sleptMs: number;
}

function parse(stdout: string): Part[] {
  return stdout.trim().split("\n\n").map((part) => {
    const [title, ...lines] = part.split("\n");
    const last = /^Finished in ([\d.]+) second\(s\), with ([\d.]+) of sleep$/.exec(lines.pop()!);
    assert(last !== null, part);
    return {
      title,
      started: lines.filter((line) => line.startsWith("Sleeping")),
      done: lines.filter((line) => !line.startsWith("Sleeping")),
      tookMs: Number(last[1]) * 1000,
      sleptMs: Number(last[2]) * 1000,
    };
  });
}

const sleeping = (seconds: number): string => `Sleeping ${seconds} second(s)...`;
const done = (seconds: number): string => `Done sleeping ${seconds} second(s)`;

test("processes.ts sleeps longer than it takes, by hand and with a pool", SLOW, async () => {
  const { code, stdout, stderr } = await runProgram(EXAMPLE, {
    args: ["--seconds", `${SECONDS}`],
    timeoutMs: TIMEOUT_MS,
  });
  assertEquals([code, stderr], [0, ""]);
  const [two, ten, submitted, completed, mapped, ...more] = parse(stdout);
  assertEquals(more, []);

  const repeat = (count: number, text: string): string[] => new Array(count).fill(text);
  assertEquals([two.started, two.done], [repeat(2, sleeping(SECONDS)), []]);
  for (const part of [ten, submitted]) {
    assertEquals(part.started, repeat(TASKS, sleeping(SECONDS)));
    assertEquals(part.done, repeat(TASKS, done(SECONDS)));
  }

  const sleeps = Array.from({ length: TASKS }, (_, i) => SECONDS * (TASKS - i) / TASKS);
  assertEquals(mapped.done, sleeps.map(done));
  assertEquals(completed.done.toSorted(), sleeps.map(done).toSorted());
  for (const { started } of [completed, mapped]) {
    assertEquals(started.toSorted(), sleeps.map(sleeping).toSorted());
  }

  for (const part of [ten, submitted]) {
    assertEquals(part.sleptMs, TASKS * SECONDS * 1000);
    assert(part.tookMs >= SECONDS * 1000 - 10, part.title);
    // Starting ten processes takes a while on a busy machine; one after another it would be 5 s and more.
    assert(part.tookMs < part.sleptMs * 0.8, `${part.title}: ${part.tookMs} ms`);
  }
});

test("processes.ts refuses a time that is none", SLOW, async () => {
  for (const text of ["0", "long", "-1"]) {
    const { code, stdout, stderr } = await runProgram(EXAMPLE, { args: [`--seconds=${text}`] });
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^--seconds must be a number from 0 to 60, got /);
  }
});
