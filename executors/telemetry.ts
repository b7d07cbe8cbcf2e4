/**
 * OpenTelemetry for executors: a span for each task, whose context goes with the task wherever it
 * runs, and metrics of the executor.
 *
 * A separate entry point without a dependency: it uses the module `@opentelemetry/api` that the
 * program passes in. With Deno's own support (`OTEL_DENO=true`) nothing else is needed: the threads
 * and processes of a pool themselves export what their tasks record.
 *
 * @example
 * ```ts ignore
 * import * as api from "npm:@opentelemetry/api@1";
 * import { ThreadPoolExecutor } from "@concurrent/futures";
 * import { telemetry } from "@concurrent/futures/telemetry";
 *
 * await using pool = new ThreadPoolExecutor();
 * using _watching = telemetry(pool, api);
 *
 * await api.trace.getTracer("app").startActiveSpan("request", async (span) => {
 *   await pool.submit(resize, "photo.jpg"); // a span "resize" below "request"; what resize records is below that
 *   span.end();
 * });
 * ```
 *
 * @module
 */

import { epochMs } from "../_platform/clock.ts";
import { describe } from "../_platform/describe.ts";
import { observableOf } from "./_observable.ts";
import {
  type ExecutorObserver,
  failureOf,
  type Observable,
  type ObservedTask,
  type ObservedWorker,
  type TaskFate,
  type TaskObservation,
} from "./_observer.ts";
import type { Carrier } from "./_protocol.ts";
import type {
  TelemetryApi,
  TelemetryAttributes,
  TelemetryHistogram,
  TelemetryObservable,
  TelemetryObservations,
  TelemetrySpan,
} from "./_telemetry_api.ts";
import type { Executor } from "./executor.ts";
import { type Future, futureInternals } from "./future.ts";
import type { ExecutorStats } from "./stats.ts";

export type {
  TelemetryApi,
  TelemetryAttributes,
  TelemetryHistogram,
  TelemetryInstrumentOptions,
  TelemetryMeter,
  TelemetryObservable,
  TelemetryObservations,
  TelemetrySpan,
} from "./_telemetry_api.ts";

/** The name under which spans and metrics are recorded. */
const SCOPE = "@concurrent/futures";

/** `SpanStatusCode.ERROR`. */
const STATUS_ERROR = 2;

/**
 * Bounds of the histograms' buckets, in seconds: from the cost of an empty task to the longest
 * times that a user would wait.
 */
const SECONDS = [0.00001, 0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/**
 * Records what an executor does. Made by {@linkcode telemetry}.
 *
 * @example
 * ```ts ignore
 * import * as api from "npm:@opentelemetry/api@1";
 * import { ThreadPoolExecutor } from "@concurrent/futures";
 * import { telemetry } from "@concurrent/futures/telemetry";
 *
 * await using pool = new ThreadPoolExecutor();
 * const watching = telemetry(pool, api);
 * await pool.submit(() => 1);
 * watching.stop();
 * ```
 */
export class Telemetry {
  readonly #stop: () => void;
  #isStopped = false;

  /** Use {@linkcode telemetry} instead. */
  constructor(stop: () => void) {
    this.#stop = stop;
  }

  /** Stops recording tasks and metrics. May be called again. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stop();
  }

  /** Stops recording at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** Shows as `Telemetry` in logs and error texts. */
  get [Symbol.toStringTag](): string {
    return "Telemetry";
  }
}

/** Records the tasks of one executor. */
class Observer<C, S extends TelemetrySpan> implements ExecutorObserver {
  readonly api: TelemetryApi<C, S>;
  readonly executor: string;
  readonly wait: TelemetryHistogram;
  readonly run: TelemetryHistogram;
  /** Nothing more is recorded, although others may still watch the tasks under way. */
  isStopped = false;
  readonly #tracer: ReturnType<TelemetryApi<C, S>["trace"]["getTracer"]>;

  constructor(api: TelemetryApi<C, S>, executor: string) {
    this.api = api;
    this.executor = executor;
    this.#tracer = api.trace.getTracer(SCOPE);
    const meter = api.metrics.getMeter(SCOPE);
    const advice = { explicitBucketBoundaries: SECONDS };
    this.wait = meter.createHistogram("executor.task.wait.duration", {
      description: "Time from the submission of a task to the start of its function.",
      unit: "s",
      advice,
    });
    this.run = meter.createHistogram("executor.task.run.duration", {
      description: "Time that the function of a task has taken, or all calls of a chunk of map.",
      unit: "s",
      advice,
    });
  }

  context(): C {
    return this.api.context.active();
  }

  submitted(task: ObservedTask): TaskObservation {
    const { name, calls, submittedMs, carrier } = task;
    const { propagation, context, ROOT_CONTEXT } = this.api;
    const parent = carrier === undefined
      ? (task.context as C | undefined) ?? context.active()
      : propagation.extract(ROOT_CONTEXT, carrier);
    const span = this.#tracer.startSpan(name === "" ? "task" : name, {
      startTime: submittedMs,
      attributes: {
        "code.function.name": name,
        "executor.name": this.executor,
        "executor.task.calls": calls,
      },
    }, parent);
    return new TaskSpan(this, task, span, this.api.trace.setSpan(parent, span));
  }

  workerStarted(): void {}

  workerEnded(): void {}
}

