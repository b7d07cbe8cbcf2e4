/** A TypeScript program for Node, checked and compiled by `tsc` as strictly as it can. */

import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { hasNode, installed, NAME } from "./_consumer.ts";

const WORK = `
import { task } from "${NAME}";
export const gcd = task(import.meta, function gcd([a, b]: [number, number]): number {
  return b === 0 ? a : gcd([b, a % b]);
});
`;

const MAIN = `
import { asCompleted, type Executor, type Future, ThreadPoolExecutor, transfer, wait } from "${NAME}";
import { FIRST_COMPLETED } from "${NAME}/executors";
import { Queue } from "${NAME}/queue";
import { Lock, RLock, Value } from "${NAME}/sync";
import { gcd } from "./work.js";

const pool: Executor = new ThreadPoolExecutor({ maxWorkers: 2 });
const future: Future<number> = pool.submit(gcd, [48, 36]);
// @ts-expect-error: the argument is of another type.
pool.submit(gcd, "48");
// @ts-expect-error: there is no such option.
new ThreadPoolExecutor({ workers: 2 });
console.log(await future);
const queue = new Queue<string>(4);
await queue.put("item");
const item: string = await queue.get();
console.log(item);
for await (const n of pool.map((n: number) => n + 1, [1, 2])) console.log(n satisfies number);
console.log((await wait([future], { returnWhen: FIRST_COMPLETED })).done.size);
const [settled, others] = await wait([future]);
console.log(settled.size, others.size);
const mixed = [future, pool.submit((text: string) => text, "12")];
for await (const done of asCompleted([future])) console.log((await done).toFixed());
for await (const done of asCompleted(mixed)) if (!done.done()) done.cancel();
declare const later: { timeout: number | undefined; signal: AbortSignal | undefined };
if (Date.now() < 0) await wait(mixed, later);
new ThreadPoolExecutor({ maxWorkers: undefined, idleTimeout: undefined });
const take = (taken: Lock) => taken.locked();
// @ts-expect-error: an RLock is no Lock.
const takeOther: boolean = take(new RLock());
const lock = new Lock();
{
  using _ = lock.holdSync();
  console.log(lock.locked());
}
console.log(new Value("i32", 3).add(2));
const samples = new Float64Array([1, 2]);
const sum = pool.submit((all: Float64Array) => all.reduce((a, b) => a + b), transfer(samples, [samples.buffer]));
console.log(await sum, samples.length, takeOther);
const stream = new ReadableStream<number>({ start: (to) => (to.enqueue(41), to.close()) });
const read = async (from: ReadableStream<number>) => (await from.getReader().read()).value;
console.log(await pool.submit(read, transfer(stream, [stream])));
// @ts-expect-error: there is nothing to move.
transfer(samples, [null]);
`;

const PAGE = `
import { transfer } from "${NAME}";

export function moved(canvas: OffscreenCanvas, bitmap: ImageBitmap): object[] {
  return [transfer(canvas, [canvas]), transfer({ bitmap }, [bitmap])];
}
`;

/** Programs are checked with the declarations of Node, of browsers, or of both. */
const LIBRARIES: Readonly<Record<string, { lib: readonly string[]; types: readonly string[] }>> = {
  "with the declarations of Node alone": { lib: ["es2023"], types: ["node"] },
  "with those of browsers too": { lib: ["es2023", "dom", "dom.iterable"], types: ["node"] },
  "with those of browsers alone": { lib: ["es2022", "dom"], types: [] },
};

test("npm: a TypeScript program compiles and runs on Node", {
  ignore: !hasNode,
  timeout: 120_000,
}, async (t) => {
  const packages = ["typescript", "@types/node@20"];
  const sources = { "work.ts": WORK, "main.ts": MAIN, "page.ts": PAGE };
  await using consumer = await installed(sources, packages);
  for (const [name, libraries] of Object.entries(LIBRARIES)) {
    await t.step(name, async () => {
      const compilerOptions = {
        module: "nodenext",
        target: "es2022",
        ...libraries,
        outDir: "out",
        strict: true,
        skipLibCheck: false,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
      };
      const files = ["main.ts", "work.ts"];
      if (libraries.lib.includes("dom")) files.push("page.ts");
      const config = { compilerOptions, files };
      await consumer.write("tsconfig.json", JSON.stringify(config));
      const checked = await consumer.run("tsc", ["-p", "."], 30_000);
      assertEquals([checked.code, checked.stdout], [0, ""]);
      const { code, stdout, stderr } = await consumer.run("node", ["out/main.js"]);
      assertEquals([code, stderr], [0, ""]);
      const words = ["12", "item", "2", "3", "1", "1 0", "12", "true", "5", "3 0 false", "41"];
      assertEquals(stdout.trimEnd().split("\n"), words);
    });
  }
});

test("npm: declarations of a program can spell out the package's classes", {
  ignore: !hasNode,
  timeout: 120_000,
}, async () => {
  const program = `
    import { Future, Lock, Process, Queue, Thread, ThreadPoolExecutor } from "${NAME}";
    function deepReadonly<T>(value: T): { readonly [K in keyof T]: T[K] } {
      return value;
    }
    export const future = deepReadonly(new Future<number>());
    export const lock = deepReadonly(new Lock());
    export const process = deepReadonly(new Process());
    export const queue = deepReadonly(new Queue<number>());
    export const thread = deepReadonly(new Thread());
    export const pool = () => deepReadonly(new ThreadPoolExecutor());
  `;
  await using consumer = await installed({ "main.ts": program }, [
    "typescript@5",
    "@types/node@20",
  ]);
  const compilerOptions = {
    module: "nodenext",
    target: "es2022",
    types: ["node"],
    strict: true,
    declaration: true,
    emitDeclarationOnly: true,
  };
  await consumer.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  const checked = await consumer.run("tsc", ["-p", "."], 30_000);
  assertEquals([checked.code, checked.stdout], [0, ""]);
});

test("npm: TypeScript finds the entries where it resolves modules in the old way", {
  ignore: !hasNode,
  timeout: 120_000,
}, async () => {
  const program = `
    import { Lock } from "${NAME}/sync";
    import { task } from "${NAME}/task";
    import { ThreadPoolExecutor } from "${NAME}";
    export const double = task({ url: "" }, (n: number): number => 2 * n, "double");
    export const pool: ThreadPoolExecutor | undefined = undefined;
    // @ts-expect-error: what is exported has its type.
    export const lock: number = new Lock();
  `;
  await using consumer = await installed({ "main.ts": program }, [
    "typescript@5",
    "@types/node@20",
  ]);
  const compilerOptions = {
    module: "commonjs",
    moduleResolution: "node",
    target: "es2022",
    lib: ["es2023"],
    types: ["node"],
    strict: true,
    noEmit: true,
  };
  await consumer.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  const checked = await consumer.run("tsc", ["-p", "."], 30_000);
  assertEquals([checked.code, checked.stdout], [0, ""]);
});
