/** What the processes of the tests run. */

import { currentProcess, Process, task, taskContext } from "../../executors/mod.ts";
import type { SimpleQueue } from "../../queue/mod.ts";
import { Lock } from "../../sync/mod.ts";
import { enterGate, gateOpens, type GateParts } from "../contracts/signals.ts";

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

/** The same, blocking its thread until then. */
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

/** Returns, and has its process end once the gate opens. */
export const endLater = task(import.meta, function endLater(gate: GateParts, how: End): string {
  enterGate(gate);
  gateOpens(gate).then(() => end(how));
  return "armed";
});

/** Ends its process. */
export const endNow = task(import.meta, function endNow(how: End): Promise<never> {
  end(how);
  return never();
});

/** Ends its process, unless it is the first that comes. */
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

/** Loops until it is told to stop. */
export const spinUntilAborted = task(
  import.meta,
  function spinUntilAborted(gate: GateParts): string {
    const { signal } = taskContext();
    enterGate(gate);
    while (!signal.aborted);
    return "stopped";
  },
);

/** Neither ends nor blocks. */
export const pend = task(import.meta, function pend(gate: GateParts): Promise<never> {
  enterGate(gate);
  return never();
});

/** Blocks for a lock until it has it. */
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

/** Says that it runs, and returns so many bytes. */
export const large = task(import.meta, function large(gate: GateParts, length: number) {
  enterGate(gate);
  return new Uint8Array(length).fill(7);
});

/** So many bytes. */
export const bytes = task(import.meta, function bytes(length: number): Uint8Array {
  return new Uint8Array(length).fill(7);
});

/** How many bytes there are, the first and the last. */
export const measure = task(import.meta, function measure(bytes: Uint8Array) {
  return [bytes.length, bytes[0], bytes.at(-1)];
});

/** Uses up its process's memory. */
export const exhaust = task(import.meta, function exhaust(): never {
  const all: unknown[] = [];
  for (;;) all.push(new Array(1000).fill(1.5));
});

/** The number of its process. */
export const pidOf = task(import.meta, function pidOf(): number {
  return Deno.pid;
});

/** The number of its process, once the gate is open. */
export const pidAtGate = task(import.meta, async function pidAtGate(gate: GateParts) {
  enterGate(gate);
  await gateOpens(gate);
  return Deno.pid;
});

/** What its process is called. */
export const nameOf = task(import.meta, function nameOf(): [process: string, thread: string] {
  return [currentProcess().name, (globalThis as unknown as { name: string }).name];
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

const state = globalThis as { initialized?: number };

/** Counts its calls in this process. */
export const initialize = task(import.meta, function initialize(by: number): void {
  state.initialized = (state.initialized ?? 0) + by;
});

/** The process's number, and what {@linkcode initialize} counted there. */
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
};

/** What {@linkcode giveBack} can return. */
export const ODD_VALUES: readonly string[] = Object.keys(ODD);

/** Returns what cannot be sent. */
export const giveBack = task(import.meta, function giveBack(which: string): unknown {
  return ODD[which]();
});

/** Returns what cannot be sent, for odd numbers. */
export const giveBackIfOdd = task(import.meta, function giveBackIfOdd(n: number): unknown {
  return n % 2 === 0 ? n : ODD[ODD_VALUES[n]]();
});

/** Throws what cannot be sent, or an error that holds it. */
export const throwOdd = task(import.meta, function throwOdd(which: string, inError: boolean) {
  const value = ODD[which]();
  throw inError ? Object.assign(new RangeError("odd"), { value }) : value;
});

/** Works for so many milliseconds. */
export const burn = task(import.meta, function burn(ms: number): number {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
  return ms;
});

let calls = 0;

/** Returns at once, but for one call, which waits for the gate. Numbers its calls in this process. */
export const holdOnce = task(
  import.meta,
  function holdOnce(at: number, gate: GateParts): number | Promise<number> {
    const call = ++calls;
    if (call !== at) return call;
    enterGate(gate);
    return gateOpens(gate).then(() => call);
  },
);

/** Writes so many lines, each made of one letter. */
export const printLines = task(
  import.meta,
  function printLines(letter: string, lines: number, length: number): void {
    for (let i = 0; i < lines; i++) {
      console.log(letter.repeat(length));
      console.error(letter.repeat(length));
    }
  },
);

/** Tries something, and says how it failed: `"ok"` if it did not. */
export const attempt = task(
  import.meta,
  async function attempt(what: string, argument: string): Promise<string> {
    try {
      await ATTEMPTS[what](argument);
      return "ok";
    } catch (error) {
      return (error as Error).name;
    }
  },
);

/** What needs a permission. */
const ATTEMPTS: Record<string, (argument: string) => unknown> = {
  read: (path) => Deno.readTextFileSync(path),
  write: (path) => Deno.writeTextFileSync(path, "written"),
  net: (port) => Deno.listen({ hostname: "127.0.0.1", port: Number(port) }).close(),
  env: (name) => Deno.env.get(name),
  run: (command) => new Deno.Command(command, { args: ["--version"], stdout: "null" }).outputSync(),
  sys: () => Deno.hostname(),
  ffi: (path) => Deno.dlopen(path, {}).close(),
  // The runtime refuses hosts that it may not import from before it looks for them.
  import: async (url) => {
    try {
      await import(url);
    } catch (error) {
      if (/Requires import access/.test(String(error))) throw new Deno.errors.NotCapable();
    }
  },
};

/** The states of all permissions, by kind. */
export const permissionStates = task(import.meta, function permissionStates() {
  const kinds = ["read", "write", "net", "env", "run", "sys", "ffi", "import"];
  return Object.fromEntries(kinds.map((name) => {
    const descriptor = { name } as Deno.PermissionDescriptor;
    return [name, Deno.permissions.querySync(descriptor).state];
  }));
});

/** A process with fields, whose class overrides `run`. */
export class Sum extends Process {
  readonly numbers: number[];
  readonly results: SimpleQueue<unknown>;

  constructor(numbers: number[], results: SimpleQueue<unknown>, name?: string) {
    super({ module: import.meta, name });
    this.numbers = numbers;
    this.results = results;
  }

  override run(): void {
    this.results.putNowait([this.total(), currentProcess().name, Deno.pid]);
  }

  total(): number {
    return this.numbers.reduce((sum, n) => sum + n, 0);
  }
}
