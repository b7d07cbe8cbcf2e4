import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runDeno } from "../_support/run.ts";
import { scratchFolder } from "../_support/scratch.ts";

test("callAt() runs no microtasks within the call, also where it is the first to need a timer", async () => {
  await using scratch = await scratchFolder();
  // Run by a plain test: one of ours has already had a timer, and a program's first code runs
  // within a microtask.
  const file = await scratch.write(
    "first_timer_test.ts",
    `
    import { callAt, nowMs } from "../../../_platform/clock.ts";
    Deno.test("first", () => {
      let isEarly = false;
      Promise.resolve().then(() => isEarly = true);
      callAt(nowMs() + 60_000, () => {})();
      if (isEarly) throw new Error("microtasks ran");
    });
  `,
  );
  const { code, stdout } = await runDeno(["test", "-A", "--no-check", "--no-config", file]);
  assertEquals(code, 0, stdout);
});
