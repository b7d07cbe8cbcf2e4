/** The streamed tasks of the contracts. Marked with `task`, so that they work in every executor. */

import { task, taskContext, transfer } from "../../executors/task_module.ts";
import type { SimpleQueue } from "../../queue/mod.ts";
import type { Value } from "../../sync/mod.ts";
import { enterGate, gateOpens, gateOpensSync, type GateParts } from "./gate_parts.ts";
import { AppError } from "./tasks.ts";

/** Notes that functions write to a log, on what has happened to them. */
export const CLOSED = -1;
export const ABORTED = -2;

/** Counts from 0 up to `end`. */
export const count = task(import.meta, function* count(end = Infinity): Generator<number> {
  for (let n = 0; n < end; n++) yield n;
});

/**
 * Like {@linkcode count}, but asynchronous; if told to, it waits for the event loop before each
 * value.
 */
export const countLater = task(
  import.meta,
  async function* countLater(end: number, waits: boolean): AsyncGenerator<number> {
    for (let n = 0; n < end; n++) {
      if (waits) await new Promise((resolve) => setTimeout(resolve, 0));
      yield n;
    }
  },
);

/** Counts, and notes that it was closed. */
export const countUntilClosed = task(
  import.meta,
  function* countUntilClosed(log: SimpleQueue<number>): Generator<number> {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      log.putNowait(CLOSED);
    }
  },
);

/**
 * Like {@linkcode countUntilClosed}, but asynchronous; once closed, it waits for the gate before it
 * notes that.
 */
export const countUntilClosedLater = task(
  import.meta,
  async function* countUntilClosedLater(
    log: SimpleQueue<number>,
    gate: GateParts,
  ): AsyncGenerator<number> {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      enterGate(gate);
      await gateOpens(gate);
      log.putNowait(CLOSED);
    }
  },
);

/** Objects that can be iterated, or promises of them. */
const ITERABLES = {
  "an array": () => [1, 2, 3],
  "a Set": () => new Set([1, 2, 3]),
  "a typed array": () => new Int8Array([1, 2, 3]),
  "a promise of an array": () => Promise.resolve([1, 2, 3]),
  "a promise of a generator": () => Promise.resolve(count(3)),
  "a stream": () => ReadableStream.from([1, 2, 3]),
  "an iterator that has no return()": () => {
    let n = 1;
    const next = () => ({ done: n > 3, value: n++ });
    return { [Symbol.iterator]: () => ({ next }) } as Iterable<number>;
  },
  "nothing": () => [],
} satisfies Record<string, () => Iterable<number> | AsyncIterable<number> | Promise<unknown>>;

export type IterableName = keyof typeof ITERABLES;
export const ITERABLE_NAMES = Object.keys(ITERABLES) as IterableName[];

/** Returns an object that can be iterated. */
export const giveIterable = task(
  import.meta,
  function giveIterable(name: IterableName): Iterable<number> {
    return ITERABLES[name]() as Iterable<number>;
  },
);

/** Returns the value, which need not be iterable. */
export const giveBack = task(import.meta, function giveBack(value: unknown): Iterable<unknown> {
  return value as Iterable<unknown>;
});

/** Yields the values. */
export const yieldAll = task(
  import.meta,
  function* yieldAll(...values: unknown[]): Generator<unknown> {
    yield* values;
  },
);

/** Yields promises: one that is fulfilled, and one that is rejected. */
export const yieldPromises = task(
  import.meta,
  function* yieldPromises(log: SimpleQueue<number>): Generator<Promise<number>> {
    try {
      yield Promise.resolve(1);
      yield Promise.reject(new RangeError("rejected"));
      yield Promise.resolve(3);
    } finally {
      log.putNowait(CLOSED);
    }
  },
);

/** Yields the given number of numbers, then throws. */
export const failAfter = task(
  import.meta,
  function* failAfter(end: number, code: number): Generator<number> {
    for (let n = 0; n < end; n++) yield n;
    throw new AppError("the application failed", code);
  },
);

/** Like {@linkcode failAfter}, but asynchronous. */
export const failAfterLater = task(
  import.meta,
  async function* failAfterLater(end: number, code: number): AsyncGenerator<number> {
    for (let n = 0; n < end; n++) yield n;
    await Promise.resolve();
    throw new AppError("the application failed", code);
  },
);

/** Yields a number, and throws the value. */
export const throwAfter = task(
  import.meta,
  function* throwAfter(value: unknown): Generator<number> {
    yield 1;
    throw value;
  },
);

/** Throws instead of returning anything. */
export const failAtOnce = task(import.meta, function failAtOnce(): Iterable<number> {
  throw new RangeError("failed at once");
});

/** Yields a number, and then a function. */
export const yieldFunction = task(
  import.meta,
  function* yieldFunction(log: SimpleQueue<number>): Generator<unknown> {
    try {
      yield 1;
      yield () => {};
      yield 3;
    } finally {
      log.putNowait(CLOSED);
    }
  },
);

/** Yields one number, comes to the gate, and yields another once it is open. */
export const yieldAroundGate = task(
  import.meta,
  async function* yieldAroundGate(gate: GateParts): AsyncGenerator<number> {
    yield 1;
    enterGate(gate);
    await gateOpens(gate);
    yield 2;
  },
);

/**
 * Like {@linkcode yieldAroundGate}, but blocks its thread; before that, it yields the given number
 * of values.
 */
