import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { AsyncExecutor, ThreadPoolExecutor } from "../../executors/mod.ts";
import { chromeTrace } from "../../executors/_chrome_trace.ts";
import { type Timeline, timelineOf } from "../../executors/_timeline.ts";
import type { View } from "../../executors/_timeline_bars.ts";
import { pageOf } from "../../executors/_timeline_html.ts";
import { DRAWING, drawTimeline } from "../../executors/_timeline_svg.ts";
import { type TaskEvent, trace, type TraceEvent, type WorkerEvent } from "../../executors/trace.ts";
import { test } from "../_support/leaks.ts";
import { countElements } from "../_support/xml.ts";
import { fail, square } from "../contracts/tasks.ts";

const DURATION_MS = 1000;

function worker(name: string, more: Partial<WorkerEvent> = {}): WorkerEvent {
  const rest = { pid: undefined, started: 0, ended: undefined, fate: undefined };
  return { kind: "worker", name, ...rest, ...more };
}

function taskOf(name: string, started: number, ended: number, more: Partial<TaskEvent> = {}) {
  const event: TaskEvent = {
    kind: "task",
    name,
    id: 1,
    calls: 1,
    submitted: Math.max(0, started - 5),
    started,
    ended,
    worker: "w",
    outcome: "returned",
    ...more,
  };
  return event;
}

/** Events of the given number of tasks, one after the other, in the given number of workers. */
function manyTasks(count: number, workers = 1): TraceEvent[] {
  const events: TraceEvent[] = [];
  for (let w = 0; w < workers; w++) {
    events.push(worker(`w${w}`));
    const stepMs = DURATION_MS * workers / count;
    for (let i = 0; i < count / workers; i++) {
      const more = { worker: `w${w}`, id: i };
      events.push(taskOf(i % 3 === 0 ? "even" : "odd", i * stepMs, (i + 0.7) * stepMs, more));
    }
  }
  return events;
}

function timeline(events: readonly TraceEvent[], dropped = 0): Timeline {
  return timelineOf("pool", events, DURATION_MS, dropped);
}

function svgOf(events: readonly TraceEvent[]): string {
  return drawTimeline(timeline(events), { from: 0, to: DURATION_MS, width: 1000 });
}

function countBars(svg: string): number {
  return svg.split('<g class="b">').length - 1;
}

const HOSTILE = [
  "</text></svg><script>alert(1)</script>",
  "]]>&amp;<!--",
  "\"'><img src=x onerror=alert(1)>",
  "\u0000\ud800\uffff",
  "${alert(1)}`",
  "</script><script>alert(1)</script>",
];

test("Trace.toSVG() has a bar for each task when there are few", async () => {
  await using executor = new AsyncExecutor({ maxWorkers: 3 });
  using tracing = trace(executor);
  const futures = [1, 2, 3, 4].map((n) => executor.submit(square, n));
  await Promise.allSettled([...futures, executor.submit(fail, "failed")]);
  const svg = tracing.toSVG({ width: 900 });
  // Two tasks that follow each other within a pixel share a bar, which has their number.
  const merged = [...svg.matchAll(/<title>(\d+) tasks/g)].reduce((sum, [, n]) => sum + +n - 1, 0);
  assertEquals(countBars(svg) + merged, 5);
  assertEquals(countElements(svg).get("svg"), 1);
  assertStringIncludes(svg, 'width="900"');
  assertStringIncludes(svg, "1 threw");
});

test("a timeline's picture has each task's name, times and outcome", () => {
  const svg = svgOf([
    worker("w", { pid: 77 }),
    taskOf("resize", 100, 300, { id: 12, submitted: 50 }),
    taskOf("hash", 300, 400, { calls: 30, outcome: "threw" }),
    taskOf("waits", 0, 0, { started: undefined, ended: undefined, outcome: undefined }),
    taskOf("never", 0, 10, { started: undefined, worker: undefined, outcome: "cancelled" }),
    taskOf("goesOn", 900, 0, { ended: undefined, id: undefined, outcome: undefined }),
  ]);
  assertEquals(countBars(svg), 3);
  assertStringIncludes(svg, "resize #12\nwaited 50 ms, ran 200 ms\nreturned, from 100 ms");
  assertStringIncludes(svg, "hash #1, 30 calls\nwaited 5 ms, ran 100 ms\nthrew, from 300 ms");
  assertStringIncludes(svg, "goesOn\nwaited 5 ms, ran 100 ms\nrunning, from 900 ms");
  assertStringIncludes(svg, "w (process 77)\n3 tasks, busy 400 ms: 40 %");
  assertStringIncludes(svg, "1 worker  ·  5 tasks (34 calls)  ·  1 s  ·  workers busy 40 %");
  assertStringIncludes(svg, "1 threw  ·  1 cancelled");
  countElements(svg);
});

