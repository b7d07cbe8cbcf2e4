/** The tasks of the failure tests. */

import { registerError, task, taskContext, transfer } from "@concurrent/futures/task";
import nodeProcess, { exit as exitOfNode } from "node:process";

/**
 * Words of a gate; see `Gate` in `_support.ts`. This module does not import it: it must stay light.
 */
const OPEN = 0;
const ARRIVED = 1;

function arrive(gate: Int32Array): void {
  Atomics.add(gate, ARRIVED, 1);
  Atomics.notify(gate, ARRIVED);
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Returns its argument. */
export const echo = task(import.meta, function echo<T>(value: T): T {
  return value;
});

/** Blocks its worker until the gate opens. */
export const hold = task(import.meta, function hold<T>(gate: Int32Array, value?: T): T {
  arrive(gate);
  while (Atomics.load(gate, OPEN) === 0) Atomics.wait(gate, OPEN, 0);
  return value as T;
});

/** Waits for the gate without blocking its worker. */
export const holdAsync = task(
  import.meta,
  async function holdAsync<T>(gate: Int32Array, value?: T): Promise<T> {
    arrive(gate);
    await Atomics.waitAsync(gate, OPEN, 0).value;
    return value as T;
  },
);

/** Never settles, without blocking its worker. */
export const pend = task(import.meta, function pend(gate: Int32Array): Promise<never> {
  arrive(gate);
  return never();
});

/** Ways in which a worker can end itself. */
export type End =
  | "close"
  | "Deno.exit"
  | "process.exit"
  | "process.reallyExit"
  | "exit of node:process"
  | "throw in a timer"
  | "throw in a microtask"
  | "throw of undefined in a timer"
  | "reportError"
  | "unhandled rejection"
  | "unhandled rejection with undefined"
  | "unhandled rejection with what cannot be cloned";

/**
 * One way of each kind: the global function, the function of `node:process`, an error, a promise.
 */
export const KINDS_OF_END: readonly End[] = [
  "close",
  "process.exit",
  "throw in a timer",
  "unhandled rejection",
];

/** Ends the worker. */
function end(how: End): void {
  switch (how) {
    case "close":
      self.close();
      break;
    case "Deno.exit":
      Deno.exit(3);
      break;
    case "process.exit":
      nodeProcess.exit(4);
      break;
    case "process.reallyExit":
      (nodeProcess as unknown as { reallyExit(code: number): void }).reallyExit(5);
      break;
    case "exit of node:process":
      exitOfNode(6);
      break;
    case "throw in a timer":
      setTimeout(() => {
        throw new RangeError("thrown late");
      }, 0);
      break;
    case "throw in a microtask":
      queueMicrotask(() => {
        throw new RangeError("thrown in a microtask");
      });
      break;
    case "throw of undefined in a timer":
      setTimeout(() => {
        // deno-lint-ignore no-throw-literal
        throw undefined;
      }, 0);
      break;
    case "reportError":
      reportError(new RangeError("reported"));
      break;
    case "unhandled rejection":
      Promise.reject(new RangeError("rejected"));
      break;
    case "unhandled rejection with undefined":
      Promise.reject(undefined);
      break;
    case "unhandled rejection with what cannot be cloned":
      Promise.reject({ notify: () => {} });
      break;
  }
}

/** Blocks its worker until the gate opens, and then ends it. */
export const endInTask = task(import.meta, function endInTask(gate: Int32Array, how: End) {
  arrive(gate);
  while (Atomics.load(gate, OPEN) === 0) Atomics.wait(gate, OPEN, 0);
  end(how);
  return never();
});

/** Returns, and later ends its worker, once the gate opens. */
export const endLater = task(import.meta, async function endLater(gate: Int32Array, how: End) {
  await holdLockHere(`end ${how} ${crypto.randomUUID()}`);
  const opened = Atomics.waitAsync(gate, OPEN, 0);
  if (opened.async) opened.value.then(() => end(how));
  else setTimeout(() => end(how), 0);
  return "armed";
});

/** Web Locks, which Deno's own types do not know yet. */
interface LockManager {
  request(name: string, held: () => Promise<unknown>): Promise<unknown>;
}

function holdLockHere(name: string): Promise<void> {
  const { locks } = navigator as unknown as { locks: LockManager };
  return new Promise((resolve) => {
    locks.request(name, () => {
      resolve();
      return never();
    });
  });
}

/** Holds a Web Lock for as long as its worker lives. */
export const holdLock = task(import.meta, async function holdLock(name: string) {
  await holdLockHere(name);
  return name;
});

let kept: Int32Array | undefined;

/** Keeps a gate for later tasks of this worker. */
export const keep = task(import.meta, function keep(gate: Int32Array): void {
  kept = gate;
});

/**
 * Fills the ring of records that its worker writes to the owner, comes to the gate that was kept
 * before, and ends the worker.
 */
export const endWithFullRecords = task(
  import.meta,
  function endWithFullRecords(how: End): Promise<never> {
    const context = taskContext();
    for (let i = 0; i < 50_000; i++) context.report(i / 50_000);
    arrive(kept!);
    end(how);
    return never();
  },
);

/** Loops for ever. */
export const spin = task(import.meta, function spin(gate: Int32Array): never {
  arrive(gate);
  for (;;);
});

/** Loops until the gate opens, even if it is given up. */
export const spinUntilOpen = task(import.meta, function spinUntilOpen(gate: Int32Array): void {
  arrive(gate);
  while (Atomics.load(gate, OPEN) === 0);
});

/** Loops until its signal aborts, and then comes to the gate once more. */
export const spinUntilAborted = task(
  import.meta,
  function spinUntilAborted(gate: Int32Array): string {
    const { signal } = taskContext();
    arrive(gate);
    while (!signal.aborted);
    arrive(gate);
    return "stopped";
  },
);

/** Waits, without blocking, until its signal aborts. */
export const pendUntilAborted = task(
  import.meta,
  function pendUntilAborted(gate: Int32Array): Promise<string> {
    const { signal } = taskContext();
    arrive(gate);
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve("stopped"));
    });
  },
);