export const yieldAroundGateSync = task(
  import.meta,
  function* yieldAroundGateSync(gate: GateParts, before: number): Generator<number> {
    for (let n = 0; n < before; n++) yield n;
    enterGate(gate);
    gateOpensSync(gate);
    yield before;
  },
);

/** Yields a number, comes to the gate, and throws once it is open. */
export const failAtGate = task(
  import.meta,
  async function* failAtGate(gate: GateParts): AsyncGenerator<number> {
    yield 1;
    enterGate(gate);
    await gateOpens(gate);
    throw new RangeError("failed at the gate");
  },
);

/** Throws when it is closed. */
export const failAtClose = task(import.meta, function* failAtClose(): Generator<number> {
  try {
    for (let n = 0;; n++) yield n;
  } finally {
    // deno-lint-ignore no-unsafe-finally
    throw new RangeError("failed at close");
  }
});

/** Goes on yielding when it is closed. */
export const yieldAtClose = task(
  import.meta,
  function* yieldAtClose(log: SimpleQueue<number>): Generator<number> {
    try {
      for (let n = 0;; n++) yield n;
    } finally {
      log.putNowait(CLOSED);
      yield -1;
      log.putNowait(ABORTED);
    }
  },
);

/** Notes that it was called, and yields numbers. */
export const recordCall = task(
  import.meta,
  function* recordCall(log: SimpleQueue<number>, value: number): Generator<number> {
    log.putNowait(value);
    yield value;
  },
);

/**
 * Yields by how much it is ahead of its consumer: the number of each value, less the number of
 * values taken when this one was made.
 */
export const yieldLead = task(
  import.meta,
  function* yieldLead(taken: Value<"i32">, end: number): Generator<number> {
    for (let n = 0; n < end; n++) yield n - taken.value;
  },
);

/** Like {@linkcode yieldLead}, but in large arrays. */
export const yieldLargeLead = task(
  import.meta,
  function* yieldLargeLead(
    taken: Value<"i32">,
    end: number,
    bytes: number,
  ): Generator<Float64Array> {
    for (let n = 0; n < end; n++) {
      yield new Float64Array(bytes / Float64Array.BYTES_PER_ELEMENT).fill(n - taken.value);
    }
  },
);

/** Yields one number and then waits; ends when its signal aborts. */
export const waitForAbort = task(
  import.meta,
  async function* waitForAbort(log: SimpleQueue<number>, gate: GateParts): AsyncGenerator<number> {
    const { signal } = taskContext();
    try {
      yield 1;
      enterGate(gate);
      // The signal may have aborted during the call, if that went to another process.
      signal.throwIfAborted();
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    } catch (error) {
      if (error === signal.reason) log.putNowait(ABORTED);
      throw error;
    } finally {
      log.putNowait(CLOSED);
    }
  },
);

/** Yields one number and then waits for ever; only `return()` ends the wait of its consumer. */
export const waitForReturn = task(
  import.meta,
  function waitForReturn(log: SimpleQueue<number>, gate: GateParts): AsyncIterable<number> {
    let given = 0;
    const next = (): Promise<IteratorResult<number>> => {
      if (given++ === 0) return Promise.resolve({ done: false, value: 1 });
      enterGate(gate);
      return new Promise(() => {});
    };
    const close = (): Promise<IteratorResult<number>> => {
      log.putNowait(CLOSED);
      return Promise.resolve({ done: true, value: undefined });
    };
    return { [Symbol.asyncIterator]: () => ({ next, return: close }) };
  },
);

/** Like {@linkcode waitForReturn}, but blocks until the gate is open before it waits. */
export const blockThenWait = task(
  import.meta,
  function blockThenWait(log: SimpleQueue<number>, gate: GateParts): AsyncIterable<number> {
    const { next, return: close } = waitForReturn(log, gate)[Symbol.asyncIterator]();
    let given = 0;
    const blockAndNext = (): Promise<IteratorResult<number>> => {
      const step = next();
      if (given++ > 0) gateOpensSync(gate);
      return step;
    };
    return { [Symbol.asyncIterator]: () => ({ next: blockAndNext, return: close }) };
  },
);

/** Yields one number, computes until its signal has aborted, notes that, and yields another. */
export const computeUntilAborted = task(
  import.meta,
  function* computeUntilAborted(log: SimpleQueue<number>, gate: GateParts): Generator<number> {
    const { signal } = taskContext();
    yield 1;
    enterGate(gate);
    while (!signal.aborted);
    log.putNowait(ABORTED);
    yield 2;
  },
);

/** Yields what the task knows about itself, at each step. */
export const describeItself = task(
  import.meta,
  async function* describeItself(): AsyncGenerator<number | string> {
    for (let i = 0; i < 3; i++) {
      yield taskContext().id;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
);

/**
 * Yields arrays whose buffers are moved, and then the lengths that these arrays have afterwards.
 */
export const yieldMoved = task(import.meta, function* yieldMoved(): Generator<unknown> {
  const arrays = [1, 2].map((n) => new Float64Array(n).fill(n));
  for (const array of arrays) yield transfer(array, [array.buffer]);
  yield arrays.map(({ length }) => length);
});

/** Yields shared memory, and writes to it afterwards. */
export const yieldShared = task(import.meta, function* yieldShared(): Generator<Int32Array> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  yield words;
  Atomics.store(words, 0, 7);
});

/** Yields one array, which it changes after each yield. */
export const yieldChanging = task(import.meta, function* yieldChanging(): Generator<number[]> {
  const list = [0];
  while (list[0] < 3) {
    yield list;
    list[0]++;
  }
});
