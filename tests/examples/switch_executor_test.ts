import { assert, assertEquals } from "@std/assert";
import { factorize } from "../../examples/switch_executor.ts";
import { test } from "../_support/leaks.ts";
import {
  assertPrintsAsDocumented,
  documentedOutput,
  printedBy,
  runExample,
  SLOW,
} from "./_support.ts";

const PLACES = {
  async: "AsyncExecutor, in the program's own thread",
  thread: "ThreadPoolExecutor, in another thread",
  process: "ProcessPoolExecutor, in another process",
};

test("switch_executor.ts uses threads unless it is told otherwise", SLOW, async () => {
  await assertPrintsAsDocumented("switch_executor", ["--allow-read"]);
});

test("switch_executor.ts prints the same whatever runs the job", SLOW, async () => {
  const [, ...factors] = (await documentedOutput("switch_executor")).split("\n");
  for (const [name, place] of Object.entries(PLACES)) {
    const output = await printedBy("switch_executor", { args: ["--executor", name] });
    assertEquals(output.split("\n"), [place, ...factors]);
  }
});

test("switch_executor.ts refuses an executor that it does not know", SLOW, async () => {
  for (const name of ["cluster", "", "toString"]) {
    const { code, stdout, stderr } = await runExample("switch_executor", {
      args: [`--executor=${name}`],
    });
    assertEquals([code, stdout], [2, ""]);
    assertEquals(stderr, `--executor must be one of async, thread, process, got "${name}"\n`);
  }
});

test("factorize() finds the prime factors", () => {
  assertEquals(factorize(1), []);
  assertEquals(factorize(2), [2]);
  assertEquals(factorize(360), [2, 2, 2, 3, 3, 5]);
  const factors = factorize(600851475143);
  assertEquals(factors.reduce((product, factor) => product * factor), 600851475143);
  assert(factors.every((factor) => factorize(factor).length === 1));
});
