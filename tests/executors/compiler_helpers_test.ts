/**
 * Functions sent as source text in which a compiler has written something else in place of `using`:
 * they do what the text that uses `using` does.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import * as esbuild from "esbuild";
import { NotShareableError, ThreadPoolExecutor } from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";

/**
 * A function, as text, that runs a block, and tells what happened in which order, and then what all
 * was thrown.
 */
function around(block: string): string {
  return `async function blocks(fails) {
    const seen = [];
    const make = (name, method) => ({
      [method]() {
        seen.push(name);
        if (fails) throw name;
      },
    });
    const run = async () => {${block}};
    let thrown = await run().catch((error) => error);
    for (; thrown !== undefined; thrown = thrown.suppressed) seen.push(thrown.error ?? thrown);
    return seen;
  }`;
}

const WRITTEN = around(`
  using first = make("first", Symbol.dispose);
  await using second = make("second", Symbol.asyncDispose);
  await using third = make("third", Symbol.dispose), none = null;
  using nothing = undefined;
  seen.push("block");
  if (fails) throw "block";
`);

/** What TypeScript makes of it for ES2022, without the helpers before it. */
const BY_TYPESCRIPT = around(`
  const env_1 = { stack: [], error: void 0, hasError: false };
  try {
    const first = __addDisposableResource(env_1, make("first", Symbol.dispose), false);
    const second = __addDisposableResource(env_1, make("second", Symbol.asyncDispose), true);
    const third = __addDisposableResource(env_1, make("third", Symbol.dispose), true),
      none = __addDisposableResource(env_1, null, true);
    const nothing = __addDisposableResource(env_1, undefined, false);
    seen.push("block");
    if (fails) throw "block";
  }
  catch (e_1) {
    env_1.error = e_1;
    env_1.hasError = true;
  }
  finally {
    const result_1 = __disposeResources(env_1);
    if (result_1) await result_1;
  }
`);

/** What swc makes of it is the same but for two names. */
const BY_SWC = BY_TYPESCRIPT
  .replaceAll("__addDisposableResource", "_ts_add_disposable_resource")
  .replaceAll("__disposeResources", "_ts_dispose_resources");

/** What esbuild makes of a function, likewise. */
async function byEsbuild(text: string): Promise<string> {
  const { code } = await esbuild.transform(text, { target: "es2022" });
  await esbuild.stop();
  return code.slice(code.search(/^(async )?function/m));
}

function functionOf<F>(text: string): F {
  return new Function(`return ${text}`)();
}

type Blocks = (fails: boolean) => Promise<string[]>;

for (
  const [compiler, compile, helper] of [
    ["esbuild", () => byEsbuild(WRITTEN), "__callDispose("],
    ["TypeScript", () => BY_TYPESCRIPT, "__disposeResources("],
    ["swc", () => BY_SWC, "_ts_dispose_resources("],
  ] as const
) {
  test(`A function in which ${compiler} has replaced \`using\` runs in a worker as it was written`, async () => {
    const text = await compile();
    assert(text.includes(helper) && !text.includes("using "), text);
    const [written, compiled] = [WRITTEN, text].map((text) => functionOf<Blocks>(text));
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    assertEquals(await pool.submit(compiled, false), ["block", "third", "second", "first"]);
    const thrown = ["first", "second", "third", "block"];
    assertEquals(await pool.submit(compiled, true), [...thrown.toReversed(), ...thrown]);
    for (const fails of [false, true]) {
      assertEquals(await pool.submit(compiled, fails), await written(fails));
    }
  });
}

test("A compiled `using` of what cannot be disposed of throws a TypeError, also in a function that is not async", async () => {
  const text = await byEsbuild("function use(value) { using it = value; return typeof it; }");
  const use = functionOf<(value: unknown) => string>(text);
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  assertEquals(await pool.submit(use, null), "object");
  for (const [value, name] of [[5, "5"], [[], "Array"]] as const) {
    const message = `Cannot use ${name}: it cannot be disposed of`;
    await assertRejects(() => pool.submit(use, value).result(), TypeError, message);
  }
});

test("A function that needs something else that a tool has put around it is told what to do", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (const name of ["__vite_ssr_import_3__", "cov_262irunrb0"]) {
    const fn = functionOf<() => unknown>(`() => ${name}()`);
    await assertRejects(
      () => pool.submit(fn).result(),
      NotShareableError,
      `it uses "${name}" from around it, where a compiler or a coverage tool may have put it; export the`,
    );
  }
  const own = functionOf<() => unknown>("() => __dirname");
  await assertRejects(
    () => pool.submit(own).result(),
    NotShareableError,
    '"__dirname" from around',
  );
});
