import { assertEquals, assertMatch } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  asCompleted,
  AsyncExecutor,
  type Executor,
  type Future,
  map,
  type MapResult,
  type StreamResult,
  task,
  tasks,
  ThreadPoolExecutor,
  transfer,
  wait,
  type WaitResult,
  waitSync,
} from "../../executors/mod.ts";
import { typeErrorsOf } from "../_support/compile.ts";
import { test } from "../_support/leaks.ts";
import { ROOT } from "../_support/scratch.ts";

const gcd = task(import.meta, function gcd([a, b]: [number, number]): number {
  return b === 0 ? a : gcd([b, a % b]);
});

async function length(text: string): Promise<number> {
  return (await Promise.resolve(text)).length;
}

/** Checked and never called: only the types count. */
function inferred(executor: Executor): unknown {
  const one = executor.submit(gcd, [1, 2]);
  assertType<IsExact<typeof one, Future<number>>>(true);
  const later = executor.submit(length, "text");
  assertType<IsExact<typeof later, Future<number>>>(true);
  const inline = executor.submit((n: number, text: string) => ({ n, text }), 1, "a");
  assertType<IsExact<typeof inline, Future<{ n: number; text: string }>>>(true);
  const nothing = executor.submit(() => {});
  assertType<IsExact<typeof nothing, Future<void>>>(true);
  const optional = executor.submit((n?: number) => n);
  assertType<IsExact<typeof optional, Future<number | undefined>>>(true);
  const rest = executor.submit((...n: number[]) => n, 1, 2, 3);
  assertType<IsExact<typeof rest, Future<number[]>>>(true);
  const never = executor.submit((): never => {
    throw new Error();
  });
  assertType<IsExact<typeof never, Future<never>>>(true);

  const mapped = executor.map(gcd, [[1, 2], [3, 4]]);
  assertType<IsExact<typeof mapped, MapResult<number>>>(true);
  const mappedLater = executor.map(length, new Set(["a"]), { chunksize: 2, buffersize: 4 });
  assertType<IsExact<typeof mappedLater, MapResult<number>>>(true);
  const zipped = executor.map((a: number, b: string) => `${a}${b}`, [1], ["a"], { timeout: 5 });
  assertType<IsExact<typeof zipped, MapResult<string>>>(true);
  const three = executor.map((a: number, b: string, c: boolean) => [a, b, c], [1], "ab", [true]);
  assertType<IsExact<typeof three, MapResult<(string | number | boolean)[]>>>(true);
  const streamed = executor.map((n: number) => n, ReadableStream.from([1]));
  assertType<IsExact<typeof streamed, MapResult<number>>>(true);
  const shared = map(gcd, [[1, 2]]);
  assertType<IsExact<typeof shared, MapResult<number>>>(true);

  const work = tasks<typeof import("../executors/fixtures/work.ts")>("work.ts");
  const referred = executor.submit(work.cubeLater, 3);
  assertType<IsExact<typeof referred, Future<number>>>(true);
  assertType<IsExact<keyof typeof work, "cube" | "cubeLater">>(true);

  const view = executor.with({ timeout: 5 });
  assertType<IsExact<typeof view, Executor>>(true);
  const send = (any: Float64Array): Float64Array => transfer(any, [any.buffer]);
  executor.with({ transfer: [send(new Float64Array(1)).buffer] });
  const moved = transfer(new Float64Array(1), []);
  assertType<IsExact<typeof moved, Float64Array<ArrayBuffer>>>(true);
  return [one, later, inline, nothing, optional, rest, never, mapped, mappedLater, zipped, three];
}

const numbers = task(import.meta, function* numbers(end: number): Generator<number, string> {
  for (let n = 0; n < end; n++) yield n;
  return "the end";
});

async function* words(text: string): AsyncGenerator<string> {
  for (const word of text.split(" ")) yield await Promise.resolve(word);
}

/** Checked and never called. */
async function streamed(executor: Executor): Promise<void> {
  const fromGenerator = executor.stream(numbers, 3);
  assertType<IsExact<typeof fromGenerator, StreamResult<number>>>(true);
  const fromAsync = executor.with({ buffersize: 4 }).stream(words, "a b");
  assertType<IsExact<typeof fromAsync, StreamResult<string>>>(true);
  const fromInline = executor.stream(
    function* (n: number, text: string) {
      yield { n, text };
    },
    1,
    "a",
  );
  assertType<IsExact<typeof fromInline, StreamResult<{ n: number; text: string }>>>(true);
  const fromArray = executor.stream(() => [1, "a"]);
  assertType<IsExact<typeof fromArray, StreamResult<number | string>>>(true);
  const fromMap = executor.stream(() => new Map([["a", 1]]));
  assertType<IsExact<typeof fromMap, StreamResult<[string, number]>>>(true);
  const fromPromise = executor.stream(async () => await Promise.resolve([true]));
  assertType<IsExact<typeof fromPromise, StreamResult<boolean>>>(true);
  const fromStream = executor.stream(() => ReadableStream.from([1]));
  assertType<IsExact<typeof fromStream, StreamResult<number>>>(true);
  const ofPromises = executor.stream(function* () {
    yield Promise.resolve(1);
  });
  assertType<IsExact<typeof ofPromises, StreamResult<number>>>(true);
  const module = tasks<{ count(end: number): Generator<number> }>("work.ts");
  const fromReference = executor.stream(module.count, 3);
  assertType<IsExact<typeof fromReference, StreamResult<number>>>(true);
  for await (const word of fromAsync) assertType<IsExact<typeof word, string>>(true);
  for (const number of fromGenerator) assertType<IsExact<typeof number, number>>(true);
  const array = await fromInline.toArray();
  assertType<IsExact<typeof array, { n: number; text: string }[]>>(true);
  await using leftLater = executor.stream(numbers, 3);
  using leftBlocking = executor.stream(numbers, 3);
  assertType<IsExact<typeof leftLater, typeof leftBlocking>>(true);
}

