import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AsyncExecutor,
  type Executor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "../../executors/mod.ts";
import {
  telemetry,
  type TelemetryAttributes,
  type TelemetryObservations,
  type TelemetrySpan,
} from "../../executors/telemetry.ts";
import { trace } from "../../executors/trace.ts";
import { Event } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { Gate } from "../contracts/signals.ts";
import { fail, pass, square } from "../contracts/tasks.ts";
import { submitAfter, submitAndRest, submitInCallback } from "./fixtures/nested.ts";

/** A span as a collector receives it. */
interface Span {
  readonly name: string;
  readonly scope: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string;
  readonly status: number;
  readonly events: readonly string[];
  readonly attributes: ReadonlyMap<string, unknown>;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function mapOf(attributes: readonly Attribute[]): Map<string, unknown> {
  return new Map(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** Receives what programs export, by OTLP over HTTP as JSON. */
class Collector implements AsyncDisposable {
  readonly spans: Span[] = [];
  /** The last values of each metric, each with its attributes. */
  readonly metrics = new Map<string, { readonly value: number; readonly about: string }[]>();
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      if (request.method === "GET") await this.#isMeasured.promise;
      else this.#take(await request.json());
      return Response.json({});
    },
  );
  readonly #isMeasured = Promise.withResolvers<void>();
  readonly #isMetered: boolean;

  /** @param isMetered Whether the program must run until its metrics have arrived. */
  constructor(isMetered = false) {
    this.#isMetered = isMetered;
  }

  /** The value of a metric whose attributes contain a word. */
  valueOf(name: string, word: string): number | undefined {
    return this.metrics.get(name)?.find(({ about }) => about.includes(word))?.value;
  }

  get env(): Record<string, string> {
    const address = `http://127.0.0.1:${this.#server.addr.port}`;
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: address,
      ...(this.#isMetered ? { OTEL_METRIC_EXPORT_INTERVAL: "20", COLLECTED: address } : {}),
    };
  }

  // deno-lint-ignore no-explicit-any
  #take({ resourceSpans = [], resourceMetrics = [] }: any): void {
    for (const { scopeSpans } of resourceSpans) {
      for (const { scope, spans } of scopeSpans) {
        for (const span of spans) {
          this.spans.push({
            name: span.name,
            scope: scope.name,
            trace: span.traceId,
            id: span.spanId,
            parent: span.parentSpanId,
            status: span.status.code,
            events: span.events.map(({ name }: { name: string }) => name),
            attributes: mapOf(span.attributes),
          });
        }
      }
    }
    for (const { scopeMetrics } of resourceMetrics) {
      for (const { metrics } of scopeMetrics) {
        for (const { name, sum, gauge, histogram } of metrics) {
          const points = (sum ?? gauge ?? histogram).dataPoints.map((
            // deno-lint-ignore no-explicit-any
            { attributes, asDouble, asInt, count }: any,
          ) => ({
            value: Number(asDouble ?? asInt ?? count),
            about: [...mapOf(attributes).values()].join(" "),
          }));
          this.metrics.set(name, points);
        }
      }
    }
    // The task that fails is the last one.
    if (this.valueOf("executor.task.done", "failed") === 1) this.#isMeasured.resolve();
  }

