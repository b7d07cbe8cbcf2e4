/** The tasks that the tests' processes run. */

import { task, taskContext, transfer } from "../../executors/task_module.ts";
import type { SimpleQueue } from "../../queue/mod.ts";
import { type Event, Lock } from "../../sync/mod.ts";
import { enterGate, gateOpens, type GateParts } from "../contracts/gate_parts.ts";
import { isStopped } from "./proc.ts";

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Ways in which a process can end itself. */
export type End =
  | "exit 0"
  | "exit 3"
  | "close"
  | "kill"
  | "throw in a timer"
  | "throw of undefined in a timer"
  | "unhandled rejection";

/** Ends the process. */
function end(how: End): void {
  switch (how) {
    case "exit 0":
      Deno.exit(0);
      break;
    case "exit 3":
      Deno.exit(3);
      break;
    case "close":
      self.close();
      break;
    case "kill":
      Deno.kill(Deno.pid, "SIGKILL");
      break;
    case "throw in a timer":
      setTimeout(() => {
        throw new RangeError("thrown late");
      }, 0);
      break;
    case "throw of undefined in a timer":
      setTimeout(() => {
        // deno-lint-ignore no-throw-literal
        throw undefined;
      }, 0);
      break;
    case "unhandled rejection":
      Promise.reject(new RangeError("rejected"));
      break;
  }
}

/** Ends its process once the gate opens. */
export const endAtGate = task(import.meta, async function endAtGate(gate: GateParts, how: End) {
  enterGate(gate);
  await gateOpens(gate);
  end(how);
  await never();
});

/** Ends its process by an error that holds a shared object. */
export const endWithLock = task(import.meta, function endWithLock(lock: Lock): Promise<never> {
  setTimeout(() => {
    throw Object.assign(new RangeError("thrown with a lock"), { lock });
  }, 0);
  return never();
});

/** Throws an error that holds shared objects: one that the task was sent, and new ones. */
export const throwLocks = task(import.meta, function throwLocks(lock: Lock): never {
  const cause = { lock, memory: new SharedArrayBuffer(8) };
  throw Object.assign(new RangeError("thrown with locks", { cause }), { lock, own: new Lock() });
});

/** Like {@linkcode endAtGate}, but blocks its thread until the gate opens. */
export const endAtGateSync = task(import.meta, function endAtGateSync(gate: GateParts, how: End) {
  enterGate(gate);
  gate.opening.waitSync();
  end(how);
  return never();
});

/** Blocks until the gate opens, and throws. */
export const failAtGateSync = task(import.meta, function failAtGateSync(gate: GateParts): never {
  enterGate(gate);
  gate.opening.waitSync();
  throw new RangeError("failed at the gate");
});

/** Returns, and later ends its process, once the gate opens. */
export const endLater = task(import.meta, function endLater(gate: GateParts, how: End): string {
  enterGate(gate);
  gateOpens(gate).then(() => end(how));
  return "armed";
});

/** Ends its process while another one that it has started lives on for a second. */
export const leaveBehind = task(import.meta, function leaveBehind(): Promise<never> {
  new Deno.Command("sleep", { args: ["1"] }).spawn();
  Deno.exit(3);
});

/** Ends its process. */
export const endNow = task(import.meta, function endNow(how: End): Promise<never> {
  end(how);
  return never();
});

/** Ends its process if the queue is empty; otherwise takes an item from it and returns. */
export const endUnlessFirst = task(
  import.meta,
  function endUnlessFirst(first: SimpleQueue<number>, how: End): Promise<void> {
    if (!first.empty()) {
      first.getNowait();
      return Promise.resolve();
    }
    return endNow(how);
  },
);

/** Loops for ever. */
export const spin = task(import.meta, function spin(gate: GateParts): never {
  enterGate(gate);
  for (;;);
});

/** Loops until its signal aborts. */
export const spinUntilAborted = task(
  import.meta,
  function spinUntilAborted(gate: GateParts): string {
    const { signal } = taskContext();
    enterGate(gate);
    while (!signal.aborted);
    return "stopped";
  },
);

/** Never ends, without blocking its thread. */
export const pend = task(import.meta, function pend(gate: GateParts): Promise<never> {
  enterGate(gate);
  return never();
});

