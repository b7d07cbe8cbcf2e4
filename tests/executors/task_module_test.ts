import { assert, assertEquals, assertGreater } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ThreadPoolExecutor } from "../../mod.ts";
import { test } from "../_support/leaks.ts";
import { ROOT } from "../_support/scratch.ts";
import { attemptOf, bytesOf } from "../_support/light_tasks.ts";

/** The files of the package that are evaluated when a file is imported. */
async function imported(entry: string): Promise<Set<string>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: fromFileUrl(ROOT),
  }).output();
  const { modules, roots } = JSON.parse(new TextDecoder().decode(stdout)) as {
    readonly roots: string[];
    readonly modules: {
      readonly specifier: string;
      readonly dependencies?: {
        readonly code?: { readonly specifier: string };
        readonly isDynamic?: boolean;
      }[];
    }[];
  };
  const found = new Set(roots);
  for (const specifier of found) {
    const module = modules.find((one) => one.specifier === specifier);
    for (const { code, isDynamic } of module?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) found.add(code.specifier);
    }
  }
  return found;
}

test("a module of tasks that imports only ./task runs in a worker, with its context and transfers", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  assertEquals(await pool.submit(attemptOf), 1);
  assertEquals((await pool.submit(bytesOf, 3)).byteLength, 3);
});

test("./task imports nothing that a worker has not imported anyway", async () => {
  const ours = await imported("executors/task_module.ts");
  const workers = await imported("executors/_worker_main.ts");
  const own = new URL("executors/task_module.ts", ROOT).href;
  assertEquals([...ours].filter((file) => !workers.has(file)), [own]);
  // In comparison: the main entry, which has all.
  const all = await imported("mod.ts");
  assert(ours.size < workers.size);
  assertGreater(all.size, 3 * workers.size);
});
