import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram, type RunResult } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

const PIPELINE = new URL("examples/pipeline.ts", ROOT);
const DONE_WRONG = new URL("examples/pipeline_done_wrong.ts", ROOT);
const ITEMS = 1000;
const MAXSIZE = 16;
const RUNS = 2;

/** What an unbounded line is sure to pass, however slow the machine is: its stages differ in speed by more than two. */
const FAR_TOO_LONG = 5 * MAXSIZE;

/** Programs take their time when other tests run beside them. */
const SLOW = { timeout: 60_000 };

/** The lines of a program, by what they tell; asserts that it ended well, and that they are the expected ones. */
function linesOf(result: RunResult, heading: string, names: readonly string[]): Report {
  const { code, stdout, stderr, timedOut } = result;
  assertEquals([code, stderr, timedOut], [0, "", false]);
  const [first, empty, ...lines] = stdout.split("\n");
  assertEquals([first, empty, lines.pop()], [heading, "", ""]);
  const report = new Map(lines.map((line) => {
    const found = /^(\S.*?) {2,}(\d.*)$/.exec(line);
    assert(found !== null, `unexpected line: ${line}`);
    return [found[1], found[2].split(/ +/).map(Number)];
  }));
  assertEquals([...report.keys()], names);
  assertEquals(lines.length, names.length);
  return (name) => report.get(name)!;
}

/** The numbers in a line. */
type Report = (name: string) => number[];

/** Asserts that each picture went through each stage once, and that each thread had a share. */
function assertAllThrough(report: Report): void {
  assertEquals([report("uploads"), report("different pictures")], [[ITEMS], [ITEMS]]);
  for (const [stage, threads] of [["download", 3], ["resize", 2], ["upload", 3]] as const) {
    const counts = report(stage);
    assertEquals(counts.length, threads);
    assert(counts.every((count) => count > 0), `${stage}: ${counts}`);
    assertEquals(counts.reduce((sum, count) => sum + count), ITEMS);
  }
}

const STAGES = ["download", "resize", "upload"];
const ENDING = ["uploads", "different pictures", "seconds"];

test(
  "pipeline.ts takes each picture through once, with no queue longer than it may be",
  SLOW,
  async () => {
    for (let i = 0; i < RUNS; i++) {
      const report = linesOf(
        await runProgram(PIPELINE),
        `${ITEMS} pictures, 8 threads, queues of ${MAXSIZE}`,
        [
          ...STAGES,
          "most addresses waiting",
          "most pictures waiting",
          "most thumbnails waiting",
          ...ENDING,
        ],
      );
      assertAllThrough(report);
      for (const place of ["addresses", "pictures", "thumbnails"]) {
        const [peak] = report(`most ${place} waiting`);
        assert(peak >= 1 && peak <= MAXSIZE, `${place}: ${peak}`);
      }
      // The uploads are slowest by far: what comes before them waits for them.
      assertEquals(report("most thumbnails waiting"), [MAXSIZE]);
    }
  },
);

test("pipeline_done_wrong.ts does the same, lets arrays grow, and polls", SLOW, async () => {
  for (let i = 0; i < RUNS; i++) {
    const report = linesOf(
      await runProgram(DONE_WRONG),
      `${ITEMS} pictures, 8 threads, arrays without an end`,
      [...STAGES, "most pictures waiting", "most thumbnails waiting", "polls in vain", ...ENDING],
    );
    assertAllThrough(report);
    const [peak] = report("most thumbnails waiting");
    assert(peak > FAR_TOO_LONG && peak <= ITEMS, `${peak}`);
    const [polls] = report("polls in vain");
    assert(polls > 0, `${polls}`);
  }
});

test("pipeline.ts needs no permission but to read", SLOW, async () => {
  for (const program of [PIPELINE, DONE_WRONG]) {
    const { code, stderr } = await runProgram(program, { permissions: ["--allow-read"] });
    assertEquals([code, stderr], [0, ""]);
  }
});
