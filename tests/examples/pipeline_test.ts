import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { assertInTime, inGoodTime } from "../_support/time_limits.ts";
import { documentedOutput, printedAsDocumented, printedBy, SLOW } from "./_support.ts";

const ITEMS = 1000;
const MAXSIZE = 16;

/**
 * A length that an unbounded queue is sure to exceed, however slow the machine is: its stages
 * differ in speed by more than a factor of two.
 */
const FAR_TOO_LONG = 5 * MAXSIZE;

/** Parses the lines of a program by what they report; asserts that they are the expected ones. */
function linesOf(output: string, heading: string, names: readonly string[]): Report {
  const [first, empty, ...lines] = output.split("\n");
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

/** Asserts that each picture went through each stage once, and that each thread took part. */
function assertAllThrough(report: Report): void {
  assertEquals([report("uploads"), report("different pictures")], [[ITEMS], [ITEMS]]);
  for (const [stage, threads] of [["download", 3], ["resize", 2], ["upload", 3]] as const) {
    const counts = report(stage);
    assertEquals(counts.length, threads);
    // A thread that is kept from running as it starts may come too late.
    assertInTime(counts.every((count) => count > 0));
    assertEquals(counts.reduce((sum, count) => sum + count), ITEMS);
  }
}

const STAGES = ["download", "resize", "upload"];
const ENDING = ["uploads", "different pictures", "seconds"];

function checkPipeline(output: string): void {
  const places = ["addresses", "pictures", "thumbnails"].map((what) => `most ${what} waiting`);
  const heading = `${ITEMS} pictures, 8 threads, queues of ${MAXSIZE}`;
  const report = linesOf(output, heading, [...STAGES, ...places, ...ENDING]);
  assertAllThrough(report);
  for (const place of places) {
    const [peak] = report(place);
    assert(peak >= 1 && peak <= MAXSIZE, `${place}: ${peak}`);
  }
  // The uploads are slowest by far: the stages before wait for them.
  assertEquals(report("most thumbnails waiting"), [MAXSIZE]);
}

function checkDoneWrong(output: string): void {
  const places = ["most pictures waiting", "most thumbnails waiting", "polls in vain"];
  const heading = `${ITEMS} pictures, 8 threads, arrays without an end`;
  const report = linesOf(output, heading, [...STAGES, ...places, ...ENDING]);
  assertAllThrough(report);
  const [peak] = report("most thumbnails waiting");
  assert(peak > FAR_TOO_LONG && peak <= ITEMS, `${peak}`);
  const [polls] = report("polls in vain");
  assert(polls > 0, `${polls}`);
}

test(
  "pipeline.ts takes each picture through once, with no queue longer than it may be",
  SLOW,
  async () => {
    checkPipeline(await documentedOutput("pipeline"));
    await inGoodTime(async () => checkPipeline(await printedAsDocumented("pipeline")));
    const options = { permissions: ["--allow-read"] };
    await inGoodTime(async () => checkPipeline(await printedBy("pipeline", options)));
  },
);

test("pipeline_done_wrong.ts does the same, lets arrays grow, and polls", SLOW, async () => {
  checkDoneWrong(await documentedOutput("pipeline_done_wrong"));
  await inGoodTime(async () => checkDoneWrong(await printedAsDocumented("pipeline_done_wrong")));
  const options = { permissions: ["--allow-read"] };
  await inGoodTime(async () => checkDoneWrong(await printedBy("pipeline_done_wrong", options)));
});
