/** The tests that `sleep_threads.ts` and `processes.ts` have in common. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { printedBy, runExample, SLOW } from "./_support.ts";

const SECONDS = 0.5;
const TASKS = 10;
const TIMEOUT_MS = 110_000;

/**
 * A part of what the program prints: its title, its lines by what they report, and how long it
 * took.
 */
interface Part {
  readonly title: string;
  readonly lines: string[];
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
      lines,
      started: lines.filter((line) => line.startsWith("Sleeping")),
      done: lines.filter((line) => !line.startsWith("Sleeping")),
      tookMs: Number(last[1]) * 1000,
      sleptMs: Number(last[2]) * 1000,
    };
  });
}

/** The most tasks that had begun and not ended at one time. */
function mostAtOnce(lines: readonly string[]): number {
  let count = 0;
  let most = 0;
  for (const line of lines) {
    count += line.startsWith("Sleeping") ? 1 : -1;
    most = Math.max(most, count);
  }
  return most;
}

const sleeping = (seconds: number): string => `Sleeping ${seconds} second(s)...`;
const done = (seconds: number): string => `Done sleeping ${seconds} second(s)`;

/** How the two programs differ. */
export interface Walk {
  /** What the program calls the threads or processes that it makes by hand. */
  readonly noun: string;
  /** Whether it prints the results of the ten made by hand. */
  readonly reportsByHand: boolean;
}

/** Registers the tests. */
export function testSleeping(name: string, { noun, reportsByHand }: Walk): void {
  test(`${name}.ts prints what its tasks say, of which many sleep at once`, SLOW, async () => {
    const args = ["--seconds", `${SECONDS}`];
    const parts = parse(await printedBy(name, { args, timeoutMs: TIMEOUT_MS }));
    assertEquals(parts.map(({ title }) => title), [
      `Two ${noun} by hand`,
      `Ten ${noun} by hand`,
      "Ten tasks submitted to a pool",
      "As they complete",
      "Mapped, in the order of the inputs",
    ]);
    const [two, ten, submitted, completed, mapped] = parts;

    const repeat = (count: number, text: string): string[] => new Array(count).fill(text);
    assertEquals([two.started, two.done], [repeat(2, sleeping(SECONDS)), []]);
    for (const part of [ten, submitted]) {
      assertEquals(part.started, repeat(TASKS, sleeping(SECONDS)));
    }
    assertEquals(ten.done, reportsByHand ? repeat(TASKS, done(SECONDS)) : []);
    assertEquals(submitted.done, repeat(TASKS, done(SECONDS)));

    const sleeps = Array.from({ length: TASKS }, (_, i) => SECONDS * (TASKS - i) / TASKS);
    assertEquals(mapped.done, sleeps.map(done));
    assertEquals(completed.done.toSorted(), sleeps.map(done).toSorted());
    for (const { started } of [completed, mapped]) {
      assertEquals(started.toSorted(), sleeps.map(sleeping).toSorted());
    }

    for (const part of [ten, submitted]) {
      assertEquals(part.sleptMs, TASKS * SECONDS * 1000);
      assert(part.tookMs >= SECONDS * 1000 - 10, part.title);
    }
    // One after another, this would be two: the next may begin before the end of the one before it
    // is reported.
    assert(mostAtOnce(completed.lines) > 2, completed.lines.join("\n"));
  });

  test(
    `${name}.ts refuses a time that is none, and options that it does not know`,
    SLOW,
    async () => {
      for (const text of ["0", "long", "-1"]) {
        const { code, stdout, stderr } = await runExample(name, { args: [`--seconds=${text}`] });
        assertEquals([code, stdout], [2, ""]);
        assertEquals(
          stderr,
          `--seconds must be a number, more than 0 and at most 60, got "${text}"\n`,
        );
      }
      const { code, stdout, stderr } = await runExample(name, { args: ["--minutes", "1"] });
      assertEquals([code, stdout, stderr], [2, "", "Unknown option '--minutes'\n"]);
    },
  );
}