const worker = globalThis as { id?: string; initialized?: number };

/** Returns a text that distinguishes its worker from others. */
export const identity = task(import.meta, function identity(): string {
  return worker.id ??= crypto.randomUUID();
});

/** Returns its worker's identity once the gate opens. */
export const holdIdentity = task(import.meta, function holdIdentity(gate: Int32Array): string {
  hold(gate);
  return identity();
});

/** Adds to a number that belongs to this worker. */
export const initialize = task(import.meta, function initialize(by: number): void {
  worker.initialized = (worker.initialized ?? 0) + by;
});

/** Like {@linkcode initialize}, but asynchronous. */
export const initializeAsync = task(
  import.meta,
  async function initializeAsync(by: number): Promise<void> {
    await Promise.resolve();
    initialize(by);
  },
);

/**
 * Returns its worker's identity, and the number to which {@linkcode initialize} has added, once the
 * gate opens.
 */
export const initialized = task(import.meta, function initialized(gate?: Int32Array) {
  if (gate !== undefined) hold(gate);
  return [identity(), worker.initialized] as const;
});

/** Succeeds in the first worker that calls it, and throws in the others. */
export const initializeFirst = task(import.meta, function initializeFirst(words: Int32Array) {
  if (Atomics.add(words, OPEN, 1) > 0) throw new RangeError("only one may start");
});

/** Throws. */
export const fail = task(import.meta, function fail(text: string): never {
  throw new RangeError(text);
});

/** Rejects. */
export const reject = task(import.meta, async function reject(text: string): Promise<never> {
  await Promise.resolve();
  throw new RangeError(text);
});

/** Closes its worker. */
export const openPort = task(import.meta, function openPort(isMoved: boolean): MessagePort {
  const { port1 } = new MessageChannel();
  return isMoved ? transfer(port1, [port1]) : port1;
});

export const closeWorker = task(import.meta, function closeWorker(): void {
  self.close();
});

/** An error class that both sides have registered. */
export class KnownError extends Error {
  override readonly name = "KnownError";
  readonly code: number;
  constructor(code: number) {
    super(`known ${code}`);
    this.code = code;
  }
}
registerError(KnownError);

