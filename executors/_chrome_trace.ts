/**
 * A trace in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing read: a
 * row per worker, a row for the submissions, and how many tasks wait.
 *
 * @module
 */

import { nameText } from "./_drawing_text.ts";
import type { TaskEvent, TraceEvent } from "./trace.ts";
import { timelineOf } from "./_timeline.ts";

/** The viewer shows all rows as one process, whatever runs the workers. */
const PID = 1;
/** The row of the submissions. */
const SUBMISSIONS = 0;

/** Beyond this many tasks, the arrows from submissions to runs would hide everything else. */
const MOST_FLOWS = 1000;

/** An event of the format. */
type Entry = Readonly<Record<string, unknown>> & { readonly ph: string };

/** The trace as JSON text. Times of the format are in microseconds. */
export function chromeTrace(
  title: string,
  events: readonly TraceEvent[],
  durationMs: number,
  dropped: number,
): string {
  const workers = events.filter((event) => event.kind === "worker");
  const tasks = events.filter((event) => event.kind === "task");
  const rows = new Map(workers.map(({ name }, i) => [name, i + 1]));
  const entries: Entry[] = [
    metadata("process_name", SUBMISSIONS, { name: title }),
    ...nameRow(SUBMISSIONS, "submissions"),
  ];
  for (const worker of workers) {
    const { name, pid, started, ended, fate } = worker;
    const row = rows.get(name)!;
    entries.push(...nameRow(row, pid === undefined ? name : `${name} (process ${pid})`));
    if (started >= 0) entries.push(instant(row, started, "started"));
    if (ended !== undefined) entries.push(instant(row, ended, fate!));
  }
  const hasFlows = tasks.length <= MOST_FLOWS;
  tasks.forEach((task, i) => {
    const row = task.worker === undefined ? undefined : rows.get(task.worker);
    if (row === undefined || task.started === undefined) return;
    entries.push(run(task, row, durationMs));
    if (hasFlows) entries.push(...flow(task, row, i));
  });
  const { queue } = timelineOf(title, events, durationMs, dropped);
  for (const [ms, waiting] of queue) {
    entries.push({
      ph: "C",
      pid: PID,
      tid: SUBMISSIONS,
      name: "waiting",
      ts: us(ms),
      args: { waiting },
    });
  }
  return JSON.stringify({
    traceEvents: entries,
    displayTimeUnit: "ms",
    otherData: { executor: title, dropped },
  });
}

function us(ms: number): number {
  return Math.round(ms * 1e6) / 1e3;
}

function metadata(name: string, tid: number, args: unknown): Entry {
  return { ph: "M", pid: PID, tid, name, args };
}

/** Names a row, and places it by its number. */
function nameRow(tid: number, name: string): Entry[] {
  return [
    metadata("thread_name", tid, { name }),
    metadata("thread_sort_index", tid, { sort_index: tid }),
  ];
}

function instant(tid: number, ms: number, name: string): Entry {
  return { ph: "i", s: "t", pid: PID, tid, name, cat: "worker", ts: us(ms) };
}

function run(task: TaskEvent, tid: number, durationMs: number): Entry {
  const { name, id, calls, submitted, outcome = "running" } = task;
  const started = task.started!;
  const ended = Math.max(started, task.ended ?? durationMs);
  return {
    ph: "X",
    pid: PID,
    tid,
    name: nameText(name),
    cat: "task",
    ts: us(started),
    dur: us(ended - started),
    args: { id, calls, outcome, waited_ms: us(started - submitted) / 1e3 },
  };
}

/** An arrow from a task's submission to its run. */
function flow({ name, submitted, started }: TaskEvent, tid: number, id: number): Entry[] {
  const both = { pid: PID, cat: "submit", name: "submit", id };
  const submit = { ...both, tid: SUBMISSIONS, ts: us(submitted) };
  return [
    { ...submit, ph: "X", name: `submit ${nameText(name)}`, dur: 1 },
    { ...submit, ph: "s" },
    { ...both, ph: "f", bp: "e", tid, ts: us(started!) },
  ];
}
