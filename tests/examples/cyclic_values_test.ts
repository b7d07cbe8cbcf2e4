import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

test("cyclic_values.ts finds the shapes in the worker and back here, in copies", SLOW, async () => {
  const output = await assertPrintsAsDocumented("cyclic_values", ["--allow-read"]);
  const found = output.split("\n").filter((line) => line.startsWith("  "));
  const kept = "  in the worker: true, back here: true, and a copy: true";
  assertEquals(found, [kept, kept, kept]);
});
