/**
 * The permissions of a program that each class needs: those in the README's table, and no fewer.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram, type RunResult } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

/** Programs take their time while other tests run beside them. */
const SLOW = { timeout: 120_000 };

/** A program for each name in the table; each prints 42. */
const USES: Record<string, string> = {
  AsyncExecutor: `
    await using loop = new futures.AsyncExecutor({ maxWorkers: 1 });
    console.log(await loop.submit(work, 6));`,
  Lock: `
    const lock = new futures.Lock();
    console.log(await lock.run(() => work(6)));`,
  Queue: `
    const queue = new futures.Queue();
    await queue.put(work(6));
    console.log(await queue.get());`,
  ThreadPoolExecutor: `
    await using pool = new futures.ThreadPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit(work, 6));`,
  map: `
    console.log((await futures.map(work, [6]).toArray())[0]);`,
  Thread: `
    const results = new futures.Queue();
    const thread = new futures.Thread({ target: putWork, args: [results, 6] });
    thread.start();
    await thread.join();
    console.log(results.getNowait());`,
  Timer: `
    const results = new futures.Queue();
    const timer = new futures.Timer(1, putWork, { args: [results, 6] });
    timer.start();
    await timer.join();
    console.log(results.getNowait());`,
  ProcessPoolExecutor: `
    await using pool = new futures.ProcessPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit(work, 6));`,
  Process: `
    const results = new futures.Queue();
    const process = new futures.Process({ target: putWork, args: [results, 6] });
    process.start();
    await process.started; // which is how a process tells that it could not be started
    await process.join();
    console.log(results.getNowait());`,
};

function programOf(name: string): string {
  return `
    import * as futures from "@concurrent/futures";
    export const work = futures.task(import.meta, function work(n) { return n * 7; });
    export const putWork = futures.task(import.meta, function putWork(results, n) {
      results.putSync(work(n));
    });
    if (import.meta.main) {${USES[name]}
    }`;
}

function runWith(name: string, permissions: string[]): Promise<RunResult> {
  return runProgram(programOf(name), { permissions });
}

/** The table in the section on permissions: the flags that each name needs. */
async function tableOfReadme(): Promise<Map<string, string[]>> {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const section = /^## Permissions\n([^]*?)^## /m.exec(readme)![1];
  const quoted = (cell: string): string[] =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text);
  const table = new Map<string, string[]>();
  for (const [, names, flags] of section.matchAll(/^\| (`.*?) \| (.*?) \|$/gm)) {
    for (const name of quoted(names)) table.set(name, quoted(flags));
  }
  return table;
}

const table = await tableOfReadme();

test("The README's table of permissions names what is tested here", () => {
  assertEquals([...table.keys()].toSorted(), Object.keys(USES).toSorted());
});

for (const [name, flags] of table) {
  test(`${name} needs ${flags.join(" ") || "no permission"}`, SLOW, async () => {
    const { code, stdout, stderr } = await runWith(name, flags);
    assertEquals([stdout, stderr, code], ["42\n", "", 0]);
  });

  for (const missing of flags) {
    test(`${name} says that it needs ${missing}`, SLOW, async () => {
      const { stdout, stderr, timedOut } = await runWith(
        name,
        flags.filter((flag) => flag !== missing),
      );
      assert(!timedOut && !stdout.includes("42"), stdout);
      assertStringIncludes(stderr, missing);
    });
  }
}

test("Processes do with --allow-run and --allow-env for what they use", SLOW, async () => {
  for (const name of ["ProcessPoolExecutor", "Process"]) {
    const { code, stdout, stderr } = await runWith(name, [
      "--allow-read",
      `--allow-run=${Deno.execPath()}`,
      "--allow-env=NODE_V8_COVERAGE",
    ]);
    assertEquals([stdout, stderr, code], ["42\n", "", 0], name);
  }
});
