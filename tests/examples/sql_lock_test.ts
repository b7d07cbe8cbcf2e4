import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

const THREADS = 10;

test("sql_lock.ts serves one query after the other, in the order of arrival", SLOW, async () => {
  const output = await assertPrintsAsDocumented("sql_lock", ["--allow-read"]);
  const names = Array.from({ length: THREADS }, (_, i) => `thread_${i}`);
  const queries = names.flatMap((_, i) => [
    `Query ${i + 1} starts`,
    `Query ${i + 1} ends: ${(i + 1) * 100} rows`,
  ]);
  assertEquals(output.split("\n"), [`Waiting: ${names.join(" ")}`, "", ...queries, ""]);
});