/** The span of one task. */
class TaskSpan<C, S extends TelemetrySpan> implements TaskObservation {
  readonly carrier: Carrier | undefined;
  readonly #observer: Observer<C, S>;
  readonly #name: string;
  readonly #submittedMs: number;
  readonly #span: S;
  readonly #context: C;
  #endMs: number | undefined;
  #fate: TaskFate | undefined;

  constructor(observer: Observer<C, S>, task: ObservedTask, span: S, context: C) {
    this.#observer = observer;
    this.#name = task.name;
    this.#submittedMs = task.submittedMs;
    this.#span = span;
    this.#context = context;
    const carrier: Record<string, string> = {};
    observer.api.propagation.inject(context, carrier);
    if (Object.keys(carrier).length > 0) this.carrier = carrier;
    futureInternals.whenDone(task.future, (future) => this.#end(future, task.isChunk));
  }

  within<R>(fn: () => R): R {
    return this.#observer.api.context.with(this.#context, fn);
  }

  ran(worker: ObservedWorker, startMs: number, endMs: number, id: number): void {
    const { executor, wait, run, isStopped } = this.#observer;
    if (isStopped) return;
    this.#endMs = endMs;
    const attributes = { "code.function.name": this.#name, "executor.name": executor };
    wait.record((startMs - this.#submittedMs) / 1000, attributes);
    run.record((endMs - startMs) / 1000, attributes);
    if (!this.#span.isRecording()) return;
    this.#span.addEvent("started", startMs);
    this.#span.setAttributes({ "executor.task.id": id, ...attributesOf(worker) });
  }

  fails(fate: TaskFate, worker: ObservedWorker | undefined, startMs: number | undefined): void {
    if (this.#observer.isStopped) return;
    this.#fate ??= fate;
    if (worker === undefined || !this.#span.isRecording()) return;
    this.#span.addEvent("started", startMs!);
    this.#span.setAttributes(attributesOf(worker));
  }

  #end(future: Future<unknown>, isChunk: boolean): void {
    const span = this.#span;
    const failure = failureOf(future, isChunk);
    if (future.cancelled()) {
      span.setAttributes({ "executor.task.outcome": "cancelled" });
    } else if (failure !== undefined) {
      const { name, message } = errorTexts(failure.error);
      span.setAttributes({ "executor.task.outcome": this.#fate ?? "threw", "error.type": name });
      span.setStatus({ code: STATUS_ERROR, message });
    } else {
      span.setAttributes({ "executor.task.outcome": "returned" });
    }
    span.end(this.#endMs ?? epochMs());
  }
}

/** What is recorded of an error, which may be any value, and may have getters that throw. */
function errorTexts(error: unknown): { name: string; message: string } {
  try {
    if (error instanceof Error) return { name: `${error.name}`, message: `${error.message}` };
  } catch {
    // Recorded as any other value is.
  }
  return { name: "_OTHER", message: describe(error) };
}

function attributesOf({ name, pid }: ObservedWorker): TelemetryAttributes {
  return pid === undefined ? { "thread.name": name } : { "thread.name": name, "process.pid": pid };
}

/** Makes instruments that read an executor's statistics; the returned function removes them. */
function measure<C, S extends TelemetrySpan>(
  api: TelemetryApi<C, S>,
  observable: Observable,
): () => void {
  const meter = api.metrics.getMeter(SCOPE);
  const common = { "executor.name": observable.name };
  const ends: (() => void)[] = [];
  const watch = (
    instrument: TelemetryObservable,
    read: (stats: ExecutorStats, tell: (value: number, more?: TelemetryAttributes) => void) => void,
  ): void => {
    const callback = (result: TelemetryObservations): void =>
      read(observable.stats(), (value, more) => result.observe(value, { ...common, ...more }));
    instrument.addCallback(callback);
    ends.push(() => instrument.removeCallback(callback));
  };
  watch(
    meter.createObservableUpDownCounter("executor.task.count", {
      description: "Tasks without an outcome, by whether they wait or run.",
      unit: "{task}",
    }),
    ({ queued, running }, tell) => {
      tell(queued, { "executor.task.state": "waiting" });
      tell(running, { "executor.task.state": "running" });
    },
  );
  watch(
    meter.createObservableCounter("executor.task.done", {
      description: "Tasks with an outcome, by what became of them.",
      unit: "{task}",
    }),
    ({ completed, failed, cancelled }, tell) => {
      tell(completed, { "executor.task.outcome": "completed" });
      tell(failed, { "executor.task.outcome": "failed" });
      tell(cancelled, { "executor.task.outcome": "cancelled" });
    },
  );
  watch(
    meter.createObservableUpDownCounter("executor.worker.count", {
      description: "Workers that live.",
      unit: "{worker}",
    }),
    ({ workers }, tell) => tell(workers),
  );
  watch(
    meter.createObservableCounter("executor.worker.lost", {
      description: "Workers that ended without being asked to, or were abandoned with their task.",
      unit: "{worker}",
    }),
    ({ lost, abandoned }, tell) => tell(lost + abandoned),
  );
  watch(
    meter.createObservableGauge("executor.worker.utilization", {
      description: "The share of its life that a worker has spent in tasks.",
      unit: "1",
    }),
    ({ perWorker }, tell) => {
      for (const worker of perWorker) tell(worker.utilization, attributesOf(worker));
    },
  );
  return () => {
    for (const end of ends) end();
  };
}

/**
 * Records a span for each task that is submitted to an executor from now on, and metrics of the
 * executor, with the program's OpenTelemetry API.
 *
 * **Spans** are named after the task's function and last from submit to outcome. Each is a child of
 * the span that is active where the task is submitted: for `map`, where `map` is called; inside a
 * task, the span of that task. An event `started` says when the function was called. Attributes:
 * `code.function.name`, `executor.name`, `executor.task.id`, `executor.task.calls`,
 * `executor.task.outcome` (`returned`, `threw`, `cancelled`, `lost`, `given up`), `thread.name`,
 * `process.pid` where the worker is a process, and `error.type`. The context is sent with the task
 * as headers (`traceparent`), so that a span made in the task is a child of the task's span. For
 * that, the worker's thread or process needs the OpenTelemetry SDK as well: Deno has it there with
 * `OTEL_DENO=true`; elsewhere, set it up in `initializer`. (Without it, a task that a task submits
 * is below that all the same, unless a done callback submits it; in a browser, if it does so before
 * its first `await`.) What a killed process has not exported yet is lost.
 *
 * **Metrics:** `executor.task.count` (by `executor.task.state`: `waiting`, `running`),
 * `executor.task.done` (by `executor.task.outcome`: `completed`, `failed`, `cancelled`),
 * `executor.worker.count`, `executor.worker.lost`, `executor.worker.utilization`, and the
 * histograms `executor.task.wait.duration` and `executor.task.run.duration`, in seconds.
 *
 * If no SDK is behind the API, tasks run as they do without telemetry.
 *
 * @param executor A thread pool, process pool or `AsyncExecutor`; a view of one (`with`) stands for
 * all of it.
 * @param api The module `@opentelemetry/api`, version 1.
 * @returns An object that can stop the recording.
 * @throws {RuntimeError} When the executor cannot be watched here: inside a task, an executor that
 * was sent to it; and anywhere, a `ClusterExecutor`.
 * @throws {TypeError} When `executor` is not an executor, or `api` lacks a part.
 *
 * **Differs from Python:** Python has nothing like it.
 *
 * @example
 * ```ts ignore
 * import * as api from "npm:@opentelemetry/api@1";
 * import { ProcessPoolExecutor } from "@concurrent/futures";
 * import { telemetry } from "@concurrent/futures/telemetry";
 *
 * await using pool = new ProcessPoolExecutor();
 * using _watching = telemetry(pool, api);
 * ```
 */
export function telemetry<C, S extends TelemetrySpan>(
  executor: Executor,
  api: TelemetryApi<C, S>,
): Telemetry {
  const observable = observableOf(executor, "watch");
  for (const part of ["context", "propagation", "trace", "metrics"] as const) {
    if (typeof api?.[part] === "object" && api[part] !== null) continue;
    throw new TypeError(
      `Cannot watch ${observable.name}: expected the module @opentelemetry/api, got something without "${part}"`,
    );
  }
  const observer = new Observer(api, observable.name);
  const unobserve = observable.observe(observer);
  const unmeasure = measure(api, observable);
  return new Telemetry(() => {
    observer.isStopped = true;
    unobserve();
    unmeasure();
  });
}
