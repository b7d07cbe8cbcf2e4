/**
 * The parts of `@opentelemetry/api` 1.x that `telemetry` uses. The package does not depend on it:
 * the caller passes the module namespace.
 *
 * @module
 */

/** Attributes that describe a span or a measurement. */
export interface TelemetryAttributes {
  /** The value of the attribute with that name. */
  [name: string]: string | number | boolean | undefined;
}

/** A span. */
export interface TelemetrySpan {
  /** Whether the span is recorded. */
  isRecording(): boolean;
  /** Adds attributes to the span. */
  setAttributes(attributes: TelemetryAttributes): unknown;
  /** Adds an event that happened at `time`, in milliseconds since 1970. */
  addEvent(name: string, time: number): unknown;
  /** Sets the span's status: `code` 2 says that it has failed. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** Ends the span at `time`, in milliseconds since 1970. */
  end(time: number): void;
}

/** Options of a new instrument. */
export interface TelemetryInstrumentOptions {
  /** What the instrument measures. */
  description?: string;
  /** The unit, in UCUM's notation. */
  unit?: string;
  /** Advice on how to aggregate the measurements. */
  advice?: { explicitBucketBoundaries?: number[] };
}

/** An asynchronous instrument, which reads its values by callbacks. */
export interface TelemetryObservable {
  /** Adds a function that is called for values. */
  addCallback(callback: (result: TelemetryObservations) => void): void;
  /** Removes a function that was added. */
  removeCallback(callback: (result: TelemetryObservations) => void): void;
}

/** What a callback of an asynchronous instrument reports to. */
export interface TelemetryObservations {
  /** Reports a value. */
  observe(value: number, attributes?: TelemetryAttributes): void;
}

/** An instrument that records how measurements are distributed. */
export interface TelemetryHistogram {
  /** Reports a value. */
  record(value: number, attributes?: TelemetryAttributes): void;
}

/** Makes instruments. */
export interface TelemetryMeter {
  /** Makes a histogram. */
  createHistogram(name: string, options?: TelemetryInstrumentOptions): TelemetryHistogram;
  /** Makes a sum that only grows, read by callbacks. */
  createObservableCounter(name: string, options?: TelemetryInstrumentOptions): TelemetryObservable;
  /** Makes a sum, read by callbacks. */
  createObservableUpDownCounter(
    name: string,
    options?: TelemetryInstrumentOptions,
  ): TelemetryObservable;
  /** Makes a value that is not added up, read by callbacks. */
  createObservableGauge(name: string, options?: TelemetryInstrumentOptions): TelemetryObservable;
}

/**
 * The part of `@opentelemetry/api` 1.x that is used: the namespace of that module has this type.
 *
 * @typeParam C The API's `Context`.
 * @typeParam S The API's `Span`.
 */
export interface TelemetryApi<C, S extends TelemetrySpan> {
  /** Manages the present context. */
  readonly context: {
    active(): C;
    with<R>(context: C, fn: () => R): R;
  };
  /** Carries contexts across process boundaries. */
  readonly propagation: {
    inject(context: C, carrier: Record<string, string>): void;
    extract(context: C, carrier: unknown): C;
  };
  /** Makes spans. */
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
  /** Makes instruments. */
  readonly metrics: { getMeter(name: string): TelemetryMeter };
  /** The empty context. */
  readonly ROOT_CONTEXT: C;
}
