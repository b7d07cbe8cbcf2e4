/**
 * What a drawing of a trace shows: a lane for each worker with a bar for each task, and how many
 * tasks waited at each time. Plain data, which a page includes as JSON.
 *
 * @module
 */

import type { TaskEvent, TaskOutcome, TraceEvent, WorkerEvent } from "./trace.ts";

/**
 * A task in a lane, or several consecutive ones drawn as one. Times are milliseconds since the
 * trace began.
 *
 * `fn` is the number of the task's function, or of the one that took most of the time. The members
 * after `waitMs` exist for a single task only; for several, `waitMs` is instead by how much the
 * time of `fn` exceeds that of the others.
 */
export type Bar = readonly [
  from: number,
  to: number,
  fn: number,
  tasks: number,
  busyMs: number,
  failed: number,
  waitMs?: number,
  calls?: number,
  id?: number,
  outcome?: TaskOutcome | "running",
];

/** One worker. */
export interface Lane {
  readonly name: string;
  readonly pid: number | undefined;
  readonly from: number;
  readonly to: number;
  /** Whether it has ended in other than good order. */
  readonly wasLost: boolean;
  readonly tasks: number;
  readonly busyMs: number;
  /** In the order in which they begin; they do not overlap. */
  readonly bars: readonly Bar[];
}

/** One function, and the totals of its calls. */
export interface FunctionTotals {
  readonly name: string;
  readonly tasks: number;
  readonly calls: number;
  readonly failed: number;
  readonly totalMs: number;
  readonly maxMs: number;
}

/** What a drawing shows. */
export interface Timeline {
  readonly title: string;
  readonly durationMs: number;
  /** The workers that have a lane: all, or if there are very many, those that were busiest. */
  readonly lanes: readonly Lane[];
  /** How many workers there were, how long they lived, and how long they were busy. */
  readonly workers: number;
  readonly lifeMs: number;
  readonly busyMs: number;
  /**
   * The functions, those that took most of the time first; if there are very many, the last item
   * stands for all others.
   */
  readonly functions: readonly FunctionTotals[];
  /** How many functions there were. */
  readonly functionCount: number;
  /** How many tasks waited, from each time on. */
  readonly queue: readonly (readonly [ms: number, depth: number])[];
  readonly tasks: number;
  readonly calls: number;
  /** How many tasks ended in which way other than returning, in words: "3 threw". */
  readonly failures: readonly string[];
  readonly dropped: number;
}

/** The most points of the line that shows how many tasks wait. */
const MOST_POINTS = 4000;

/** The most lanes. So many can just be told apart, and fit into a picture that can be scrolled. */
const MOST_LANES = 500;

/** The most functions, and the most characters of a name. */
const MOST_FUNCTIONS = 300;
const MOST_CHARACTERS = 100;

function isTask(event: TraceEvent): event is TaskEvent {
  return event.kind === "task";
}

/** Rounds to the microsecond: further digits would only take space in a file. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** What a trace's drawing shows. */
export function timelineOf(
  title: string,
  events: readonly TraceEvent[],
  durationMs: number,
  dropped: number,
): Timeline {
  const tasks = events.filter(isTask);
  const functions = functionTotals(tasks, durationMs);
  const last = MOST_FUNCTIONS - 1;
  const numbers = new Map(functions.map(({ name }, i) => [name, Math.min(i, last)]));
  const workers = events.filter((event) => event.kind === "worker");
  const byWorker = new Map<string, TaskEvent[]>(workers.map(({ name }) => [name, []]));
  for (const task of tasks) if (task.worker !== undefined) byWorker.get(task.worker)?.push(task);
  const lanes = workers
    .map((worker) => laneOf(worker, byWorker.get(worker.name)!, numbers, durationMs))
    // A worker that had ended before the trace began, and has done nothing in it, would only take
    // space.
    .filter(({ to, tasks }) => to > 0 || tasks > 0);
  return {
    title,
    durationMs: round(durationMs),
    lanes: busiest(lanes),
    workers: lanes.length,
    lifeMs: lanes.reduce((sum, { from, to }) => sum + to - from, 0),
    busyMs: lanes.reduce((sum, { busyMs }) => sum + busyMs, 0),
    functions: joinOthers(functions),
    functionCount: functions.length,
    queue: queueOf(tasks, durationMs),
    tasks: tasks.length,
    calls: tasks.reduce((sum, { calls }) => sum + calls, 0),
    failures: failuresOf(tasks),
    dropped,
  };
}

function spanOf(task: TaskEvent, durationMs: number): readonly [from: number, to: number] {
  const from = task.started!;
  return [Math.max(0, from), Math.max(from, task.ended ?? durationMs)];
}

