/**
 * A call that runs out of stack fails, wherever that happens: locks and queues can still be used
 * afterwards.
 */

import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertEndedWell } from "./_support.ts";

const USES: Record<string, string> = {
  Lock: "object.acquireSync(); object.release();",
  Semaphore: "object.release(); object.acquireSync();",
  Event: "object.set(); object.clear();",
  Queue: "object.putNowait('item'); object.putNowait(1); object.getNowait(); object.getNowait();",
  LifoQueue: "object.putNowait('item'); object.getNowait();",
  PriorityQueue:
    "object.putNowait(2); object.putNowait(1); object.getNowait(); object.getNowait();",
  SimpleQueue: "object.putNowait('item'); object.getNowait();",
};

for (const [kind, use] of Object.entries(USES)) {
  test(`${kind} can be used after the stack has ended in a call of it`, async () => {
    // In a program of its own: a thread that finds a latch taken blocks, so this test's own time
    // limit would not come.
    const ended = await runProgram(`
      import { ${kind} } from "@concurrent/futures";
      const object = new ${kind}();
      const use = () => { ${use} };
      const walk = () => { use(); walk(); };
      const begin = (depth) => depth > 0 ? begin(depth - 1) : walk();
      let ends = 0;
      // Frames of another size each time: the stack ends elsewhere.
      for (let depth = 0; depth < 40; depth++) {
        try {
          begin(depth);
        } catch (error) {
          if (error instanceof RangeError) ends++;
        }
        if (${kind === "Lock"} && object.locked()) object.release();
      }
      use();
      console.log(ends);
    `);
    assertEndedWell(ended, ["40"]);
  });
}

for (const kind of ["Queue", "LifoQueue", "PriorityQueue"]) {
  test(`${kind} keeps its items apart after the stack has ended in many calls of it`, async () => {
    const ended = await runProgram(`
      import { ${kind} } from "@concurrent/futures";
      const queue = new ${kind}();
      const item = (n) => [String((n * 7919) % 97), n];
      // Tries from every frame near the end of the stack, until it went well often enough.
      const tryAtEnd = (use) => {
        let times = 0;
        const dive = () => {
          try { dive(); } catch {}
          if (times < 50) try { use(); times++; } catch {}
        };
        dive();
      };
      const found = [];
      const takeAll = () => {
        const before = found.length;
        while (!queue.empty()) found.push(queue.getNowait()[1]);
        return found.length - before;
      };
      let count = 0;
      const put = () => { queue.putNowait(item(count)); count++; };
      for (let i = 0; i < 10; i++) tryAtEnd(put);
      console.log(takeAll() === count);
      while (count < 2000) put();
      for (let i = 0; i < 10; i++) {
        tryAtEnd(() => { found[found.length] = queue.getNowait()[1]; });
        tryAtEnd(put);
      }
      takeAll();
      // An item that was taken and could not be decoded is gone; none comes twice.
      console.log(new Set(found).size === found.length);
      for (let i = 0; i < 1000; i++) put();
      console.log(takeAll());
    `);
    assertEndedWell(ended, ["true", "true", "1000"]);
  });
}
