/**
 * Tracing: which worker ran which task, and when. Records the tasks and workers of an executor, and
 * shows them as a timeline: in Perfetto or Chrome, as a picture, or as a page.
 *
 * A separate entry point, so that programs that do not trace do not load the code that draws.
 *
 * @example
 * ```ts
 * import { ThreadPoolExecutor } from "@concurrent/futures";
 * import { trace } from "@concurrent/futures/trace";
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 *
 * function square(n: number): number {
 *   return n * n;
 * }
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * using tracing = trace(pool);
 * await Promise.all([1, 2, 3].map((n) => pool.submit(square, n)));
 * tracing.stop();
 *
 * const tasks = tracing.events.filter((event) => event.kind === "task");
 * assertEquals(tasks.map(({ name, outcome }) => `${name} ${outcome}`), [
 *   "square returned",
 *   "square returned",
 *   "square returned",
 * ]);
 * assertStringIncludes(tracing.toSVG(), "square");
 * ```
 *
 * @module
 */

import { epochMs } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { checkCount, checkOptions } from "../_platform/options.ts";
import { chromeTrace } from "./_chrome_trace.ts";
import { observableOf } from "./_observable.ts";
import type { Observable } from "./_observer.ts";
import { timelineOf } from "./_timeline.ts";
import { pageOf } from "./_timeline_html.ts";
import { drawTimeline } from "./_timeline_svg.ts";
import { Recorder } from "./_trace_recorder.ts";
import type { Executor } from "./executor.ts";

/**
 * What became of a task: `"lost"` with its worker, `"given up"` because its time was up or its
 * signal aborted, `"cancelled"` before it ran. A chunk of `map` in which a call threw has
 * `"threw"`.
 */
export type TaskOutcome = "returned" | "threw" | "cancelled" | "lost" | "given up";

/** One task in a trace. Times are milliseconds since the trace began. */
export interface TaskEvent {
  /** Distinguishes it from a {@linkcode WorkerEvent}. */
  readonly kind: "task";
  /** The name of its function; empty if it has none. */
  readonly name: string;
  /**
   * Its number, as `taskContext().id` gives it; `undefined` for a task that has not run to its end.
   */
  readonly id: number | undefined;
  /** How many calls it consists of: more than one for a chunk of `map`. */
  readonly calls: number;
  /** When it was submitted. */
  readonly submitted: number;
  /**
   * When its function was called; `undefined` if it was not. For a task that was lost or given up,
   * where nothing better is known: when its worker was free for it.
   */
  readonly started: number | undefined;
  /** When its function ended, or when it failed without being run; `undefined` until then. */
  readonly ended: number | undefined;
  /** The name of the worker that ran it. */
  readonly worker: string | undefined;
  /** What became of it; `undefined` while it has no outcome. */
  readonly outcome: TaskOutcome | undefined;
}

/**
 * One worker in a trace. Times are milliseconds since the trace began; a worker that was started
 * before has a negative start.
 */
export interface WorkerEvent {
  /** Distinguishes it from a {@linkcode TaskEvent}. */
  readonly kind: "worker";
  /** Its name. */
  readonly name: string;
  /** Its process id, if it is a process. */
  readonly pid: number | undefined;
  /** When it was started. */
  readonly started: number;
  /** When it ended or was abandoned; `undefined` while it lives. */
  readonly ended: number | undefined;
  /**
   * How it ended: `"retired"` in good order, `"lost"` by itself, `"abandoned"` with a task that was
   * given up and did not end, `"discarded"` when its pool was broken or ended; `undefined` while it
   * lives.
   */
  readonly fate: "retired" | "lost" | "abandoned" | "discarded" | undefined;
}

/** What a trace has recorded. */
export type TraceEvent = TaskEvent | WorkerEvent;

/** Options of {@linkcode trace}. */
export interface TraceOptions {
  /**
   * How many tasks are kept: at most this many that have ended, the latest ones, and at most this
   * many that have not. Default 100,000. A task takes about 200 bytes.
   */
  maxEvents?: number | undefined;
}

/** Options of {@linkcode Trace.toSVG}. */
export interface PictureOptions {
  /** Width in pixels, at least 400. Default 1200. */
  width?: number | undefined;
}

const DEFAULT_MAX_EVENTS = 100_000;
const DEFAULT_WIDTH = 1200;
const LEAST_WIDTH = 400;

/**
 * Records what an executor does. Made by {@linkcode trace}.
 *
 * Everything can be read while it still records: it shows what was recorded so far.
 *
 * @example
 * ```ts
 * import { ThreadPoolExecutor } from "@concurrent/futures";
 * import { trace } from "@concurrent/futures/trace";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
 * using tracing = trace(pool);
 * await pool.submit((n: number) => n + 1, 1);
 * assertEquals(tracing.events.map(({ kind }) => kind).sort(), ["task", "worker"]);
 * tracing.stop();
 * await pool.submit((n: number) => n + 1, 2);
 * assertEquals(tracing.events.length, 2);
 * ```
 */
export class Trace {
  readonly #name: string;
  readonly #recorder: Recorder;
  #unobserve: (() => void) | undefined;

  /** Use {@linkcode trace} instead. */
  constructor(observable: Observable, maxEvents: number) {
    this.#name = observable.name;
    this.#recorder = new Recorder(maxEvents);
    this.#unobserve = observable.observe(this.#recorder);
  }

