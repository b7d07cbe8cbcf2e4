import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { gcd } from "../../examples/gcd.ts";
import { test } from "../_support/leaks.ts";
import { runDeno, type RunResult } from "../_support/run.ts";
import { scratchFolder } from "../_support/scratch.ts";
import * as support from "./_support.ts";
import { SLOW } from "./_support.ts";

const MODES = ["linear", "async", "threadpool", "processpool"];
const POOLS = ["threadpool", "processpool"];
const TOOK = /^(\w+) *: Took \d+\.\d{3} seconds +\d+\.\d\dx {2}█+/;

function runExample(...args: string[]): Promise<RunResult> {
  return support.runExample("gcd", { args });
}

/** Runs the example on a file with the given text; `place` is what its messages call the file. */
async function runWithFile(text: string): Promise<RunResult & { place: string }> {
  await using scratch = await scratchFolder();
  const place = await scratch.write("pairs.csv", text);
  return { ...await runExample("--repeat", "1", "--file", place), place };
}

function assertReports(result: RunResult, pairs: string, workers: string): void {
  assertEquals([result.code, result.stderr], [0, ""]);
  const lines = result.stdout.split("\n");
  assertEquals(lines[0], `${pairs}, ${workers}`);
  const took = lines.filter((line) => TOOK.test(line));
  assertEquals(took.map((line) => TOOK.exec(line)![1]), MODES);
  assertEquals(new Set(took.map((line) => line.indexOf(":"))).size, 1);
  for (const line of took) {
    const isPool = POOLS.includes(TOOK.exec(line)![1]);
    assertEquals(/ {2}started in \d+\.\d{3} s$/.test(line), isPool, line);
  }
  const included = lines.indexOf("With the start of the workers included");
  POOLS.forEach((name, i) => {
    assertMatch(lines[included + 1 + i], new RegExp(`^${name} *: \\d+\\.\\d\\dx$`));
  });
}

/** Asserts that the program ended with code 2, and printed this message alone. */
function assertRefuses(result: RunResult, message: string): void {
  assertEquals([result.code, result.stdout], [2, ""]);
  assertStringIncludes(result.stderr, message);
  assert(!/^ +at /m.test(result.stderr), `a stack is shown:\n${result.stderr}`);
}

test("gcd() finds the greatest common divisor", () => {
  assertEquals(gcd([12, 18]), 6);
  assertEquals(gcd([18, 12]), 6);
  assertEquals(gcd([7, 7]), 7);
  assertEquals(gcd([7, 13]), 1);
  assertEquals(gcd([1, 1]), 1);
});

test("gcd.ts times its modes and ends well", SLOW, async () => {
  assertReports(await runExample(), "400 pairs", "2 workers");
});

test("gcd.ts runs as the task that the README names", SLOW, async () => {
  const result = await runDeno(["task", "--quiet", "example", "--repeat", "3"]);
  assertReports(result, "12 pairs", "2 workers");
});

test("gcd.ts needs no permissions but to read and to start processes", SLOW, async () => {
  const permissions = ["--allow-read", "--allow-run", "--allow-env"];
  const options = { permissions, args: ["--repeat", "1"] };
  assertReports(await support.runExample("gcd", options), "4 pairs", "2 workers");
});

test("gcd.ts --workers sets the number of workers", SLOW, async () => {
  assertReports(await runExample("--workers", "1", "--repeat", "2"), "8 pairs", "1 worker");
  assertReports(await runExample("--workers", "3", "--repeat", "2"), "8 pairs", "3 workers");
});

test("gcd.ts --file reads pairs, and skips comments and empty lines", SLOW, async () => {
  const text = "# two pairs\r\n12,18\r\n\n  # spaces are fine\n 7 , 21\n\n";
  assertReports(await runWithFile(text), "2 pairs", "2 workers");
});

test("gcd.ts --file reads the pairs that lie beside it", SLOW, async () => {
  assertReports(
    await runExample("--repeat", "2", "--file", "examples/pairs.csv"),
    "10 pairs",
    "2 workers",
  );
});

test("gcd.ts --file says what is wrong in which line", SLOW, async () => {
  const wrong: [text: string, line: number, message: string][] = [
    ["1,2\n\n3;4\n", 3, 'expected two integers with a comma between them, got "3;4"'],
    ["1,2,3", 1, 'expected two integers with a comma between them, got "1,2,3"'],
    ["1,", 1, '"" is not an integer'],
    ["# a\n1,x\n", 2, '"x" is not an integer'],
    ["1.5,2", 1, '"1.5" is not an integer'],
    ["0,2", 1, "0 is not greater than 0"],
    ["3,-2", 1, "-2 is not greater than 0"],
    ["9007199254740993,2", 1, "9007199254740993 is greater than 9007199254740991"],
  ];
  for (const [text, line, message] of wrong) {
    const result = await runWithFile(text);
    assertRefuses(result, `${result.place}:${line}: ${message}\n`);
  }
});

test("gcd.ts --file refuses a file without pairs and one that is not there", SLOW, async () => {
  const empty = await runWithFile("# nothing\n");
  assertRefuses(empty, `${empty.place}: there is no pair in it`);
  assertRefuses(await runExample("--file", "no/such/pairs.csv"), "Cannot read no/such/pairs.csv: ");
});

test("gcd.ts refuses numbers and options that it does not know", SLOW, async () => {
  const refused = [
    ["--workers", "0"],
    ["--workers", "two"],
    ["--workers", "256"],
    ["--repeat", "1.5"],
    ["--repeat", "-1"],
    ["--repeat", ""],
  ];
  for (const [option, value] of refused) {
    const result = await runExample(`${option}=${value}`);
    assertRefuses(result, `${option} must be an integer from 1 to `);
    assertStringIncludes(result.stderr, `got "${value}"`);
  }
  assertRefuses(await runExample("--bogus"), "--bogus");
  assertRefuses(await runExample("pairs.csv"), "pairs.csv");
  assertRefuses(await runExample("--file"), "--file");
});

test("gcd.ts --help says what the options are", SLOW, async () => {
  const result = await runExample("--help");
  assertEquals([result.code, result.stderr], [0, ""]);
  for (const option of ["--file", "--repeat", "--workers", "--help"]) {
    assertMatch(result.stdout, new RegExp(`^  ${option} `, "m"));
  }
});