test("a timeline's picture draws tasks below a pixel together, and stays small", () => {
  const few = svgOf(manyTasks(100));
  assertEquals(countBars(few), 100);
  const many = svgOf(manyTasks(20_000));
  assertStringIncludes(many, " tasks\nmost of the time: odd\nbusy 7");
  assertLess(many.length, 200_000);
  for (const [tasks, workers] of [[50_000, 4], [100_000, 64], [100_000, 255]]) {
    const svg = svgOf(manyTasks(tasks, workers));
    countElements(svg);
    assertLess(svg.length, 2_000_000);
  }
});

test("a timeline's page stays small too", () => {
  assertLess(pageOf(timeline(manyTasks(100))).length, 60_000);
  for (const [tasks, workers] of [[100_000, 1], [100_000, 255]]) {
    assertLess(pageOf(timeline(manyTasks(tasks, workers))).length, 2_000_000);
  }
});

test("a timeline's page stays below 2 MB for the longest names and times there are", () => {
  const longest = (i: number): string => `${i}${"<".repeat(500)}`;
  const beginMs = 1e9;
  const events: TraceEvent[] = [];
  for (let w = 0; w < 600; w++) {
    events.push(worker(longest(w), { started: beginMs, pid: 4_000_000 }));
    for (let i = 0; i < 50; i++) {
      const from = beginMs + 1e6 * i + w * 1.001;
      const more = { worker: longest(w), id: 1e6, calls: 1e6, outcome: "cancelled" as const };
      events.push(taskOf(longest(i * w), from, from + 999_999.999, more));
    }
  }
  const page = pageOf(timelineOf("pool", events, 2 * beginMs, 0));
  assertLess(new TextEncoder().encode(page).length, 2_000_000);
});

test("a timeline of many workers has a lane for the busiest, and says that it has no more", () => {
  const events: TraceEvent[] = [];
  for (let w = 0; w < 10_001; w++) {
    const busyMs = w % 20 === 7 ? 300 : 100;
    events.push(worker(`w${w}`), taskOf("work", 0, busyMs, { worker: `w${w}` }));
  }
  const { lanes } = timeline(events);
  assertEquals(
    lanes.map(({ name }) => name),
    Array.from({ length: 500 }, (_, i) => `w${20 * i + 7}`),
  );
  assertStringIncludes(
    svgOf(events),
    "10001 workers, the busiest 500 shown  ·  10001 tasks  ·  1 s  ·  workers busy 11 %",
  );
  assertStringIncludes(pageOf(timeline(events)), "Workers, the first 100 of 10001");
});

test("a timeline of many functions has those that took most of the time, the rest as one", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `f${i}`);
  const events = [
    worker("w"),
    ...names.map((name, i) => taskOf(name, i, i + 1 - i / 2000, { calls: 2 })),
  ];
  const { functions } = timeline(events);
  assertEquals(functions.slice(0, -1).map(({ name }) => name), names.slice(0, 299));
  const { name, tasks, calls } = functions.at(-1)!;
  assertEquals([name, tasks, calls], ["one of 701 others", 701, 1402]);
  assertStringIncludes(svgOf(events), "991 others");
  assertStringIncludes(svgOf(events), "most of the time: one of 701 others");
  assertStringIncludes(pageOf(timeline(events)), "Functions, the first 100 of 1000");
});

test("a timeline's picture has escaped whatever names there are", () => {
  const events = HOSTILE.flatMap((name, i) => [
    worker(`${name}${i}`, { ended: 900, fate: "lost" }),
    taskOf(name, 0, 500, { worker: `${name}${i}` }),
  ]);
  const svg = drawTimeline(timelineOf(HOSTILE[0], events, DURATION_MS, 3), {
    from: 0,
    to: DURATION_MS,
    width: 1000,
  });
  const elements = countElements(svg);
  assertEquals([...elements.keys()].toSorted(), [
    "g",
    "path",
    "rect",
    "style",
    "svg",
    "text",
    "title",
  ]);
  assertEquals(countBars(svg), HOSTILE.length);
  assertStringIncludes(svg, "3 events dropped");
});