/** Blocks until it has the lock. */
export const lockSync = task(import.meta, function lockSync(gate: GateParts, lock: Lock): void {
  enterGate(gate);
  lock.acquireSync();
});

/** Takes a lock and keeps it. */
export const keepLock = task(
  import.meta,
  async function keepLock(gate: GateParts, lock: Lock): Promise<never> {
    await lock.acquire();
    enterGate(gate);
    return await never();
  },
);

/** Comes to the gate, and returns the given number of bytes. */
export const large = task(import.meta, function large(gate: GateParts, length: number) {
  enterGate(gate);
  return new Uint8Array(length).fill(7);
});

/** Returns the given number of bytes. */
export const bytes = task(import.meta, function bytes(length: number): Uint8Array {
  return new Uint8Array(length).fill(7);
});

/** Returns the number of bytes, and the first and the last of them. */
export const measure = task(import.meta, function measure(bytes: Uint8Array) {
  return [bytes.length, bytes[0], bytes.at(-1)];
});

/** Uses up its process's memory. */
export const exhaust = task(import.meta, function exhaust(): never {
  const all: unknown[] = [];
  for (;;) all.push(new Array(1000).fill(1.5));
});

/** Returns the number of its process. */
export const pidOf = task(import.meta, function pidOf(): number {
  return Deno.pid;
});

/** Returns the number of its process once the gate is open. */
export const pidAtGate = task(import.meta, async function pidAtGate(gate: GateParts) {
  enterGate(gate);
  await gateOpens(gate);
  return Deno.pid;
});

const state = globalThis as { initialized?: number };

/** Adds to a number that belongs to this process. */
export const initialize = task(import.meta, function initialize(by: number): void {
  state.initialized = (state.initialized ?? 0) + by;
});

/** Returns the process's number, and the number to which {@linkcode initialize} has added. */
export const initialized = task(import.meta, function initialized() {
  return [Deno.pid, state.initialized] as const;
});

/** Values that cannot leave a process. */
const ODD: Record<string, () => unknown> = {
  "a function": () => () => {},
  "a symbol": () => Symbol("odd"),
  "a WeakMap in an array": () => [1, [new WeakMap()]],
  "a promise in an object": () => ({ deep: { promise: Promise.resolve(1) } }),
  "a SharedArrayBuffer": () => new SharedArrayBuffer(8),
  "an array in shared memory": () => ({ words: new Int32Array(new SharedArrayBuffer(8)) }),
  "a MessagePort": () => new MessageChannel().port1,
  "a lock of its own": () => new Lock(),
  "a getter that throws": () =>
    Object.defineProperty({}, "value", {
      enumerable: true,
      get: () => {
        throw new RangeError("getter failed");
      },
    }),
  "a getter that throws what has no text": () =>
    Object.defineProperty({}, "value", {
      enumerable: true,
      get: () => {
        throw Object.create(null);
      },
    }),
};

/** The names that {@linkcode giveBack} takes. */
export const ODD_VALUES: readonly string[] = Object.keys(ODD);

/** Returns a value that cannot be sent. */
export const giveBack = task(import.meta, function giveBack(which: string): unknown {
  return ODD[which]();
});

/** Returns a value that cannot be sent if the number is odd. */
export const giveBackIfOdd = task(import.meta, function giveBackIfOdd(n: number): unknown {
  return n % 2 === 0 ? n : ODD[ODD_VALUES[n]]();
});

/** Throws a value that cannot be sent, or an error that holds one. */
export const throwOdd = task(import.meta, function throwOdd(which: string, inError: boolean) {
  const value = ODD[which]();
  throw inError ? Object.assign(new RangeError("odd"), { value }) : value;
});

/** Prints a line after a while. */
export const print = task(import.meta, async function print(text: string, ms: number) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  console.log(text);
});

/** Returns, and keeps the processor busy afterwards. */
export const spinInBackground = task(import.meta, function spinInBackground(): void {
  setTimeout(() => {
    for (;;);
  }, 1);
});

/**
 * Prints its process's number. Once the process `pid` is stopped, it reports progress, prints
 * "sent", and then does nothing more.
 */
export const reportToStopped = task(
  import.meta,
  async function reportToStopped(pid: number): Promise<never> {
    console.log(Deno.pid);
    while (!isStopped(pid)) await pause(1);
    taskContext().report(0.5);
    // The main thread of this process sends the report on.
    await pause(20);
    console.log("sent");
    return await never();
  },
);

