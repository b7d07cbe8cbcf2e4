import { assertEquals, assertMatch } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  asCompleted,
  type CompletedFutures,
  type Executor,
  type MapResult,
  type StreamResult,
} from "../../executors/mod.ts";
import { progress } from "../../progress/mod.ts";
import { typeErrorsOf } from "../_support/compile.ts";
import { test } from "../_support/leaks.ts";

/** Checked and never called: only the types count. */
function inferred(executor: Executor): unknown {
  const mapped = progress(executor.map((n: number) => `${n}`, [1]), { label: "map" });
  assertType<IsExact<typeof mapped, MapResult<string>>>(true);
  const yielded = progress(executor.stream(() => ["a"]), { total: 1 });
  assertType<IsExact<typeof yielded, StreamResult<string>>>(true);
  const completed = progress(asCompleted([executor.submit(() => 1)]));
  assertType<
    IsExact<typeof completed, CompletedFutures<number>>
  >(true);
  const listed = progress([1, 2]);
  assertType<IsExact<typeof listed, Iterable<number>>>(true);
  const paired = progress(new Map([["a", 1]]), { total: 1 });
  assertType<IsExact<typeof paired, Iterable<[string, number]>>>(true);
  const streamed = progress(ReadableStream.from([1n]));
  assertType<IsExact<typeof streamed, AsyncIterable<bigint>>>(true);
  return [mapped, yielded, completed, listed, paired, streamed];
}

test("progress() keeps the types of what is iterated", () => {
  assertEquals(typeof inferred, "function");
});

const IMPORT = 'import { progress } from "@concurrent/futures/progress";';
const REFUSED = {
  "what is no iterable": ["progress(1);", /^TS2769: /],
  "an unknown option": ["progress([1], { desc: 'a' });", /^TS2769: /],
  "a total that is no number": ["progress([1], { total: '1' });", /^TS2769: /],
  "a use of values as another type": [
    "for (const n of progress([1])) { const text: string = n; console.log(text); }",
    /^TS2322: /,
  ],
  "for over what can only be awaited": [
    "for (const n of progress(ReadableStream.from([1]))) console.log(n);",
    /^TS2488: /,
  ],
} as const;

test("progress(): the type checker refuses what would fail", { timeout: 60_000 }, async () => {
  const snippets = Object.entries(REFUSED).map(([name, [code]]) => [name, `${IMPORT}\n${code}`]);
  const errors = await typeErrorsOf(Object.fromEntries(snippets));
  for (const [name, [, pattern]] of Object.entries(REFUSED)) {
    assertMatch(errors[name][0] ?? "no error", pattern, name);
  }
});
