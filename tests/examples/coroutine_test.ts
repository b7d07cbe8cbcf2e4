import { assertEquals } from "@std/assert";
import { runningMinimum, start } from "../../examples/coroutine.ts";
import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

test("coroutine.ts prints the same minima from a generator and from a thread", SLOW, async () => {
  await assertPrintsAsDocumented("coroutine", ["--allow-read"]);
});

test("runningMinimum() answers each number with the smallest so far", () => {
  const coroutine = start();
  const answers = [3, 5, -1, 0, -1, -2].map((number) => coroutine.next(number).value);
  assertEquals(answers, [3, 3, -1, -1, -1, -2]);
});

test("runningMinimum() drops what it is given before its first yield", () => {
  const coroutine = runningMinimum();
  assertEquals(coroutine.next(1).value, Infinity);
  assertEquals(coroutine.next(2).value, 2);
});