  /** Stops recording. Tasks without an outcome stay without one. May be called again. */
  stop(): void {
    if (this.#unobserve === undefined) return;
    this.#unobserve();
    this.#unobserve = undefined;
    this.#recorder.endMs = epochMs();
  }

  /** Stops recording at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** When the trace began, in milliseconds since 1970. */
  get startTime(): number {
    return this.#recorder.startMs;
  }

  /** How many tasks and workers were left out because of `maxEvents`. */
  get dropped(): number {
    return this.#recorder.dropped;
  }

  /**
   * A copy of what was recorded: workers in the order of their start, then tasks in the order of
   * their submission.
   */
  get events(): TraceEvent[] {
    const recorder = this.#recorder;
    return [
      ...recorder.workers.map((record) => recorder.workerEvent(record)),
      ...recorder.tasks.map((record) => recorder.taskEvent(record)),
    ];
  }

  /**
   * Returns the trace as JSON in the Trace Event Format: written to a file, it opens in Perfetto
   * (ui.perfetto.dev) and in Chrome under `chrome://tracing`. It has one row for each worker, a
   * line for how many tasks wait, and, up to 1,000 tasks, arrows from submission to run.
   */
  toChromeTrace(): string {
    return chromeTrace(this.#name, this.events, this.#durationMs, this.dropped);
  }

  /**
   * Returns the trace as an SVG picture, for a web page or a document: one lane for each worker,
   * one bar for each task in the colour of its function, how many tasks wait, and what share of its
   * life each worker was busy. Tasks too short to be seen are drawn together, paler where the
   * worker was idle in between; failed tasks have a red edge.
   *
   * Of more than 500 workers, the busiest 500 are shown. Of more than 300 functions, those that took
   * the least time are taken for one. Names are cut after 100 characters.
   *
   * @throws {RangeError} For a `width` below 400.
   * @throws {TypeError} When `options` is not an object.
   */
  toSVG(options: PictureOptions = {}): string {
    checkOptions("draw trace", options, "{ width: 800 }");
    const { width = DEFAULT_WIDTH } = options;
    if (!(width >= LEAST_WIDTH && width < Infinity)) {
      throw new RangeError(
        `Cannot draw trace: width must be ${LEAST_WIDTH} or more, got ${describe(width)}`,
      );
    }
    const timeline = this.#timeline();
    return drawTimeline(timeline, { from: 0, to: timeline.durationMs, width: Math.floor(width) });
  }

  /**
   * Returns the trace as a self-contained HTML page: the picture, as wide as the window, which can
   * be enlarged and shows details under the mouse, and tables of the functions and workers. It
   * leaves out what the picture does, and stays below 2 MB, whatever was recorded: if there are more
   * than 10,000 bars, those that are close together are one.
   */
  toHTML(): string {
    return pageOf(this.#timeline());
  }

  #timeline(): ReturnType<typeof timelineOf> {
    return timelineOf(this.#name, this.events, this.#durationMs, this.dropped);
  }

  get #durationMs(): number {
    const { startMs, endMs } = this.#recorder;
    return Math.max(0.001, (endMs ?? epochMs()) - startMs);
  }

  /** Shows as `Trace` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "Trace";
  }
}

/**
 * Records what an executor does from now on: each worker, and each task that is submitted to it in
 * any way (`submit`, `map`, from inside a task). Tasks that were submitted before are not recorded.
 *
 * Tracing costs a few microseconds for each task. An executor that is not traced pays nothing.
 *
 * A pool belongs to the thread that made it, and is traced there. Several traces of one executor
 * may be under way.
 *
 * @param executor A thread pool, process pool or `AsyncExecutor`; a view of one (`with`) stands for
 * all of it.
 * @param options How much is kept.
 * @throws {RuntimeError} When the executor cannot be traced here: inside a task, an executor that
 * was sent to it; and anywhere, a `ClusterExecutor`.
 * @throws {TypeError} When `executor` is not an executor, `options` is not an object, or
 * `maxEvents` is not an integer.
 * @throws {RangeError} For a `maxEvents` below 1.
 *
 * **Differs from Python:** Python has nothing like it.
 *
 * @example Writing a timeline to a file
 * ```ts
 * import { AsyncExecutor } from "@concurrent/futures";
 * import { trace } from "@concurrent/futures/trace";
 * import { assertStringIncludes } from "@std/assert";
 *
 * await using executor = new AsyncExecutor({ maxWorkers: 2 });
 * const tracing = trace(executor);
 * await executor.map((n: number) => n + 1, [1, 2, 3]).toArray();
 * tracing.stop();
 *
 * const file = await Deno.makeTempFile({ suffix: ".html" });
 * await Deno.writeTextFile(file, tracing.toHTML());
 * assertStringIncludes(await Deno.readTextFile(file), "AsyncExecutor");
 * await Deno.remove(file);
 * ```
 */
export function trace(executor: Executor, options: TraceOptions = {}): Trace {
  const observable = observableOf(executor, "trace");
  checkOptions("trace", options, "{ maxEvents: 1000 }");
  const { maxEvents = DEFAULT_MAX_EVENTS } = options;
  checkCount("trace", "maxEvents", maxEvents);
  return new Trace(observable, maxEvents);
}
