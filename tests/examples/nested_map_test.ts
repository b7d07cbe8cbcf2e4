import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

test("nested_map.ts prints what its tasks found, and which one could not wait", SLOW, async () => {
  await assertPrintsAsDocumented("nested_map", ["--allow-read"]);
});