test("a timeline's page has escaped whatever names there are, and needs nothing from outside", () => {
  const events = HOSTILE.flatMap((name, i) => [
    worker(`${name}${i}`),
    taskOf(name, 0, 500, { worker: `${name}${i}` }),
  ]);
  const page = pageOf(timelineOf(HOSTILE[0], events, DURATION_MS, 0));
  assertEquals(page.split("<script").length - 1, 2);
  assertEquals(page.split("</script>").length - 1, 2);
  assert(!/<img|<!--|<[a-z][^>]*\s(?:src|href)=|@import|url\(/i.test(page));
  assertEquals(page.match(/https?:[^"' ]*/g), ["http://www.w3.org/2000/svg"]);
  const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page)![1];
  const read = JSON.parse(data) as Timeline;
  assertEquals(
    read.functions.map(({ name }) => name.toWellFormed()),
    HOSTILE.map((name) => name.toWellFormed()),
  );
});

test("a timeline's page draws what the picture shows, with nothing but what it has taken along", () => {
  const script = /<script>\n([^]*)const timeline = JSON/.exec(pageOf(timeline([])))![1];
  assertEquals(script.trim(), DRAWING.join("\n").trim());
  // The function cannot use names that only its module has.
  const draw = new Function(
    `"use strict"; ${script}; return drawTimeline`,
  )() as typeof drawTimeline;
  const events = [
    ...manyTasks(3000, 3),
    ...Array.from({ length: 12 }, (_, i) => taskOf(`f${i}`, 10 * i, 10 * i + 9, { worker: "w0" })),
    worker("gone", { ended: 500, fate: "abandoned" }),
  ];
  const views: View[] = [
    { from: 0, to: DURATION_MS, width: 1000 },
    { from: 200, to: 210, width: 640 },
  ];
  for (const view of views) {
    const drawn = timeline(events, 2);
    const asJson = JSON.parse(JSON.stringify(drawn)) as Timeline;
    assertEquals(draw(asJson, view), drawTimeline(drawn, view));
    countElements(draw(asJson, view));
  }
});

test("a timeline's page is a program that a browser can read", () => {
  const scripts = [...pageOf(timeline(manyTasks(10))).matchAll(/<script>([^]*?)<\/script>/g)];
  assertEquals(scripts.length, 1);
  new Function(scripts[0][1]);
  assertThrows(() => new Function(scripts[0][1] + "}"), SyntaxError);
});

test("a timeline of nothing can be drawn", () => {
  const svg = svgOf([]);
  countElements(svg);
  assertStringIncludes(svg, "No worker has been started");
  assertStringIncludes(pageOf(timeline([])), "0 workers".slice(2));
  countElements(
    svgOf([worker("w"), taskOf("waits", 0, 0, { started: undefined, worker: undefined })]),
  );
});

test("a timeline leaves out workers that were gone before it began", () => {
  const gone = worker("gone", { started: -50, ended: -10, fate: "retired" });
  assertEquals(
    timeline([gone, worker("here", { started: -5 })]).lanes.map(({ name, from }) => [name, from]),
    [
      ["here", 0],
    ],
  );
});

test("a timeline counts how many tasks wait", () => {
  const { queue } = timeline([
    worker("w"),
    taskOf("a", 100, 200, { submitted: 10 }),
    taskOf("b", 200, 300, { submitted: 20 }),
    taskOf("c", 0, 250, {
      submitted: 30,
      started: undefined,
      worker: undefined,
      outcome: "cancelled",
    }),
    taskOf("d", 0, 0, { submitted: 400, started: undefined, ended: undefined, outcome: undefined }),
  ]);
  assertEquals(queue, [[10, 1], [20, 2], [30, 3], [100, 2], [200, 1], [250, 0], [400, 1], [
    1000,
    0,
  ]]);
});

/** The tasks of a burst that is submitted and begun at once. */
function burstOf(count: number): TraceEvent[] {
  return Array.from(
    { length: count },
    (_, i) => taskOf("a", 10.2, 900, { submitted: 10 + i / 1000 }),
  );
}

test("a timeline shows the peak of a burst, and that nothing waits after it", () => {
  const { queue } = timeline([worker("w"), ...burstOf(20)]);
  assertEquals(queue, [[10, 20], [10.2, 0], [1000, 0]]);
  // However many steps there are, each of the few points has a peak, and the last one is right.
  const many = timeline(manyTasks(100_000)).queue;
  assertLess(many.length, 4002);
  assertEquals(many.at(-1), [1000, 0]);
});

test("a timeline's picture shows a burst's peak as one pixel, and none left of it", () => {
  const shown = timeline([worker("w"), ...burstOf(20)]);
  const pathIn = (from: number, to: number): string =>
    /<path class="q" d="([^"]*)"/.exec(drawTimeline(shown, { from, to, width: 1000 }))![1];
  // From the left, along the bottom: up, a pixel on, down, and to the right.
  const peak = /^M(\d+) (\d+)H([\d.]+)V(?!\2H)\d+H([\d.]+)V\2H/.exec(pathIn(0, DURATION_MS))!;
  assertAlmostEquals(+peak[4] - +peak[3], 1, 0.1);
  // Enlarged, beside the burst: flat.
  const heights = [...pathIn(500, 600).matchAll(/V([\d.]+)/g)].map(([, y]) => y);
  assertEquals(new Set(heights).size, 1);
});

interface ChromeEvent {
  readonly ph: string;
  readonly tid: number;
  readonly name: string;
  readonly ts: number;
  readonly dur?: number;
  readonly id?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

function chromeEvents(text: string): ChromeEvent[] {
  return (JSON.parse(text) as { traceEvents: ChromeEvent[] }).traceEvents;
}

test("Trace.toChromeTrace() has a named row a worker, and in it a slice a task", async () => {
  const pool = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "crew" });
  using tracing = trace(pool);
  await Promise.all([1, 2, 3, 4, 5, 6].map((n) => pool.submit(square, n)));
  await pool.map(square, [1, 2, 3, 4], { chunksize: 4 }).toArray();
  await pool.submit(fail, "failed").exception();
  await pool.shutdown();
  const events = chromeEvents(tracing.toChromeTrace());
  const names = new Map(
    events.filter(({ ph, name }) => ph === "M" && name === "thread_name")
      .map(({ tid, args }) => [tid, args!.name]),
  );
  assertEquals(names.get(0), "submissions");
  const slices = events.filter(({ ph, tid }) => ph === "X" && tid > 0);
  assertEquals(slices.length, 8);
  for (const { tid, ts, dur, args } of slices) {
    assert(String(names.get(tid)).startsWith("crew_"));
    assert(ts >= 0 && dur! >= 0 && args!.waited_ms as number >= 0);
  }
  const told = slices.map(({ name, args }) => `${name} ${args!.calls} ${args!.outcome}`);
  assertEquals(told.filter((text) => text !== "square 1 returned"), [
    "square 4 returned",
    "fail 1 threw",
  ]);
  for (const tid of names.keys()) {
    const row = slices.filter((slice) => slice.tid === tid).sort((a, b) => a.ts - b.ts);
    for (let i = 1; i < row.length; i++) {
      assert(row[i].ts >= row[i - 1].ts + row[i - 1].dur! - 0.002);
    }
  }
  const ends = events.filter(({ ph, name }) => ph === "i" && name === "retired");
  assertEquals(ends.length, names.size - 1);
});

