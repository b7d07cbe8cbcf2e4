/** What tasks report moves the bar, wherever they run. */

import { assert, assertEquals } from "@std/assert";
import {
  asCompleted,
  AsyncExecutor,
  type Executor,
  Future,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
import { progress } from "../../progress/mod.ts";
import { Gate } from "../contracts/signals.ts";
import { test } from "../_support/leaks.ts";
import "../_support/processes.ts";
import { FakeError } from "../_support/terminal.ts";
import { reportAndPass, reportItem, reportLater } from "./tasks.ts";

const SLOW = { timeout: 90_000 };

const KINDS: Record<string, (maxWorkers: number) => Executor> = {
  AsyncExecutor: (maxWorkers) => new AsyncExecutor({ maxWorkers }),
  ThreadPoolExecutor: (maxWorkers) => new ThreadPoolExecutor({ maxWorkers }),
  ProcessPoolExecutor: (maxWorkers) => new ProcessPoolExecutor({ maxWorkers }),
};

/** Opens the gate at which the tasks wait once the terminal has shown a text. */
function openAt(text: string, error: FakeError, gate: Gate): void {
  error.onWrite = (written) => {
    if (written.includes(text)) gate.open();
  };
}

for (const [name, make] of Object.entries(KINDS)) {
  test(`${name}: a bar shows the sum of what tasks report`, SLOW, async () => {
    using error = new FakeError(true);
    await using executor = make(2);
    using gate = new Gate();
    const futures = [0.25, 0.5].map((n) => executor.submit(reportAndPass, n, gate.parts));
    openAt(" 37%|", error, gate);
    for await (const done of progress(asCompleted(futures))) await done;
    assert(error.text.includes("0/2 ["), error.text);
    assert(error.text.includes("100%|"), error.text);
  });

  test(`${name}: a bar shows what a task reports after it has waited`, SLOW, async () => {
    using error = new FakeError(true);
    await using executor = make(1);
    using gate = new Gate();
    const future = executor.submit(reportLater, 0.75, gate.parts);
    openAt(" 75%|", error, gate);
    for await (const done of progress(asCompleted([future]))) assertEquals(await done, 0.75);
  });

  test(
    `${name}: of a chunk of map(), a bar shows the items before and a part of the one under way`,
    SLOW,
    async () => {
      using error = new FakeError(true);
      await using executor = make(1);
      using gate = new Gate();
      const held = new Array(4).fill([gate.parts, 2]);
      openAt(" 62%|", error, gate);
      const results = executor.map(reportItem, [0, 1, 2, 3], held, { chunksize: 4 });
      assertEquals(await progress(results).toArray(), [0, 1, 2, 3]);
    },
  );

  if (name === "AsyncExecutor") continue;

  test(`${name}: a bar shows what tasks report while the thread is blocked`, SLOW, () => {
    using error = new FakeError(true);
    using executor = make(2);
    using gate = new Gate();
    const futures = [0.25, 0.5].map((n) => executor.submit(reportAndPass, n, gate.parts));
    openAt(" 37%|", error, gate);
    const seen: number[] = [];
    for (const done of progress(asCompleted(futures))) seen.push(done.resultSync());
    assertEquals(seen.toSorted(), [0.25, 0.5]);

    using again = new Gate();
    openAt(" 62%|", error, again);
    const held = new Array(4).fill([again.parts, 2]);
    const results = executor.map(reportItem, [0, 1, 2, 3], held, { chunksize: 4 });
    assertEquals([...progress(results)], [0, 1, 2, 3]);
  });
}

test("a bar does not count twice what a task has reported and done", async () => {
  using error = new FakeError(false);
  await using executor = new AsyncExecutor();
  using gate = new Gate();
  const future = executor.submit(reportAndPass, 1, gate.parts);
  const pending = new Future<number>();
  const loop = progress(asCompleted([future, pending]), { mininterval: 0 });
  openAt("0/2 (50%)", error, gate);
  for await (const _ of loop) break;
  assert(error.lines.at(-1)!.startsWith("1/2 (50%)"), error.text);
});