/** An error class that is not registered. */
export class UnknownError extends RangeError {
  override readonly name = "UnknownError";
}

class BadGetter {
  get value(): number {
    throw new RangeError("getter failed");
  }
}

/** Values for {@linkcode giveBack} to return and {@linkcode throwOdd} to throw. */
const ODD: Record<string, () => unknown> = {
  "a function": () => () => {},
  "a symbol": () => Symbol("odd"),
  "a WeakMap": () => new WeakMap(),
  "a promise in an object": () => ({ deep: { promise: Promise.resolve(1) } }),
  "a function in an array": () => [1, [() => {}]],
  "a getter that throws": () =>
    Object.defineProperty({}, "value", {
      enumerable: true,
      get: () => new BadGetter().value,
    }),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return { proxy };
  },
  "a getter that throws what has no text": () =>
    Object.defineProperty({}, "value", {
      enumerable: true,
      get: () => {
        throw Object.create(null);
      },
    }),
  "what has no text": () => ({ toString: 1 }),
  "undefined": () => undefined,
  "null": () => null,
  "0": () => 0,
  "a string": () => "text",
  "an object": () => ({ reason: "plain" }),
  "an error with causes": () =>
    new Error("outer", { cause: new TypeError("middle", { cause: new RangeError("inner") }) }),
  "an error with properties": () =>
    Object.assign(new Error("full"), { status: 418, headers: new Map([["a", 1]]) }),
  "an AggregateError": () =>
    new AggregateError([new TypeError("one"), new KnownError(2), "three"], "many"),
  "a registered error": () => new KnownError(7),
  "an error of an unknown class": () => new UnknownError("who"),
  "an error that is its own cause": () => {
    const error = new Error("circle");
    error.cause = error;
    return error;
  },
  "an error with a function": () => Object.assign(new RangeError("listening"), { on: () => {} }),
  "an error with a toString of its own": () =>
    Object.assign(new RangeError("speaking"), { toString: () => "spoken" }),
  "an error with a WeakMap as cause": () => new RangeError("weak", { cause: new WeakMap() }),
  "an error with a getter that throws": () =>
    Object.defineProperty(new RangeError("guarded"), "value", {
      enumerable: true,
      get: () => new BadGetter().value,
    }),
  "an error whose message is an object": () =>
    Object.assign(new RangeError(), { message: { odd: true } }),
  "a DOMException": () => new DOMException("not now", "NotAllowedError"),
};

/** Returns an odd value. */
export const giveBack = task(import.meta, function giveBack(which: string): unknown {
  return ODD[which]();
});

/** Throws an odd value. */
export const throwOdd = task(import.meta, function throwOdd(which: string): never {
  throw ODD[which]();
});

/** Rejects with an odd value. */
export const rejectOdd = task(import.meta, function rejectOdd(which: string): Promise<never> {
  return Promise.reject(ODD[which]());
});

/** A turn of the event loop: a fetch of a data: address alone may take none. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Starts an interval and fetches that continue after it has returned. */
export const startBackground = task(import.meta, function startBackground(words: Int32Array) {
  const timer = setInterval(() => {
    if (Atomics.load(words, 2) === 1) clearInterval(timer);
    else Atomics.add(words, 0, 1);
  }, 5);
  (async () => {
    while (Atomics.load(words, 2) === 0) {
      const response = await fetch("data:text/plain,here");
      if (await response.text() === "here") Atomics.add(words, 1, 1);
      await turn();
    }
  })();
});

/** Does nothing. */
export const noop = task(import.meta, function noop(): void {});

/** Computes for the given time. */
export const burn = task(import.meta, function burn(ms: number): number {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
  return ms;
});

/** Prints a line after a while. */
export const print = task(import.meta, async function print(text: string, ms = 0) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  console.log(text);
});

/** Returns twice its argument. */
export const double = task(import.meta, function double(n: number): number {
  return n * 2;
});

/** Counts that it ran, and returns a value that cannot be sent. */
export const countUnsendable = task(import.meta, function countUnsendable(ran: Int32Array) {
  Atomics.add(ran, 0, 1);
  return (): number => 1;
});
