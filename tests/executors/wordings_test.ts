/** What a task lacks is told from the engines' errors, which have words of their own. */

import { assertInstanceOf, assertStringIncludes } from "@std/assert";
import { toFileUrl } from "@std/path";
import { NotShareableError, tasks, ThreadPoolExecutor } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { scratchFolder } from "../_support/scratch.ts";

test("A task is told what it lacks in the words of Safari too", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const refused = await pool.submit(() => {
    throw new ReferenceError("Can't find variable: limit");
  }).exception();
  assertInstanceOf(refused, NotShareableError);
  assertStringIncludes(refused.message, 'it uses "limit" from around it');
  await using folder = await scratchFolder();
  const forPages = 'throw new ReferenceError("Can\'t find variable: document");';
  const forbidden = 'throw new TypeError("Cross-origin script load denied by CORS policy.");';
  for (
    const [code, hint] of [
      [forPages, "; the file has code for the page too"],
      [forbidden, "; a bundler has replaced the address of the task's module by this one"],
    ]
  ) {
    const url = toFileUrl(await folder.write(`${hint.length}.ts`, code));
    const error = await pool.submit(tasks<{ run: () => void }>(url).run).exception();
    assertStringIncludes((error as Error).message, hint);
  }
});
