/**
 * What `telemetry` uses of `@opentelemetry/api` 1.x. The package does not depend on it: the module namespace is handed in.
 *
 * @module
 */

/** What describes a span or a measurement. */
export interface TelemetryAttributes {
  /** By name. */
  [name: string]: string | number | boolean | undefined;
}

/** A span. */
export interface TelemetrySpan {
  /** Whether anybody will see it. */
  isRecording(): boolean;
  /** Adds to what describes it. */
  setAttributes(attributes: TelemetryAttributes): unknown;
  /** Adds something that happened at a time, in milliseconds since 1970. */
  addEvent(name: string, time: number): unknown;
  /** Says that it has failed, `code` 2, or not. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** Ends it, at a time. */
  end(time: number): void;
}

/** How an instrument is made. */
export interface TelemetryInstrumentOptions {
  /** What it measures. */
  description?: string;
  /** The unit, as UCUM writes it. */
  unit?: string;
  /** What is known beforehand of what comes. */
  advice?: { explicitBucketBoundaries?: number[] };
}

/** An instrument that is asked. */
export interface TelemetryObservable {
  /** Has a function asked. */
  addCallback(callback: (result: TelemetryObservations) => void): void;
  /** Has it asked no more. */
  removeCallback(callback: (result: TelemetryObservations) => void): void;
}

/** What is told to an instrument that is asked. */
export interface TelemetryObservations {
  /** Tells a value. */
  observe(value: number, attributes?: TelemetryAttributes): void;
}

/** An instrument that is told how long something took. */
export interface TelemetryHistogram {
  /** Tells a value. */
  record(value: number, attributes?: TelemetryAttributes): void;
}

/** What makes instruments. */
export interface TelemetryMeter {
  /** A histogram. */
  createHistogram(name: string, options?: TelemetryInstrumentOptions): TelemetryHistogram;
  /** A sum that only grows, asked for. */
  createObservableCounter(name: string, options?: TelemetryInstrumentOptions): TelemetryObservable;
  /** A sum, asked for. */
  createObservableUpDownCounter(
    name: string,
    options?: TelemetryInstrumentOptions,
  ): TelemetryObservable;
  /** A value that is not added up, asked for. */
  createObservableGauge(name: string, options?: TelemetryInstrumentOptions): TelemetryObservable;
}

/**
 * The part of `@opentelemetry/api` 1.x that is used: the namespace of that module is one.
 *
 * @typeParam C Its `Context`.
 * @typeParam S Its `Span`.
 */
export interface TelemetryApi<C, S extends TelemetrySpan> {
  /** Who is in what context. */
  readonly context: {
    active(): C;
    with<R>(context: C, fn: () => R): R;
  };
  /** What carries contexts elsewhere. */
  readonly propagation: {
    inject(context: C, carrier: Record<string, string>): void;
    extract(context: C, carrier: unknown): C;
  };
  /** What makes spans. */
  readonly trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { startTime?: number; attributes?: TelemetryAttributes },
        context: C,
      ): S;
    };
    setSpan(context: C, span: S): C;
  };
  /** What makes instruments. */
  readonly metrics: { getMeter(name: string): TelemetryMeter };
  /** The context that is nobody's. */
  readonly ROOT_CONTEXT: C;
}