function functionTotals(tasks: readonly TaskEvent[], durationMs: number): FunctionTotals[] {
  const totals = new Map<string, { -readonly [K in keyof FunctionTotals]: FunctionTotals[K] }>();
  for (const task of tasks) {
    const { name } = task;
    let total = totals.get(name);
    if (total === undefined) {
      total = { name, tasks: 0, calls: 0, failed: 0, totalMs: 0, maxMs: 0 };
      totals.set(name, total);
    }
    total.tasks++;
    total.calls += task.calls;
    if (hasFailed(task)) total.failed++;
    if (task.started === undefined) continue;
    const [from, to] = spanOf(task, durationMs);
    total.totalMs += to - from;
    total.maxMs = Math.max(total.maxMs, to - from);
  }
  return [...totals.values()]
    .map((total) => ({ ...total, totalMs: round(total.totalMs), maxMs: round(total.maxMs) }))
    .sort((a, b) => b.totalMs - a.totalMs);
}

/** The functions as a drawing lists them: names cut, and those beyond the first few as one. */
function joinOthers(functions: readonly FunctionTotals[]): FunctionTotals[] {
  const listed = functions.map((total) => ({ ...total, name: cut(total.name) }));
  if (listed.length <= MOST_FUNCTIONS) return listed;
  const others = listed.splice(MOST_FUNCTIONS - 1);
  const sum = (of: (total: FunctionTotals) => number): number =>
    others.reduce((sum, total) => sum + of(total), 0);
  listed.push({
    name: `one of ${others.length} others`,
    tasks: sum(({ tasks }) => tasks),
    calls: sum(({ calls }) => calls),
    failed: sum(({ failed }) => failed),
    totalMs: round(sum(({ totalMs }) => totalMs)),
    maxMs: others.reduce((most, { maxMs }) => Math.max(most, maxMs), 0),
  });
  return listed;
}

/** The lanes with the most work, if there are too many; they keep their order. */
function busiest(lanes: readonly Lane[]): readonly Lane[] {
  if (lanes.length <= MOST_LANES) return lanes;
  const chosen = new Set(lanes.toSorted((a, b) => b.busyMs - a.busyMs).slice(0, MOST_LANES));
  return lanes.filter((lane) => chosen.has(lane));
}

/** A name, shortened if it is very long. */
function cut(name: string): string {
  return name.length <= MOST_CHARACTERS ? name : `${name.slice(0, MOST_CHARACTERS - 1)}…`;
}

function hasFailed({ outcome }: TaskEvent): boolean {
  return outcome === "threw" || outcome === "lost" || outcome === "given up";
}

function failuresOf(tasks: readonly TaskEvent[]): string[] {
  const counts = new Map<TaskOutcome, number>();
  for (const { outcome } of tasks) {
    if (outcome !== undefined) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  const shown: TaskOutcome[] = ["threw", "cancelled", "lost", "given up"];
  return shown.filter((outcome) => counts.has(outcome))
    .map((outcome) => `${counts.get(outcome)} ${outcome}`);
}

function laneOf(
  worker: WorkerEvent,
  tasks: readonly TaskEvent[],
  numbers: ReadonlyMap<string, number>,
  durationMs: number,
): Lane {
  const bars: Bar[] = [];
  let busyMs = 0;
  for (const task of tasks) {
    if (task.started === undefined) continue;
    const [from, to] = spanOf(task, durationMs);
    busyMs += to - from;
    bars.push([
      round(from),
      round(to),
      numbers.get(task.name)!,
      1,
      round(to - from),
      hasFailed(task) ? 1 : 0,
      round(Math.max(0, task.started - task.submitted)),
      task.calls,
      task.id,
      task.outcome ?? "running",
    ]);
  }
  bars.sort((a, b) => a[0] - b[0]);
  return {
    name: cut(worker.name),
    pid: worker.pid,
    from: round(Math.max(0, worker.started)),
    to: round(worker.ended ?? durationMs),
    wasLost: worker.fate !== undefined && worker.fate !== "retired",
    tasks: bars.length,
    busyMs: round(busyMs),
    bars,
  };
}

function queueOf(tasks: readonly TaskEvent[], durationMs: number): [ms: number, depth: number][] {
  const steps: [ms: number, change: number][] = [];
  for (const { submitted, started, ended } of tasks) {
    steps.push([submitted, 1], [started ?? ended ?? durationMs, -1]);
  }
  steps.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const points: [number, number][] = [];
  const width = 2 * durationMs / MOST_POINTS;
  let depth = 0;
  let lastMs = 0;
  // Steps that are close together are shown as two: their highest depth, then the one they leave.
  const leave = (): void => {
    if (points.length > 0 && points.at(-1)![1] !== depth) points.push([round(lastMs), depth]);
  };
  for (const [ms, change] of steps) {
    const last = points.at(-1);
    if (last !== undefined && ms - last[0] < width) last[1] = Math.max(last[1], depth + change);
    else {
      leave();
      points.push([round(ms), depth + change]);
    }
    depth += change;
    lastMs = ms;
  }
  leave();
  // The area ends with the picture.
  if (points.length > 0 && points.at(-1)![0] < round(durationMs)) {
    points.push([round(durationMs), depth]);
  }
  return points;
}
