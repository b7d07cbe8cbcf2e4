import { assertEquals, assertNotEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";

// In programs of their own: the shared pool is never shut down, which is a leak for a test but not
// for a program.
test("map(): the example in its documentation runs, and lets the program end", async () => {
  const source = await Deno.readTextFile(new URL("../../executors/map.ts", import.meta.url));
  const example = /^ \* ```ts ignore\n(.*?)^ \* ```/ms.exec(source)?.[1].replaceAll(/^ \* ?/gm, "");
  assertNotEquals(example, undefined);
  const { code, stderr, timedOut } = await runProgram(example!, { timeoutMs: 10_000 });
  assertEquals({ code, stderr, timedOut }, { code: 0, stderr: "", timedOut: false });
});

test("map() goes on with another worker after an item has ended one", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(
    `import { map } from "@concurrent/futures";
     const results = map((n: number) => n === 2 ? close() : n, [1, 2, 3], { chunksize: 3 });
     await results.toArray().catch((error) => console.log(error.name));
     console.log(await map((n: number) => n, [1, 2, 3]).toArray());
     console.log([...map((n: number) => n, [4, 5, 6])]);`,
    { timeoutMs: 10_000 },
  );
  assertEquals({ code, stderr, timedOut }, { code: 0, stderr: "", timedOut: false });
  assertEquals(stdout, "BrokenThreadPool\n[ 1, 2, 3 ]\n[ 4, 5, 6 ]\n");
});

test("map() makes another pool after one whose worker could not be started", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(
    `import { map } from "@concurrent/futures";
     const { Worker } = globalThis;
     globalThis.Worker = class extends Worker {
       constructor() {
         throw new RangeError("no threads left");
       }
     };
     const results = map((n: number) => n, [1, 2, 3], { chunksize: 3 });
     await results.toArray().catch((error) => console.log(error.name));
     globalThis.Worker = Worker;
     console.log(await map((n: number) => n, [1, 2, 3]).toArray());`,
    { timeoutMs: 10_000 },
  );
  assertEquals({ code, stderr, timedOut }, { code: 0, stderr: "", timedOut: false });
  assertEquals(stdout, "BrokenThreadPool\n[ 1, 2, 3 ]\n");
});
