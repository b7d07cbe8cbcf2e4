/**
 * The worker's side of carrying OpenTelemetry's context: what a task carries from the context in
 * which it was submitted becomes the context of its function again, and is handed on to tasks that
 * it submits; where no API is registered, unread.
 *
 * The API finds its parts (context manager, propagator) under a symbol of the global object, which
 * is how all copies of `@opentelemetry/api` 1.x in a thread share them, and where Deno puts its own
 * (`OTEL_DENO=true`) in each thread. So a worker needs no import for this, and each task chooses
 * how to make its spans.
 *
 * @module
 */

import { type AsyncContext, platform } from "../_platform/mod.ts";
import { doorbell } from "../_memory/doorbell.ts";
import type { Carrier } from "./_protocol.ts";

interface ContextManager {
  active(): unknown;
  with<R>(context: unknown, fn: () => R): R;
}

interface Getter {
  keys(carrier: Carrier): string[];
  get(carrier: Carrier, key: string): string | undefined;
}

interface Setter {
  set(carrier: Record<string, string>, key: string, value: string): void;
}

interface Propagator {
  inject(context: unknown, carrier: Record<string, string>, setter: Setter): void;
  extract(context: unknown, carrier: Carrier, getter: Getter): unknown;
}

/** The parts of the API that have been registered in this thread. */
interface Registered {
  readonly context?: ContextManager;
  readonly propagation?: Propagator;
}

const GETTER: Getter = {
  keys: (carrier) => Object.keys(carrier),
  get: (carrier, key) => carrier[key],
};

const SETTER: Setter = {
  set: (carrier, key, value) => {
    carrier[key] = value;
  },
};

const API: unique symbol = Symbol.for("opentelemetry.js.api.1");

/**
 * Whether a task of this thread has had a carrier: its executor is watched, so tasks that it
 * submits may be watched too.
 */
let isCarrying = false;

/** The carriers of the tasks of a thread in which nothing can read them. */
let unread: AsyncContext<Carrier | undefined> | undefined;

function createUnread(): AsyncContext<Carrier | undefined> {
  const created = platform.createAsyncContext<Carrier | undefined>();
  // Otherwise the doorbell would run in the context of the task that let it listen first, and what
  // the callbacks of outcomes submit would count as that task's.
  doorbell.runBy((step) => created.run(undefined, step));
  return created;
}

function registered(): Registered {
  return (globalThis as { [API]?: Registered })[API] ?? {};
}

/**
 * The carrier for a task that is submitted here, from the present context; `undefined` for none.
 */
export function presentCarrier(): Carrier | undefined {
  if (!isCarrying) return undefined;
  const { context, propagation } = registered();
  if (context === undefined || propagation === undefined) return unread?.get();
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier, SETTER);
  return Object.keys(carrier).length > 0 ? carrier : undefined;
}

/**
 * Calls `fn` in the context that the carrier represents; if nothing registered can read carriers,
 * the tasks that `fn` submits get the same one.
 */
export function within<R>(carrier: Carrier, fn: () => R): R {
  isCarrying = true;
  const { context, propagation } = registered();
  if (context === undefined || propagation === undefined) {
    unread ??= createUnread();
    return unread.run(carrier, fn);
  }
  return context.with(propagation.extract(context.active(), carrier, GETTER), fn);
}
