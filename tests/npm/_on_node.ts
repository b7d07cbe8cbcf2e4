/**
 * What the tests use of Deno, for Node, where the same files run. It is loaded before everything
 * else, in workers and processes too, as tasks use some of it. A test that needs more of Deno than
 * this is skipped.
 */

import * as fs from "node:fs";
import process from "node:process";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { parentPort, Worker, workerData } from "node:worker_threads";

interface TestContext {
  step(name: string, fn: () => void | Promise<void>): Promise<boolean>;
}

interface Definition {
  readonly name: string;
  readonly fn: (t: TestContext) => void | Promise<void>;
  readonly ignore?: boolean;
  readonly timeout?: number;
}

/** Thrown by a test that is about Deno itself. */
class NeedsDeno extends Error {}

function define({ name, fn, ignore = false, timeout }: Definition): void {
  test(name, { skip: ignore, timeout }, async (t) => {
    const step = async (name: string, fn: () => void | Promise<void>): Promise<boolean> => {
      await t.test(name, async () => await fn());
      return true;
    };
    try {
      await fn({ step });
    } catch (error) {
      if (error instanceof NeedsDeno) t.skip(error.message);
      else throw error;
    }
  });
}

const deno: Record<string, unknown> = {
  test: Object.assign(define, { beforeAll: before, afterAll: after }),
  inspect: (value: unknown) => inspect(value, { depth: 4 }),
  pid: process.pid,
  cwd: () => process.cwd(),
  exit: (code?: number) => process.exit(code),
  kill: (pid: number, signal: string) => process.kill(pid, signal),
  env: { get: (name: string) => process.env[name] },
  readTextFileSync: (path: string) => fs.readFileSync(path, "utf8"),
  readDirSync: (path: string) => fs.readdirSync(path).map((name) => ({ name })),
  errors: { NotFound: Error },
};

/** Properties that the package may ask for without harm: it must not take this for Deno. */
const ASKED_FOR = new Set(["refTimer"]);

const globals = globalThis as Record<string, unknown>;
globals.Deno = new Proxy(deno, {
  get(target, name: string): unknown {
    if (name in target || ASKED_FOR.has(name) || typeof name !== "string") return target[name];
    throw new NeedsDeno(`it needs Deno.${name}`);
  },
});

/** A worker as browsers have it, which knows its name. */
class TestWorker extends Worker {
  constructor(address: string | URL, options: { name?: string } = {}) {
    super(new URL(address), { ...options, workerData: options.name } as object);
  }

  set onmessage(listener: (event: { data: unknown }) => void) {
    this.on("message", (data) => listener({ data }));
  }

  /** Code that counts workers listens to errors, and this way learns of every end. */
  addEventListener(_type: "error", listener: () => void): void {
    this.on("exit", listener);
  }
}

// A class that replaces the global one also replaces the package's.
const modules = process.getBuiltinModule("node:worker_threads") as {
  Worker: unknown;
  threadName?: unknown;
};
modules.Worker = TestWorker;
modules.threadName ??= workerData; // Newer versions of Node have it.
Object.defineProperty(globals, "Worker", {
  get: () => modules.Worker,
  set: (value: unknown) => modules.Worker = value,
});

// What Deno shares with browsers.
globals.self = globalThis;
if (parentPort !== null) {
  globals.name = workerData;
  globals.close = (): void => process.exit(0);
  globals.postMessage = parentPort.postMessage.bind(parentPort);
  Object.defineProperty(globals, "onmessage", {
    set: (listener: (event: { data: unknown }) => void) => {
      parentPort!.on("message", (data) => listener({ data }));
    },
  });
}
let others: (() => void)[] = [];
let onRejection: (reason: unknown) => void;
globals.addEventListener = (_type: "unhandledrejection", listener: (event: unknown) => void) => {
  others = process.listeners("unhandledRejection") as (() => void)[];
  process.removeAllListeners("unhandledRejection");
  onRejection = (reason) => listener({ reason, preventDefault() {} });
  process.on("unhandledRejection", onRejection);
};
globals.removeEventListener = () => {
  process.off("unhandledRejection", onRejection);
  for (const other of others) process.on("unhandledRejection", other);
};

// What Node 20 lacks of the language.
(Promise as { withResolvers?: unknown }).withResolvers ??= function withResolvers(): object {
  const made: { resolve?: unknown; reject?: unknown } = {};
  const promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return { promise, ...made };
};