/** Checked and never called. */
async function awaited(executor: Executor): Promise<void> {
  const future = executor.submit(gcd, [1, 2]);
  const value = await future;
  assertType<IsExact<typeof value, number>>(true);
  const result = await future.result({ timeout: 5 });
  assertType<IsExact<typeof result, number>>(true);
  const sync = future.resultSync();
  assertType<IsExact<typeof sync, number>>(true);
  const error = await future.exception();
  assertType<IsExact<typeof error, unknown>>(true);
  const all = await Promise.all([future, executor.submit(length, "a"), executor.submit(String, 1)]);
  assertType<IsExact<typeof all, [number, number, string]>>(true);
  const waited = await wait([future]);
  assertType<IsExact<typeof waited, WaitResult<number>>>(true);
  const [done] = waitSync([future]);
  assertType<IsExact<typeof done, Set<Future<number>>>>(true);
  for (const one of asCompleted([future])) assertType<IsExact<typeof one, Future<number>>>(true);
  // The type checker keeps what it infers about a type in its first loop, and reports it for a
  // second loop and for the other form.
  for await (const one of asCompleted([future])) {
    assertType<IsExact<typeof one, Future<number>>>(true);
  }
  for await (const one of asCompleted([future])) {
    assertType<IsExact<typeof one, Future<number>>>(true);
  }
  for (const one of asCompleted([future])) assertType<IsExact<typeof one, Future<number>>>(true);
  const mixed = [future, executor.submit(String, 1)];
  const { done: either } = await wait(mixed);
  assertType<IsExact<typeof either, Set<Future<number | string>>>>(true);
  for (const one of asCompleted(mixed)) {
    assertType<IsExact<typeof one, Future<number | string>>>(true);
  }
  const text = await future.catch((error: Error) => error.message);
  assertType<IsExact<typeof text, number | string>>(true);
  future.then(null, (error) => assertType<IsExact<typeof error, unknown>>(true));
  const array = await executor.map(gcd, [[1, 2]]).toArray();
  assertType<IsExact<typeof array, number[]>>(true);
  for await (const item of executor.map(length, ["a"])) {
    assertType<IsExact<typeof item, number>>(true);
  }
  for (const item of executor.map(length, ["a"])) assertType<IsExact<typeof item, number>>(true);
}

test("types follow from the function that is passed", () => {
  assertEquals(
    [typeof inferred, typeof awaited, typeof streamed].join(),
    "function,function,function",
  );
});

test("task() keeps the type of the function", () => {
  assertType<IsExact<typeof gcd, ([a, b]: [number, number]) => number>>(true);
  assertEquals(gcd([12, 18]), 6);
  const padded = task(import.meta, function padded(n: number, { width = 2, fill = "0" } = {}) {
    return String(n).padStart(width, fill);
  });
  assertType<
    IsExact<typeof padded, (n: number, o?: { width?: number; fill?: string }) => string>
  >(true);
  assertEquals(padded(7), "07");
  const same = task(import.meta, function same<T>(value: T, _more = 3): T {
    return value;
  });
  assertType<IsExact<typeof same, <T>(value: T, _more?: number) => T>>(true);
  const isText = task(import.meta, function isText(value: unknown): value is string {
    return typeof value === "string";
  });
  assertType<IsExact<typeof isText, (value: unknown) => value is string>>(true);
});

test("executors are interchangeable by type", () => {
  const executors: Executor[] = [new AsyncExecutor(), new ThreadPoolExecutor()];
  assertEquals(executors.length, 2);
  for (const executor of executors) executor.shutdownSync();
});

const HEAD = `
import {
  activeChildren, asCompleted, AsyncExecutor, BrokenExecutor, Executor, Future, map, type MapOptions, Process, RuntimeError, task, tasks, Thread, ThreadPoolExecutor, TimeoutError, wait,
} from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
import type { ClusterExecutor } from ${
  JSON.stringify(new URL("executors/cluster/mod.ts", ROOT).href)
};
const executor = new AsyncExecutor();
const double = (n: number): number => n * 2;
const add = (a: number, b: number): number => a + b;
function* count(end: number): Generator<number> {
  for (let n = 0; n < end; n++) yield n;
}
`;

