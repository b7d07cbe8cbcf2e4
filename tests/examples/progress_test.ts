import { assert, assertEquals, assertMatch } from "@std/assert";
import { countPrimes, stepsToOne } from "../../examples/progress.ts";
import { AsyncExecutor } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { hasTerminals, runInTerminal } from "../_support/terminal.ts";
import { ROOT } from "../_support/scratch.ts";
import { documentedOutput, runExample, SLOW } from "./_support.ts";

const EXAMPLE = new URL("examples/progress.ts", ROOT);
const OUTPUT = "17984 primes below 200000\n" +
  "the longest way to 1 below 400: from 327, in 143 steps\n";

test(
  "progress.ts prints what its header says, and one line for each bar on standard error",
  SLOW,
  async () => {
    const { code, stdout, stderr } = await runExample("progress");
    assertEquals([code, stdout], [0, await documentedOutput("progress")]);
    const lines = stderr.trimEnd().split("\n");
    const last = (label: string) => lines.findLast((line) => line.startsWith(`${label}: `));
    assertMatch(last("primes")!, /^primes: 4\/4 \(100%\), .* elapsed$/);
    assertMatch(last("steps")!, /^steps: 399\/399 \(100%\), .* elapsed$/);
  },
);

test("progress.ts takes a limit, and needs only to read its modules", SLOW, async () => {
  const { code, stdout } = await runExample("progress", {
    args: ["--limit", "200000"],
    permissions: ["--allow-read"],
  });
  assertEquals([code, stdout], [0, OUTPUT]);
  for (const limit of ["1", "2.5", "many"]) {
    const refused = await runExample("progress", { args: [`--limit=${limit}`] });
    assertEquals([refused.code, refused.stdout], [2, ""]);
    assertMatch(refused.stderr, /^--limit must be an integer from 2 to 100000000, got /);
  }
});

test("progress.ts draws two bars in a terminal, and leaves them above its output", {
  ...SLOW,
  ignore: !hasTerminals,
}, async () => {
  const { code, output, screen } = await runInTerminal(EXAMPLE, { args: ["--limit", "200000"] });
  assertEquals(code, 0);
  assertEquals(screen.slice(2), OUTPUT.trimEnd().split("\n"));
  const bars = screen.slice(0, 2).toSorted();
  assertMatch(bars[0], /^primes: 100%\|█+\| 4\/4 \[.*\]$/);
  assertMatch(bars[1], /^steps: 100%\|█+\| 399\/399 \[.*\]$/);
  assert(output.includes("primes:   0%|░"), output);
});

test("the tasks of progress.ts count primes and steps", async () => {
  await using executor = new AsyncExecutor();
  assertEquals(await executor.submit(countPrimes, 0, 30), 10);
  assertEquals(await executor.submit(countPrimes, 30, 60), 7);
  assertEquals([1, 2, 6, 27].map(stepsToOne), [0, 1, 8, 111]);
});
