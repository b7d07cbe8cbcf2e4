/** A call that finds no more stack fails wherever it is: locks and queues can be used afterwards. */

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
    // Whoever finds a latch taken blocks, so that a time limit of the test's own would not come.
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
