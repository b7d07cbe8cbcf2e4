import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

const EXAMPLE = new URL("examples/counter.ts", ROOT);
const EXPECTED = 25_000;

/** Programs take their time when other tests run beside them. */
const SLOW = { timeout: 60_000 };

test("counter.ts loses increments without a lock and none with one", SLOW, async () => {
  const RUNS = 3;
  for (let i = 0; i < RUNS; i++) {
    const { code, stdout, stderr } = await runProgram(EXAMPLE);
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.split("\n");
    const unlocked = Number(/found (\d+)$/.exec(lines[1])?.[1]);
    assert(unlocked >= 1 && unlocked < EXPECTED, `found ${lines[1]}`);
    assertEquals(lines, [
      "Without a lock",
      `Counter should be ${EXPECTED}, found ${unlocked}`,
      "With a lock",
      `Counter should be ${EXPECTED}, found ${EXPECTED}`,
      "",
    ]);
  }
});

test("counter.ts needs no permission but to read", SLOW, async () => {
  const { code, stderr } = await runProgram(EXAMPLE, { permissions: ["--allow-read"] });
  assertEquals([code, stderr], [0, ""]);
});