/** Resolves after the given time. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Computes for the given time. */
export const burn = task(import.meta, function burn(ms: number): number {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
  return ms;
});

let calls = 0;

/**
 * Returns how many calls there have been in this process. Call number `at` first waits for the
 * gate; all others return at once.
 */
export const holdOnce = task(
  import.meta,
  function holdOnce(at: number, gate: GateParts): number | Promise<number> {
    const call = ++calls;
    if (call !== at) return call;
    enterGate(gate);
    return gateOpens(gate).then(() => call);
  },
);

/** Like {@linkcode holdOnce}, but returns the number of its process. */
export const pidAfterHold = task(
  import.meta,
  async function pidAfterHold(at: number, gate: GateParts): Promise<number> {
    await holdOnce(at, gate);
    return Deno.pid;
  },
);

/** Returns the number; at once, unless it equals `held`: then once the gate is open. */
export const holdIf = task(
  import.meta,
  function holdIf(n: number, held: number, gate: GateParts): number | Promise<number> {
    if (n !== held) return n;
    enterGate(gate);
    return gateOpens(gate).then(() => n);
  },
);

/** Writes an empty file. */
export const writeFile = task(import.meta, function writeFile(path: string): void {
  Deno.writeTextFileSync(path, "");
});

/** Puts the number into the queue. */
export const note = task(import.meta, function note(log: SimpleQueue<number>, n: number): void {
  log.putNowait(n);
});

/** Like {@linkcode note}, after a turn of the event loop. */
export const noteLater = task(
  import.meta,
  async function noteLater(log: SimpleQueue<number>, n: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    log.putNowait(n);
  },
);

/** Returns the task's id and the number of its process. */
export const idOf = task(import.meta, function idOf(): [id: number | string, pid: number] {
  return [taskContext().id, Deno.pid];
});

/** Like {@linkcode idOf}, but returns once the gate is open. */
export const idAtGate = task(
  import.meta,
  async function idAtGate(gate: GateParts): Promise<[id: number | string, pid: number]> {
    const { id } = taskContext();
    enterGate(gate);
    await gateOpens(gate);
    return [id, Deno.pid];
  },
);

/** Reports a progress of a quarter, waits for the gate, and reports completion. */
export const reportInSteps = task(
  import.meta,
  async function reportInSteps(gate: GateParts): Promise<void> {
    const { report } = taskContext();
    report(0.25);
    enterGate(gate);
    await gateOpens(gate);
    report(1);
  },
);

/** Reports the given progress. */
export const report = task(import.meta, function report(fraction: number): void {
  taskContext().report(fraction);
});

/** Returns a new array, whose memory is moved. */
export const fillAndMove = task(import.meta, function fillAndMove(length: number, value: number) {
  const bytes = new Uint8Array(length).fill(value);
  return transfer(bytes, [bytes.buffer]);
});

/** Returns the memory of a program, which nobody can take from that. */
export const moveMemory = task(import.meta, function moveMemory(pages: number): Uint8Array {
  const buffer = new WebAssembly.Memory({ initial: pages }).buffer as ArrayBuffer;
  return transfer(new Uint8Array(buffer), [buffer]);
});

/** Prints the given number of lines, each made of one letter, once the gate is open. */
export const printLines = task(
  import.meta,
  async function printLines(
    gate: GateParts,
    letter: string,
    lines: number,
    length: number,
  ): Promise<void> {
    enterGate(gate);
    await gateOpens(gate);
    for (let i = 0; i < lines; i++) {
      console.log(letter.repeat(length));
      console.error(letter.repeat(length));
    }
  },
);

/** Sets an event and loops for ever. */
export const setAndSpin = task(import.meta, function setAndSpin(arrived: Event): never {
  arrived.set();
  for (;;);
});

/** Puts its exit code and its process's number, and exits with that code once the gate is open. */
export const exitAtGate = task(
  import.meta,
  async function exitAtGate(
    gate: GateParts,
    log: SimpleQueue<[number, number]>,
    code: number,
  ): Promise<void> {
    log.putNowait([code, Deno.pid]);
    enterGate(gate);
    await gateOpens(gate);
    Deno.exit(code);
  },
);
