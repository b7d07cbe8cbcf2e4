import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

const EXAMPLE = new URL("examples/sql_lock.ts", ROOT);
const THREADS = 10;

/** Programs take their time when other tests run beside them. */
const SLOW = { timeout: 60_000 };

test("sql_lock.ts serves one query after the other, in the order of arrival", SLOW, async () => {
  const { code, stdout, stderr } = await runProgram(EXAMPLE);
  assertEquals([code, stderr], [0, ""]);
  const names = Array.from({ length: THREADS }, (_, i) => `thread_${i}`);
  const queries = names.flatMap((_, i) => [
    `Query ${i + 1} starts`,
    `Query ${i + 1} ends: ${(i + 1) * 100} rows`,
  ]);
  assertEquals(stdout.split("\n"), [`Waiting: ${names.join(" ")}`, "", ...queries, ""]);
});