test("calls with wrong arguments do not compile", { timeout: 60_000 }, async () => {
  const wrong = {
    "wrong argument": 'executor.submit(double, "2");',
    "missing argument": "executor.submit(add, 1);",
    "one argument too many": "executor.submit(double, 1, 2);",
    "no function": "executor.submit(5);",
    "wrong result": "const f: Future<string> = executor.submit(double, 1);",
    "wrong map input": 'executor.map(double, ["a"]);',
    "wrong second map input": 'executor.map(add, [1], ["a"]);',
    "missing map input": "executor.map(add, [1]);",
    "map input that is not iterable": "executor.map(double, 5);",
    "unknown map option": "executor.map(double, [1], { chunkSize: 2 });",
    "wrong map option": 'executor.map(double, [1], { timeout: "5" });',
    "wrong input of the shared map": 'map(double, ["a"]);',
    "unknown task option": "executor.with({ timeOut: 5 });",
    "wrong argument of a stream": 'executor.stream(count, "3");',
    "missing argument of a stream": "executor.stream(count);",
    "a stream of what cannot be iterated": "executor.stream(double, 1);",
    "wrong use of a stream's values": "for await (const n of executor.stream(count, 1)) n.trim();",
    "wrong buffersize": 'executor.with({ buffersize: "2" });',
    "an option of a cluster": "executor.with({ retries: 1 });",
    "unknown option of a cluster's view":
      "(cluster: ClusterExecutor) => cluster.with({ retries: 1 }).with({ retry: 1 });",
    "unknown shutdown option": "executor.shutdown({ cancel: true });",
    "signal in a blocking form":
      "executor.submit(double, 1).resultSync({ signal: new AbortController().signal });",
    "unknown returnWhen": 'wait([executor.submit(double, 1)], { returnWhen: "ANY" });',
    "values instead of futures": "asCompleted([1, 2]);",
    "missing task of a module":
      'tasks<{ run(): void }>("./work.ts").stop; executor.submit(tasks<{ run(): void }>("").stop);',
    "an export that is no function": 'executor.submit(tasks<{ run: number }>("").run);',
    "wrong argument of a referred task":
      'executor.submit(tasks<{ run(n: number): void }>("").run, "1");',
    "a marked function's parameter without a type":
      "task(import.meta, function area({ width }): number { return width; });",
    "a marked class": "task(import.meta, class Area {});",
    "a marked value that is no function": "task(import.meta, { area: 1 });",
    "an initializer that is no function": "new ThreadPoolExecutor({ initializer: 5 });",
    "a class as initializer": "new ThreadPoolExecutor({ initializer: class Area {} });",
    "wrong argument of a process": 'new Process({ target: double, args: ["2"] });',
    "missing argument of a process": "new Process({ target: add, args: [1] });",
    "an executor of no backend": "new Executor();",
    "a value set to a future of another type": 'new Future<number>().setResult("1");',
  };
  const right = {
    "options that are passed through": `
      const all = (inputs: number[], options?: MapOptions) => executor.map(double, inputs, options);
      all([1]);`,
    "an error that is one of several": `
      const told = (error: Error): string => {
        if (TimeoutError.is(error)) return "late";
        if (RuntimeError.is(error) || BrokenExecutor.is(error)) return "broken";
        return error.message;
      };
      told(new Error());`,
    "a function over futures of any type": `
      async function first<T>(futures: Future<T>[]): Promise<T> {
        const { done } = await wait(futures, { returnWhen: "FIRST_COMPLETED" });
        for await (const one of asCompleted(done)) return await one;
        throw new Error("none");
      }
      const value: Promise<number> = first([executor.submit(double, 1)]);`,
    "a function that marks functions of any type": `
      const own = <F extends (...args: never[]) => unknown>(fn: F): F => task(import.meta, fn);
      executor.submit(own(double), 1);`,
    "threads and processes of targets of any type": `
      const threads: Thread[] = [new Thread({ target: double, args: [1] })];
      const process = new Process({ target: add, args: [1, 2] });
      const processes: Process[] = [process, new Process({ target: () => {} })];
      activeChildren().includes(process);`,
    "options of a cluster in any order": `
      (cluster: ClusterExecutor): Executor[] => [
        cluster.with({ retries: 1 }).with({ timeout: 5 }),
        cluster.with({ timeout: 5 }).with({ retries: 1 }),
      ];`,
    "an initializer with a default": `
      new ThreadPoolExecutor({ initializer: ({ level = 1 } = {}) => console.log(level) });`,
    "initializers of several types": `
      new ThreadPoolExecutor({ initializer: add, initargs: [1, 2] });
      new ThreadPoolExecutor({ initializer: task(import.meta, function start(): void {}) });`,
    "all of it right":
      "const f: Future<number> = executor.submit(add, 1, 2); executor.map(add, [1], [2], { chunksize: 1 });",
  };
  const sources = Object.entries({ ...wrong, ...right }).map(([name, code]) => [name, HEAD + code]);
  const errors = await typeErrorsOf(Object.fromEntries(sources) as Record<string, string>);
  for (const name of Object.keys(wrong)) assertMatch(errors[name].join("\n"), /^TS\d+: /, name);
  for (const name of Object.keys(right)) assertEquals(errors[name], [], name);
});