  /** The spans of the given name. */
  named(name: string | RegExp): Span[] {
    return this.spans.filter((span) => span.name.match(name)?.[0] === span.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const PROGRAM = new URL("fixtures/telemetry_program.ts", import.meta.url);
const OUTPUT = { threads: "1\n20\n16\n", processes: "1\n20\n16\n", loop: "1\n20\n" };

for (const kind of ["threads", "processes", "loop"] as const) {
  test(`telemetry() of ${kind}: what a task records is below its span, and that below the caller's`, async () => {
    await using collector = new Collector();
    const { code, stdout, stderr } = await runProgram(PROGRAM, {
      args: [kind],
      env: collector.env,
    });
    assertEquals([code, stdout], [0, OUTPUT[kind]], stderr);

    const [request, ...others] = collector.named("request");
    assertEquals([others, request.parent], [[], ""]);
    for (const span of collector.spans) assertEquals(span.trace, request.trace);
    const tasks = new Map(
      collector.spans.filter(({ scope }) => scope === "@concurrent/futures")
        .map((span) => [span.id, span]),
    );
    const [outer] = collector.named("outer");
    assertEquals(outer?.parent, kind === "loop" ? undefined : request.id);
    const inner = collector.named(/inner \d+/);
    assertEquals(inner.length, kind === "loop" ? 21 : 25);
    for (const span of inner) {
      const task = tasks.get(span.parent);
      assertEquals(task?.name, "inner", `${span.name} is below ${span.parent}`);
      const isNested = /^inner 1[0-3]$/.test(span.name);
      assertEquals(task?.parent, isNested ? outer.id : request.id, span.name);
    }
  });

  test(`telemetry() of ${kind} says of each task what it was and what became of it`, async () => {
    await using collector = new Collector(true);
    await runProgram(PROGRAM, { args: [kind], env: collector.env });
    const [{ attributes, events }] = collector.named("inner");
    const executor = {
      threads: "ThreadPoolExecutor-0",
      processes: "ProcessPoolExecutor-0",
      loop: "AsyncExecutor-0",
    }[kind];
    assertEquals(attributes.get("code.function.name"), "inner");
    assertEquals(attributes.get("executor.name"), executor);
    assertEquals(attributes.get("executor.task.outcome"), "returned");
    assertEquals(events, ["started"]);
    assert(String(attributes.get("thread.name")).startsWith(`${executor}_`));
    assertEquals(attributes.has("process.pid"), kind === "processes");
    const [failed] = collector.named("fails");
    assertEquals(failed.attributes.get("executor.task.outcome"), "threw");
    assertEquals([failed.attributes.get("error.type"), failed.status], ["RangeError", 2]);

    const tasks = collector.spans.filter(({ scope }) => scope === "@concurrent/futures").length;
    assertEquals(collector.valueOf("executor.task.done", "completed"), tasks - 1);
    assertEquals(collector.valueOf("executor.task.done", "failed"), 1);
    assertEquals(collector.valueOf("executor.task.count", "waiting"), 0);
    assertEquals(collector.valueOf("executor.worker.lost", executor), 0);
    for (const name of ["executor.task.wait.duration", "executor.task.run.duration"]) {
      const counts = collector.metrics.get(name)!.map(({ value }) => value);
      assertEquals(counts.reduce((sum, count) => sum + count), tasks);
    }
  });

  test(`telemetry() of ${kind} changes nothing where nobody collects`, async () => {
    const { code, stdout, stderr } = await runProgram(PROGRAM, { args: [kind] });
    assertEquals([code, stdout], [0, OUTPUT[kind]], stderr);
  });
}

/** A span of {@linkcode FakeApi}. */
class FakeSpan implements TelemetrySpan {
  readonly attributes: TelemetryAttributes;
  readonly events: string[] = [];
  status: number | undefined;
  endMs: number | undefined;

  constructor(
    readonly name: string,
    readonly parent: string,
    readonly startMs: number,
    attributes: TelemetryAttributes,
  ) {
    this.attributes = { ...attributes };
  }

  isRecording(): boolean {
    return this.endMs === undefined;
  }

  setAttributes(attributes: TelemetryAttributes): void {
    assertEquals(this.endMs, undefined);
    Object.assign(this.attributes, attributes);
  }

  addEvent(name: string, time: number): void {
    assert(time >= this.startMs);
    this.events.push(name);
  }

  setStatus({ code }: { code: number }): void {
    this.status = code;
  }

  end(time: number): void {
    assertEquals(this.endMs, undefined);
    assert(time >= this.startMs);
    this.endMs = time;
  }
}

/** An API in which contexts are names. */
class FakeApi {
  readonly ROOT_CONTEXT = "";
  readonly spans: FakeSpan[] = [];
  readonly callbacks = new Set<(result: TelemetryObservations) => void>();
  active = "caller";

  readonly context = {
    active: () => this.active,
    with: <R>(context: string, fn: () => R): R => {
      const before = this.active;
      this.active = context;
      try {
        return fn();
      } finally {
        this.active = before;
      }
    },
  };

  readonly propagation = {
    inject(context: string, carrier: Record<string, string>): void {
      carrier.traceparent = context;
    },
    extract: (context: string, carrier: unknown): string =>
      (carrier as Record<string, string>).traceparent ?? context,
  };

  readonly trace = {
    getTracer: () => ({
      startSpan: (
        name: string,
        { startTime, attributes }: { startTime?: number; attributes?: TelemetryAttributes },
        context: string,
      ): FakeSpan => {
        const span = new FakeSpan(name, context, startTime!, attributes!);
        this.spans.push(span);
        return span;
      },
    }),
    setSpan: (context: string, { name }: FakeSpan): string => `${context} > ${name}`,
  };

  readonly metrics = {
    getMeter: () => {
      const instrument = {
        record: (value: number) => assert(value >= 0),
        addCallback: (callback: (result: TelemetryObservations) => void) =>
          this.callbacks.add(callback),
        removeCallback: (callback: (result: TelemetryObservations) => void) =>
          this.callbacks.delete(callback),
      };
      const make = (): typeof instrument => instrument;
      return {
        createHistogram: make,
        createObservableCounter: make,
        createObservableUpDownCounter: make,
        createObservableGauge: make,
      };
    },
  };
}

test("telemetry() ends each task's span once, whatever becomes of it", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const api = new FakeApi();
  using _watching = telemetry(pool, api);
  using gate = new Gate();
  const controller = new AbortController();
  const held = pool.with({ signal: controller.signal }).submit(pass, gate.parts, 1);
  await gate.entered();
  const cancelled = pool.submit(square, 1);
  cancelled.cancel();
  controller.abort(new RangeError("enough"));
  await held.exception();
  await pool.submit(fail, "failed").exception();
  assertEquals(await pool.submit(square, 2), 4);
  await pool.map(fail, ["an item"], { chunksize: 1 }).toArray().catch(() => {});
  assertEquals(
    api.spans.map(({ name, attributes }) => `${name} ${attributes["executor.task.outcome"]}`),
    ["pass given up", "square cancelled", "fail threw", "square returned", "fail threw"],
  );
  assertEquals(api.spans.map(({ status }) => status), [2, undefined, 2, undefined, 2]);
  for (const { endMs, parent } of api.spans) {
    assert(endMs !== undefined);
    assertEquals(parent, "caller");
  }
});

for (const Outer of [ThreadPoolExecutor, ProcessPoolExecutor]) {
  test(`telemetry() of a ${Outer.name} without an API in its workers: what a task submits is below that task`, async () => {
    await using outer = new Outer({ maxWorkers: 1 });
    await using inner = new ThreadPoolExecutor({ maxWorkers: 1 });
    const api = new FakeApi();
    using _watching = telemetry(inner, api);
    const runUnder = async (request: string): Promise<void> => {
      const [begun, gate] = [new Event(), new Event()];
      const future = api.context.with(request, () => outer.submit(submitAfter, inner, begun, gate));
      await begun.wait();
      // Only "caller" is active here by now.
      gate.set();
      await future;
    };
    {
      using _watching = telemetry(outer, api);
      await runUnder("request");
    }
    // Such a task takes no context along, and neither do those that it submits.
    await runUnder("unwatched");
    assertEquals(api.spans.map(({ name, parent }) => `${name} < ${parent}`), [
      "submitAfter < request",
      "nothing < request > submitAfter",
      "nothing < ",
    ]);
  });
}

test("telemetry() without an API in workers: what a done callback submits is below no other request", async () => {
  await using outer = new ThreadPoolExecutor({ maxWorkers: 1 });
  await using inner = new ThreadPoolExecutor({ maxWorkers: 1 });
  const api = new FakeApi();
  using _outer = telemetry(outer, api);
  using _inner = telemetry(inner, api);
  await api.context.with("request 1", () => outer.submit(submitAndRest, inner));
  await api.context.with("request 2", () => outer.submit(submitInCallback, inner));
  const parents = api.spans.slice(-3).map(({ name, parent }) => `${name} < ${parent}`);
  assertEquals(parents, [
    "submitInCallback < request 2",
    "nothing < request 2 > submitInCallback",
    "nothing < ",
  ]);
});

test("telemetry() ends the span of a task that threw what cannot be told", async () => {
  await using executor = new AsyncExecutor();
  const api = new FakeApi();
  using _watching = telemetry(executor, api);
  const unreadable = Object.defineProperty(new Error(), "message", {
    get() {
      throw new Error("not readable");
    },
  });
  for (const thrown of [Object.create(null), unreadable, Symbol("odd")]) {
    await executor.submit(() => {
      throw thrown;
    }).exception();
  }
  assertEquals(api.spans.map(({ endMs, status }) => [endMs !== undefined, status]), [
    [true, 2],
    [true, 2],
    [true, 2],
  ]);
});

test("telemetry() runs an AsyncExecutor's tasks in the context of their submission", async () => {
  await using executor = new AsyncExecutor({ maxWorkers: 1 });
  const api = new FakeApi();
  using _watching = telemetry(executor, api);
  const read = (): string => api.active;
  const futures = ["a", "b"].map((name) => api.context.with(name, () => executor.submit(read)));
  assertEquals(await Promise.all(futures), ["a > read", "b > read"]);
  const mapped = api.context.with("c", () => executor.map(read, [1, 2, 3], { buffersize: 1 }));
  assertEquals(await mapped.toArray(), Array(3).fill("c > read"));
});

test("telemetry() and trace() watch one executor together", async () => {
  await using executor = new AsyncExecutor();
  const api = new FakeApi();
  const watching = telemetry(executor, api);
  using tracing = trace(executor);
  const read = (): string => api.active;
  assertEquals(await executor.submit(read), "caller > read");
  watching.stop();
  watching.stop();
  assertEquals(await executor.submit(read), "caller");
  assertEquals(api.spans.length, 1);
  assertEquals(tracing.events.filter(({ kind }) => kind === "task").length, 2);
});

for (const others of ["alone", "beside another observer"]) {
  test(`telemetry() that is stopped, ${others}, records no more of tasks under way than their end`, async () => {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const api = new FakeApi();
    const watching = telemetry(pool, api);
    using tracing = others === "alone" ? undefined : trace(pool);
    using gate = new Gate();
    const held = pool.submit(pass, gate.parts, 1);
    await gate.entered();
    watching.stop();
    gate.open();
    await held;
    const [{ events, attributes, endMs }] = api.spans;
    assertEquals([events, attributes["executor.task.id"]], [[], undefined]);
    assert(endMs !== undefined);
    assertEquals(tracing?.events.length, others === "alone" ? undefined : 2);
  });
}

test("telemetry() has its instruments ask until it is stopped", async () => {
  await using executor = new AsyncExecutor();
  const api = new FakeApi();
  {
    using watching = telemetry(executor, api);
    assertEquals(String(watching), "[object Telemetry]");
    await executor.submit(square, 3);
    const told: [number, unknown][] = [];
    for (const callback of api.callbacks) {
      callback({
        observe: (value, about) => told.push([value, about!["executor.task.outcome"]]),
      });
    }
    assert(told.some(([value, outcome]) => value === 1 && outcome === "completed"));
  }
  assertEquals(api.callbacks.size, 0);
});

test("telemetry() refuses what it cannot use", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
  assertThrows(
    () => telemetry(pool, {} as FakeApi),
    TypeError,
    'expected the module @opentelemetry/api, got something without "context"',
  );
  assertThrows(() => telemetry({} as Executor, new FakeApi()), TypeError, "expected an executor");
});
