import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { documentedOutput, printedAsDocumented, printedBy, SLOW } from "./_support.ts";

const EXPECTED = 25_000;
const RUNS = 3;

function check(output: string): void {
  const lines = output.split("\n");
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

test("counter.ts loses increments without a lock and none with one", SLOW, async () => {
  check(await documentedOutput("counter"));
  for (let i = 0; i < RUNS; i++) check(await printedAsDocumented("counter"));
});

test("counter.ts needs no permission but to read", SLOW, async () => {
  await printedBy("counter", { permissions: ["--allow-read"] });
});
