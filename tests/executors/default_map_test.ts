import { assertEquals, assertNotEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";

// In a program of its own: the shared pool is never shut down, which is a leak for a test but not
// for a program.
test("map(): the example in its documentation runs, and lets the program end", async () => {
  const source = await Deno.readTextFile(new URL("../../executors/map.ts", import.meta.url));
  const example = /^ \* ```ts ignore\n(.*?)^ \* ```/ms.exec(source)?.[1].replaceAll(/^ \* ?/gm, "");
  assertNotEquals(example, undefined);
  const { code, stderr, timedOut } = await runProgram(example!, { timeoutMs: 10_000 });
  assertEquals({ code, stderr, timedOut }, { code: 0, stderr: "", timedOut: false });
});
