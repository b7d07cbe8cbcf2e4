import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

test("stream.ts leaves its log early, and has the worker close it", SLOW, async () => {
  const printed = await assertPrintsAsDocumented("stream", ["--allow-read"]);
  const [found, closed, ahead, ...more] = printed.split("\n");
  const [, line] = /^Line (\d+): /.exec(found)!;
  const [, lines] = /, of (\d+) lines$/.exec(closed)!;
  assertEquals([Number(line) < Number(lines), ahead.endsWith("true"), more], [true, true, [""]]);
});
