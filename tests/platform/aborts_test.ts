import { assertEquals } from "@std/assert";
import { whenAborted } from "../../_platform/aborts.ts";
import { countedSignal } from "../_support/counted_signal.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";

test("whenAborted() adds one listener for all callbacks, and removes it with the last", () => {
  const { signal, listeners, added } = countedSignal();
  const cancels = Array.from({ length: 1000 }, () => whenAborted(signal, () => {}));
  for (const cancel of cancels) {
    assertEquals([listeners(), added()], [1, 1]);
    cancel();
    cancel();
  }
  assertEquals(listeners(), 0);
  whenAborted(signal, () => {});
  assertEquals([listeners(), added()], [1, 2]);
});

test("whenAborted() calls back in order, once, and leaves no listener", () => {
  const { controller, signal, listeners } = countedSignal();
  const called: number[] = [];
  for (let i = 0; i < 5; i++) {
    const cancel = whenAborted(signal, () => called.push(i));
    if (i === 2) cancel();
  }
  controller.abort();
  signal.dispatchEvent(new Event("abort"));
  assertEquals([called, listeners()], [[0, 1, 3, 4], 0]);
});

test("whenAborted() spares a callback that an earlier one removes, or adds while the signal aborts", () => {
  const { controller, signal, listeners } = countedSignal();
  const called: string[] = [];
  const cancels: (() => void)[] = [];
  whenAborted(signal, () => {
    called.push("first");
    cancels[0]();
    cancels.push(whenAborted(signal, () => called.push("late")));
  });
  cancels.push(whenAborted(signal, () => called.push("removed")));
  whenAborted(signal, () => called.push("last"));
  controller.abort();
  assertEquals(called, ["first", "last"]);
  cancels[1]();
  assertEquals(listeners(), 0);
});

test("whenAborted() has an error of a callback uncaught, and calls the others", async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { whenAborted } from "${import.meta.resolve("../../_platform/aborts.ts")}";
    const controller = new AbortController();
    addEventListener("unhandledrejection", (event) => {
      console.log(event.reason.message);
      event.preventDefault();
    });
    for (const name of ["first", "second"]) {
      whenAborted(controller.signal, () => {
        console.log(name);
        throw new Error("error of " + name);
      });
    }
    controller.abort();
    console.log("aborted");
  `);
  assertEquals(
    [code, stdout, stderr],
    [0, "first\nsecond\naborted\nerror of first\nerror of second\n", ""],
  );
});

test("whenAborted() does nothing without a signal, or with one that has aborted", () => {
  let called = 0;
  for (const signal of [undefined, null, AbortSignal.abort()]) {
    whenAborted(signal, () => called++)();
  }
  assertEquals(called, 0);
});