test("Trace.toChromeTrace() leads from submission to run, and counts what waits", () => {
  const events = [
    worker("w", { pid: 7 }),
    taskOf("a", 100, 200, { submitted: 10 }),
    taskOf("b", 200, 300, { submitted: 20 }),
  ];
  const entries = chromeEvents(chromeTrace("pool", events, DURATION_MS, 0));
  const ids = (kind: string): unknown[] =>
    entries.filter(({ ph }) => ph === kind).map(({ id, ts, tid }) => [id, ts, tid]);
  assertEquals(ids("s"), [[0, 10_000, 0], [1, 20_000, 0]]);
  assertEquals(ids("f"), [[0, 100_000, 1], [1, 200_000, 1]]);
  const depths = entries.filter(({ ph }) => ph === "C").map(({ ts, args }) => [ts, args!.waiting]);
  assertEquals(depths, [[10_000, 1], [20_000, 2], [100_000, 1], [200_000, 0], [1_000_000, 0]]);
  assert(entries.some(({ args }) => args?.name === "w (process 7)"));
  // Thousands of arrows would hide everything else.
  const many = chromeEvents(chromeTrace("pool", manyTasks(5000), DURATION_MS, 9));
  assertEquals(many.filter(({ ph }) => ph === "s").length, 0);
  assertEquals(many.filter(({ ph, tid }) => ph === "X" && tid > 0).length, 5000);
});
