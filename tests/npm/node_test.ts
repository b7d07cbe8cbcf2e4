/** Programs on Node, in plain JavaScript, with the package as installed from its tarball. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as ours from "../../mod.ts";
import * as ourExecutors from "../../executors/mod.ts";
import * as ourQueue from "../../queue/mod.ts";
import * as ourSync from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import type { RunResult } from "../_support/run.ts";
import { assertDead } from "../_support/processes.ts";
import { type Consumer, hasNode, installed, NAME } from "./_consumer.ts";

/** The first test builds and installs the package. */
const OPTIONS = { ignore: !hasNode, timeout: 60_000 };

/** A module with tasks, which needs no guard as it does nothing else. */
const WORK = `
import { task } from "${NAME}";
export const gcd = task(import.meta, function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
});
`;

let consumer: Promise<Consumer> | undefined;
Deno.test.afterAll(async () => await (await consumer)?.[Symbol.asyncDispose]());

function made(): Promise<Consumer> {
  return consumer ??= installed({ "work.mjs": WORK });
}

/** Runs a module in the folder that all tests of this file share. */
async function runModule(
  text: string,
  name = "main.mjs",
  flags: string[] = [],
): Promise<RunResult> {
  const { write, run } = await made();
  await write(name, text);
  return await run("node", [...flags, name]);
}

/** What a module prints; asserts that it ends by itself, well, and without warnings. */
async function printed(text: string, flags?: string[]): Promise<string[]> {
  const { code, stdout, stderr, timedOut } = await runModule(text, undefined, flags);
  assertEquals([code, timedOut, stderr], [0, false, ""]);
  return stdout.trimEnd().split("\n");
}

test(
  "npm: a program for Node runs tasks of a module, closures, map and locks, and ends with idle pools",
  OPTIONS,
  async () => {
    const lines = await printed(`
    import { asCompleted, AsyncExecutor, Lock, map, Queue, ThreadPoolExecutor } from "${NAME}";
    import { gcd } from "./work.mjs";
    const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    console.log(await pool.submit(gcd, 48, 36), await pool.submit((n) => n * n, 7));
    console.log(await pool.map((a, b) => a + b, [1, 2, 3], [10, 20, 30]).toArray());
    console.log(pool.submit(gcd, 10, 4).resultSync());
    const found = [];
    for await (const future of asCompleted([1, 2].map((n) => pool.submit((n) => n, n)))) found.push(await future);
    console.log(found.sort());
    const lock = new Lock();
    const queue = new Queue();
    await Promise.all([1, 2, 3].map(() => pool.submit((lock, queue) => {
      lock.acquireSync();
      queue.putSync("done");
      lock.release();
    }, lock, queue)));
    console.log(queue.qsize(), lock.locked());
    console.log(await map((n) => n + 1, [1, 2]).toArray());
    console.log(await new AsyncExecutor().submit(async () => "on the loop"));
    const error = await pool.submit(() => { throw Object.assign(new RangeError("no"), { at: 3 }); }).exception();
    console.log(error instanceof RangeError, error.message, error.at);
  `);
    assertEquals(lines, [
      "12 49",
      "[ 11, 22, 33 ]",
      "2",
      "[ 1, 2 ]",
      "3 false",
      "[ 2, 3 ]",
      "on the loop",
      "true no 3",
    ]);
  },
);

test("npm: each entry exports on Node what it exports here", OPTIONS, async () => {
  const entries = { "": ours, "/executors": ourExecutors, "/queue": ourQueue, "/sync": ourSync };
  const lines = await printed(
    Object.keys(entries).map((entry) => `
      console.log(Object.keys(await import("${NAME}${entry}")).sort().join(" "));
    `).join(""),
  );
  assertEquals(lines, Object.values(entries).map((entry) => Object.keys(entry).sort().join(" ")));
});

test("npm: exported classes and functions have their names on Node", OPTIONS, async () => {
  const lines = await printed(`
    import * as all from "${NAME}";
    const others = Object.entries(all).filter(([name, value]) => typeof value === "function" && value.name !== name);
    console.log(others.map(([name]) => name));
    console.log(new all.Semaphore(), new all.RuntimeError("r").name);
  `);
  assertEquals(lines, ["[]", "Semaphore {} RuntimeError"]);
});

test(
  "npm: what workers print is all there when the program ends at once, and comes while it blocks",
  OPTIONS,
  async () => {
    const lines = await printed(`
    import { ThreadPoolExecutor } from "${NAME}";
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const print = (word, count) => {
      for (let i = 0; i < count; i++) console.log(word + i + "-".repeat(100));
    };
    pool.submit(print, "first ", 3).resultSync();
    console.log("not before");
    await pool.submit(print, "second ", 3000);
    process.exit(0);
  `);
    const words = lines.map((line) => line.replace(/-+$/, ""));
    assertEquals(words.slice(0, 5), ["first 0", "first 1", "first 2", "not before", "second 0"]);
    assertEquals([words.length, words.at(-1)], [3004, "second 2999"]);
  },
);

test(
  "npm: a worker that ends by itself on Node fails its task, awaited or waited for by blocking",
  OPTIONS,
  async () => {
    const lines = await printed(`
    import { BrokenThreadPool, ThreadPoolExecutor } from "${NAME}";
    const ends = [
      () => process.exit(3),
      () => { setTimeout(() => { throw new RangeError("late"); }); return new Promise(() => {}); },
      () => { Promise.reject(new RangeError("unheard")); return new Promise(() => {}); },
      () => { process.emit("exit", 0); process.reallyExit(7); },
    ];
    for (const end of ends) {
      const error = await new ThreadPoolExecutor({ maxWorkers: 1 }).submit(end).exception();
      console.log(BrokenThreadPool.is(error), error.message.replace(/^.*: it /, ""), "/", error.cause?.message);
      const future = new ThreadPoolExecutor({ maxWorkers: 1 }).submit(end);
      console.log(future.exceptionSync().message === error.message.replace(/-\\d+_/, (n) => "-" + (n.slice(1, -1) * 1 + 1) + "_"));
    }
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    const futures = [() => 1, () => process.exit(3), () => 2].map((fn) => pool.submit(fn));
    console.log((await Promise.allSettled(futures)).map(({ status }) => status), pool.stats().lost);
  `);
    assertEquals(lines, [
      "true called process.exit(3) / undefined",
      "true",
      "true threw an error that nobody caught / late",
      "true",
      "true had a promise rejected that nobody handled / unheard",
      "true",
      "true ended by itself, with code 0 / undefined",
      "true",
      "[ 'fulfilled', 'rejected', 'fulfilled' ] 1",
    ]);
  },
);

test(
  "npm: a worker on Node whose memory is used up fails its task, and the program goes on",
  OPTIONS,
  async () => {
    const lines = await printed(
      `
    import { BrokenThreadPool, ThreadPoolExecutor } from "${NAME}";
    const pool = new ThreadPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    const future = pool.submit(() => {
      const all = [];
      for (;;) all.push(new Array(10_000).fill(1.5));
    });
    console.log(BrokenThreadPool.is(await future.exception()));
    console.log(await pool.submit(() => "still here"));
  `,
      ["--max-old-space-size=64"],
    );
    assertEquals(lines, ["true", "still here"]);
  },
);

/** What a program without a guard submits. */
const UNGUARDED: Readonly<Record<string, string>> = {
  "": "console.log(await pool.submit(square, 3));",
  ", after a function of no module": `
    console.log(await pool.submit((n) => n + 1, 1));
    console.log(await pool.submit(square, 3));
  `,
};

for (const [what, submitting] of Object.entries(UNGUARDED)) {
  test(
    `npm: a program on Node that runs itself once more in its workers is told so${what}`,
    OPTIONS,
    async () => {
      const { code, stderr, timedOut } = await runModule(`
      import { task, ThreadPoolExecutor } from "${NAME}";
      export const square = task(import.meta, function square(n) { return n * n; });
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      ${submitting}
    `);
      assertEquals([code, timedOut], [1, false]);
      assertStringIncludes(stderr, "is being imported by a worker");
    },
  );
}

test("npm: a program on Node that may compile nothing as it runs has pools", OPTIONS, async () => {
  const program = `
    import { ThreadPoolExecutor } from "${NAME}";
    import { gcd } from "./work.mjs";
    console.log(await new ThreadPoolExecutor({ maxWorkers: 1 }).submit(gcd, 48, 36), typeof WebAssembly);
  `;
  // The runtime warns of another option of its own.
  const { code, stdout } = await runModule(program, undefined, ["--jitless"]);
  assertEquals([code, stdout], [0, "12 undefined\n"]);
});

test("npm: the CommonJS program in docs/platforms.md runs its task", OPTIONS, async () => {
  const text = await Deno.readTextFile(new URL("../../docs/platforms.md", import.meta.url));
  const [, program] = /^\/\/ main\.cjs\n([^]*?)^```/m.exec(text)!;
  const { code, stdout, stderr } = await runModule(program, "main.cjs");
  assertEquals([code, stdout, stderr], [0, "25\n", ""]);
});

test(
  "npm: workers begin where a hook takes what has no ending for CommonJS",
  OPTIONS,
  async () => {
    const { write } = await made();
    await write(
      "endings.mjs",
      `
      export async function resolve(specifier, context, next) {
        const resolved = await next(specifier, context);
        if (!resolved.url.startsWith("data:") || resolved.url.endsWith(".mjs")) return resolved;
        return { url: "file:///nowhere.cjs", format: "commonjs", shortCircuit: true };
      }
    `,
    );
    const register =
      'import { register } from "node:module"; register("./endings.mjs", import.meta.url);';
    await write("hook.mjs", register);
    const lines = await printed(
      `
      import { ThreadPoolExecutor } from "${NAME}";
      console.log(await new ThreadPoolExecutor({ maxWorkers: 1 }).submit((n) => n + 1, 1));
    `,
      ["--import", "./hook.mjs"],
    );
    assertEquals(lines, ["2"]);
  },
);

test(
  "npm: a worker on Node lives on if a listener of its task's has the error in hand",
  OPTIONS,
  async () => {
    const lines = await printed(`
    import { ThreadPoolExecutor } from "${NAME}";
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const heard = await pool.submit(() => {
      const heard = [];
      const one = (event, act) => new Promise((resolve) => {
        process.on(event, (error) => { heard.push(event + ": " + error.message); resolve(); });
        setImmediate(act);
      });
      return one("unhandledRejection", () => { Promise.reject(new Error("left alone")); })
        .then(() => one("uncaughtException", () => { throw new Error("late"); }))
        .then(() => heard);
    });
    console.log(heard.join(", "));
    console.log(await pool.submit(() => "still here"));
  `);
    assertEquals(lines, ["unhandledRejection: left alone, uncaughtException: late", "still here"]);
  },
);

for (
  const flags of [
    ["--unhandled-rejections=none"],
    ["--unhandled-rejections=strict", "--unhandled_rejections", "warn-with-error-code"],
  ]
) {
  test(
    `npm: a worker on Node lives on after a rejection that nobody handles with ${flags.join(" ")}`,
    OPTIONS,
    async () => {
      const program = `
      import { ProcessPoolExecutor, ThreadPoolExecutor } from "${NAME}";
      const leave = () => {
        Promise.reject(new Error("left alone"));
        return new Promise((resolve) => setImmediate(resolve, "went on"));
      };
      for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
        const pool = new Pool({ maxWorkers: 1 });
        console.log(await pool.submit(leave), await pool.submit(() => "still here"));
      }
    `;
      const { code, stdout } = await runModule(program, undefined, ["--no-warnings", ...flags]);
      assertEquals([code, stdout], [0, "went on still here\n".repeat(2)]);
    },
  );
}

test(
  "npm: a worker on Node ends with a rejection that nobody handles if its last option says so",
  OPTIONS,
  async () => {
    const lines = await printed(
      `
      import { ThreadPoolExecutor } from "${NAME}";
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      const error = await pool.submit(() => {
        Promise.reject(new Error("left alone"));
        return new Promise(() => {});
      }).exception();
      console.log(error.message.replace(/^.* it /, ""));
    `,
      ["--unhandled-rejections=none", "--unhandled-rejections=throw"],
    );
    assertEquals(lines, ["had a promise rejected that nobody handled"]);
  },
);

test(
  "npm: a worker on Node ends with its error whatever listens to errors in every thread",
  OPTIONS,
  async () => {
    const { write } = await made();
    await write(
      "tracker.mjs",
      `
    globalThis.track = (error) => console.log("tracked", error.message);
    for (const event of ["uncaughtException", "unhandledRejection"]) process.on(event, track);
  `,
    );
    const lines = await printed(
      `
    import { ProcessPoolExecutor, ThreadPoolExecutor } from "${NAME}";
    const ends = [
      () => { setTimeout(() => { throw new RangeError("late"); }); return new Promise(() => {}); },
      () => { Promise.reject(new RangeError("unheard")); return new Promise(() => {}); },
    ];
    for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
      for (const end of ends) {
        const error = await new Pool({ maxWorkers: 1 }).submit(end).exception();
        console.log(error.message.replace(/^.* it /, ""));
      }
    }
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit(() => new Promise((resolve) => {
      process.off("uncaughtException", track);
      process.on("uncaughtException", (error) => resolve("heard " + error.message));
      setTimeout(() => { throw new RangeError("once more"); });
    })));
  `,
      ["--import", "./tracker.mjs"],
    );
    const told = [
      "tracked late",
      "threw an error that nobody caught",
      "tracked unheard",
      "had a promise rejected that nobody handled",
    ];
    assertEquals(lines, [...told, ...told, "heard once more"]);
  },
);

test(
  "npm: what Node itself has made and can clone reaches threads, and is refused to processes",
  OPTIONS,
  async () => {
    const lines = await printed(`
    import { BlockList } from "node:net";
    import { ProcessPoolExecutor, Queue, ThreadPoolExecutor } from "${NAME}";
    const list = new BlockList();
    list.addAddress("10.0.0.1");
    const check = (list) => list.check("10.0.0.1");
    console.log(await new ThreadPoolExecutor({ maxWorkers: 1 }).submit(check, list));
    for (const send of [() => new Queue().put(list), () => new ProcessPoolExecutor({ maxWorkers: 1 }).submit(check, list)]) {
      await Promise.resolve().then(send).catch((error) => console.log(error.message));
    }
  `);
    assertEquals(lines, [
      "true",
      "Cannot put into Queue: a BlockList goes to another thread by a message only; send it as an argument of a task",
      "Cannot send BlockList at [0] to another process: only threads can be sent one",
    ]);
  },
);

test(
  "npm: Node's Histogram, and a FileHandle that is moved, reach threads and are refused to processes",
  OPTIONS,
  async () => {
    const lines = await printed(`
    import { open } from "node:fs/promises";
    import { createHistogram } from "node:perf_hooks";
    import { ProcessPoolExecutor, ThreadPoolExecutor, transfer } from "${NAME}";
    const histogram = createHistogram();
    histogram.record(5);
    const file = await open("package.json");
    const tell = async (send) => console.log(await Promise.resolve().then(send).catch((error) => error.message));
    const [threads, processes] = [ThreadPoolExecutor, ProcessPoolExecutor].map((Pool) => new Pool({ maxWorkers: 1 }));
    await tell(() => processes.submit((it) => it.max, histogram));
    await tell(() => processes.submit((it) => it.fd, transfer(file, [file])));
    console.log(await threads.submit(([it]) => it.max, [histogram]));
    console.log(await threads.submit(async (it) => {
      const { private: isPrivate } = JSON.parse(await it.readFile("utf8"));
      await it.close();
      return isPrivate;
    }, transfer(file, [file])));
  `);
    const refusal = (name: string) =>
      `Cannot send ${name} at [0] to another process: only threads can be sent one`;
    assertEquals(lines, [refusal("RecordableHistogram"), refusal("FileHandle"), "5", "true"]);
  },
);

test(
  "npm: processes on Node run tasks, share locks and queues, and end as they are made to",
  OPTIONS,
  async () => {
    const lines = await printed(`
    import { Event, Process, ProcessPoolExecutor, Queue } from "${NAME}";
    import { gcd } from "./work.mjs";
    const pool = new ProcessPoolExecutor({ maxWorkers: 1, onWorkerLost: "replace" });
    console.log(await pool.submit(gcd, 48, 36), await pool.submit(() => process.pid) !== process.pid);
    const queue = new Queue();
    await pool.submit((queue) => queue.putSync({ from: "there" }), queue);
    console.log(await queue.get());
    console.log(pool.submit(gcd, 10, 4).resultSync());
    console.log((await pool.submit(() => process.exit(5)).exception()).message.replace(/\\d+ exited/, "N exited"));
    console.log(await pool.submit(() => "replaced"));
    const ended = [() => process.exit(3), () => process.kill(process.pid, "SIGTERM"), () => 0];
    const processes = ended.map((target) => new Process({ target }));
    for (const process of processes) process.start();
    for (const process of processes) await process.join();
    console.log(processes.map(({ exitcode }) => exitcode));
    const limited = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { net: false } });
    console.log((await limited.submit(gcd, 2, 4).exception()).message.replace(/^.*Cannot start/, "Cannot start"));
    const elsewhere = new ProcessPoolExecutor({ maxWorkers: 1, env: { COLOUR: "blue" }, cwd: "/" });
    console.log(await elsewhere.submit(() => [process.env.COLOUR, process.cwd()]));
  `);
    assertEquals(lines, [
      "12 true",
      "{ from: 'there' }",
      "2",
      'Cannot finish task: worker "ProcessPoolExecutor-0_0" was lost: process N exited with code 5, as it called process.exit(5)',
      "replaced",
      "[ 3, -15, 0 ]",
      'Cannot start process: this runtime has no permissions, and "net" is to be limited; leave them out, or run the program with Deno',
      "[ 'blue', '/' ]",
    ]);
  },
);

test(
  "npm: a program on Node waits for the start of a process that is a daemon, and prints a thread's error once",
  OPTIONS,
  async () => {
    const { code, stdout, stderr } = await runModule(`
    import { Process, Thread } from "${NAME}";
    const process = new Process({ target: () => new Promise(() => {}), daemon: true });
    process.start();
    await process.started;
    console.log(process.pid > 0);
    const thread = new Thread({ target: () => { throw new RangeError("out of paper"); } });
    thread.start();
    await thread.join();
  `);
    assertEquals([code, stdout], [0, "true\n"]);
    assertEquals(stderr.match(/Exception in thread|RangeError: out of paper/g)?.length, 2, stderr);
  },
);

test(
  "npm: pools go on where a test runner has put other timers in place of Node's before the package is loaded",
  OPTIONS,
  async () => {
    const lines = await printed(`
    // As in a browser: a number, and here nothing comes of it.
    for (const name of ["setTimeout", "setInterval", "setImmediate"]) globalThis[name] = () => 1;
    for (const name of ["clearTimeout", "clearInterval", "queueMicrotask"]) globalThis[name] = () => {};
    Object.defineProperty(globalThis, "performance", { value: { timeOrigin: 0, now: () => 0 } });
    const { Event, ProcessPoolExecutor, ThreadPoolExecutor } = await import("${NAME}");
    const { gcd } = await import("./work.mjs");
    for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
      const pool = new Pool({ maxWorkers: 1 });
      const numbers = Array.from({ length: 5_000 }, (_, i) => i);
      const results = await Promise.all(numbers.map((n) => pool.submit(gcd, n, n)));
      const gate = new Event();
      const slow = pool.submit((gate) => gate.wait(), gate);
      console.log(results.length, (await slow.result({ timeout: 10 }).catch((error) => error)).name);
      gate.set();
      await pool.shutdown();
    }
  `);
    assertEquals(lines, ["5000 TimeoutError", "5000 TimeoutError"]);
  },
);

test(
  "npm: a program on Node that has what only browsers have starts workers",
  OPTIONS,
  async () => {
    const { write } = await made();
    const polyfills =
      "{ window: globalThis, document: {}, Worker: class {}, WorkerGlobalScope: class {} }";
    await write("polyfills.mjs", `Object.assign(globalThis, ${polyfills});`);
    const lines = await printed(
      `
      import { ProcessPoolExecutor, ThreadPoolExecutor } from "${NAME}";
      import { gcd } from "./work.mjs";
      for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
        console.log(await new Pool({ maxWorkers: 1 }).submit(gcd, 48, 36));
      }
      `,
      ["--import", "./polyfills.mjs"],
    );
    assertEquals(lines, ["12", "12"]);
  },
);

test(
  "npm: using works on Node in a realm without Symbol.dispose, as test runners make them",
  OPTIONS,
  async () => {
    const { write } = await made();
    await write(
      "using.mjs",
      `
    import { Lock, ThreadPoolExecutor } from "${NAME}";
    // As compilers find the methods.
    const known = (name) => Symbol[name] ?? Symbol.for("Symbol." + name);
    const lock = new Lock();
    const held = await lock.hold();
    held[known("dispose")]();
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const locked = await pool.submit((lock) => lock.locked(), lock);
    await pool[known("asyncDispose")]();
    const refused = await Promise.resolve().then(() => pool.submit(() => 1)).catch((error) => error.message);
    export const seen = [locked, refused];
  `,
    );
    const lines = await printed(
      `
    import { readFileSync } from "node:fs";
    import { createContext, runInContext, SourceTextModule } from "node:vm";

    /** Imports a module in a realm of its own. */
    async function load(url) {
      const names = ["AbortController", "AbortSignal", "DOMException", "MessageChannel", "URL", "performance", "process", "queueMicrotask", "structuredClone", "TextDecoder", "TextEncoder"];
      const context = createContext(Object.fromEntries(names.map((name) => [name, globalThis[name]])));
      const modules = new Map();
      const open = (name, { identifier }) => {
        const url = name.startsWith(".") ? new URL(name, identifier).href : import.meta.resolve(name);
        if (!modules.has(url)) {
          modules.set(url, new SourceTextModule(readFileSync(new URL(url), "utf8"), {
            identifier: url,
            context,
            initializeImportMeta: (meta) => meta.url = url,
            importModuleDynamically: async (name, from) => await run(open(name, from)),
          }));
        }
        return modules.get(url);
      };
      const run = async (module) => {
        if (module.status === "unlinked") await module.link(open);
        await module.evaluate();
        return module;
      };
      const { namespace } = await run(open(url, {}));
      return { namespace, Symbol: runInContext("Symbol", context) };
    }

    const { namespace: { seen } } = await load(import.meta.resolve("./using.mjs"));
    console.log(seen.join(", "));
    for (const entry of ["", "/executors", "/task", "/sync", "/queue", "/trace", "/telemetry"]) {
      const { namespace, Symbol } = await load("${NAME}" + entry);
      const misnamed = Object.values(namespace).filter((it) => it.prototype?.undefined);
      console.log(typeof Symbol.dispose, typeof Symbol.asyncDispose, misnamed);
    }
  `,
      ["--experimental-vm-modules"],
    );
    assertEquals(lines, [
      "false, Cannot submit to ThreadPoolExecutor-0: cannot schedule new futures after shutdown",
      ...Array(7).fill("symbol symbol []"),
    ]);
  },
);

test(
  "npm: an error on Node that nobody catches is told whole, and little else",
  OPTIONS,
  async () => {
    const { code, stderr } = await runModule(`
    import { ThreadPoolExecutor } from "${NAME}";
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.shutdown();
    pool.submit(() => 1);
  `);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "cannot schedule new futures after shutdown\n    at ");
    assert(stderr.length < 4_000, `${stderr.length} characters`);
  },
);

test(
  "npm: a Node that lacks what the package needs is told which ones have it",
  OPTIONS,
  async () => {
    const { write } = await made();
    await write("older.mjs", "delete process.getBuiltinModule;");
    const { code, stderr } = await runModule(
      `import "${NAME}";`,
      "on_older.mjs",
      ["--import", "./older.mjs"],
    );
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      "run it with Deno 2.9, Node 20.16 or 22.3 or later, or in a browser",
    );
  },
);

test("npm: the files for browsers say on Node that they are those", OPTIONS, async () => {
  const { code, stderr } = await runModule(`import "${NAME}";`, "wrong.mjs", ["-C", "browser"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "this is no browser, and its files for browsers were loaded");
});

test("npm: a program on Node whose folder was removed is told so", OPTIONS, async () => {
  const lines = await printed(`
    import { mkdirSync, rmdirSync } from "node:fs";
    import { ProcessPoolExecutor, ThreadPoolExecutor } from "${NAME}";
    mkdirSync("gone");
    process.chdir("gone");
    rmdirSync("../gone");
    for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
      const { message } = await new Pool({ maxWorkers: 1 }).submit(() => 1).exception();
      console.log(message.replace(/.*: /, ""));
    }
  `);
  assertEquals(lines, Array(2).fill("the folder that this program works in was removed"));
});

test(
  "npm: processes on Node begin with what is theirs, whatever options the program was started with",
  OPTIONS,
  async () => {
    const lines = await printed(
      `
    import { ProcessPoolExecutor } from "${NAME}";
    console.log(await new ProcessPoolExecutor({ maxWorkers: 1 }).submit(() => "here"));
  `,
      "--test-timeout 5000 --test-concurrency 1 --test-reporter spec --test-name-pattern x --inspect-port 0"
        .split(" "),
    );
    assertEquals(lines, ["here"]);
  },
);

test(
  "npm: processes on Node that work in another folder load what the program was started with",
  OPTIONS,
  async () => {
    const { write } = await made();
    await write(".env", "FROM_FILE=yes");
    await write("pre.mjs", "globalThis.isPreloaded = true;");
    await write("pre.cjs", "globalThis.isRequired = true;");
    const lines = await printed(
      `
    import { Process, ProcessPoolExecutor } from "${NAME}";
    const pool = new ProcessPoolExecutor({ maxWorkers: 1, cwd: "/" });
    const seen = () => [process.cwd(), process.env.FROM_FILE, globalThis.isPreloaded, globalThis.isRequired];
    console.log(await pool.submit(seen));
    const child = new Process({ target: () => console.log(process.cwd()), cwd: "node_modules" });
    child.start();
    await child.join();
  `,
      ["--env-file=.env", "--import", "./pre.mjs", "-r", "./pre.cjs"],
    );
    assertEquals(lines[0], "[ '/', 'yes', true, true ]");
    assertMatch(lines[1], /\/node_modules$/);
  },
);

test(
  "npm: a process on Node whose thread cannot be started fails, and says so",
  OPTIONS,
  async () => {
    const { folder, write } = await made();
    await write(
      "no_threads.mjs",
      `process.getBuiltinModule("node:worker_threads").Worker = class {
        constructor() {
          throw new Error("there are no threads left");
        }
      };`,
    );
    const { code, stdout, stderr } = await runModule(`
    import { Process, ProcessPoolExecutor } from "${NAME}";
    const env = { NODE_OPTIONS: "--import ${new URL("no_threads.mjs", folder)}" };
    const pool = new ProcessPoolExecutor({ maxWorkers: 1, env });
    console.log((await pool.submit(() => 1).exception()).message.replace(/.* exited/, "exited"));
    const child = new Process({ target: () => console.log("ran"), env });
    child.start();
    await child.join();
    console.log("exitcode", child.exitcode);
  `);
    assertEquals([code, stdout], [0, "exited with code 1\nexitcode 1\n"], stderr);
    assertEquals(stderr.match(/Error: there are no threads left/g)?.length, 2, stderr);
  },
);

test("npm: the worker program of a cluster says what it needs", OPTIONS, async () => {
  const { run } = await made();
  const { code, stderr } = await run("npx", ["concurrent-futures-worker", "--help"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "npm install bullmq ioredis");
});

test(
  "npm: on Node a thread that blocks hears of one of its own that was out of memory",
  OPTIONS,
  async () => {
    const { code, stdout, timedOut } = await runModule(
      `
    import { Event, Lock, Thread, ThreadPoolExecutor } from "${NAME}";
    const fill = () => {
      for (const all = [];;) all.push(new Array(1000).fill("x" + Math.random()));
    };
    const pool = () => new ThreadPoolExecutor({ maxWorkers: 1 });
    // This thread's event loop has not turned since the worker began.
    console.log(pool().submit(fill).exceptionSync().message);

    const thread = new Thread({ target: fill });
    thread.start();
    thread.joinSync();
    console.log(thread.isAlive());

    const [lock, taken, source] = [new Lock(), new Event(), String(fill)];
    pool().submit((lock, taken, source) => {
      lock.acquireSync();
      taken.set();
      (0, eval)(source)();
    }, lock, taken, source);
    await taken.wait();
    try {
      lock.acquireSync();
    } catch (error) {
      console.log(error.name);
    }
  `,
      undefined,
      ["--max-old-space-size=64"],
    );
    assertEquals([code, timedOut], [0, false]);
    const [first, ...rest] = stdout.trimEnd().split("\n");
    assertMatch(first, /-0_0" was lost: failed: it ended without a word, perhaps out of memory$/);
    assertEquals(rest, ["false", "OwnerDiedError"]);
  },
);

test(
  "npm: on Node a process pool works on, though the thread that served one before it ends while this one blocks",
  OPTIONS,
  async () => {
    const lines = await printed(`
    const threads = process.getBuiltinModule("node:worker_threads");
    const looks = [];
    let onLook = () => {};
    const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);

    // The threads that serve processes. A thread that blocks looks at its own by this, and sees so that one has ended.
    threads.Worker = class extends threads.Worker {
      constructor(...args) {
        super(...args);
        const key = Object.getOwnPropertySymbols(this).find((it) => it.description === "kHandle");
        const handle = this[key];
        const look = handle.loopIdleTime.bind(handle);
        const number = looks.push(look) - 1;
        handle.loopIdleTime = () => {
          const idleMs = look();
          onLook(number, idleMs);
          return idleMs;
        };
      }
    };

    const { Event, ProcessPoolExecutor } = await import("${NAME}");
    const answer = (onLooked) => {
      const gate = new Event();
      const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
      onLook = (number, idleMs) => onLooked(number, idleMs) && gate.set();
      console.log(pool.submit((gate) => gate.waitSync() ? "done" : "", gate).resultSync());
      pool.shutdownSync();
    };

    answer((_number, idleMs) => idleMs >= 0);
    let times = 0;
    answer((number) => {
      while (looks[0]() >= 0) pause();
      return number === 1 && ++times === 3;
    });
  `);
    assertEquals(lines, ["done", "done"]);
  },
);

test(
  "npm: a program on Node that was started in place of a child of its own is told so",
  OPTIONS,
  async () => {
    const { write } = await made();
    // What is loaded ahead runs in a child too, before what the child is started for.
    await write(
      "ahead.mjs",
      `
    import { isMainThread } from "node:worker_threads";
    import { ProcessPoolExecutor, ThreadPoolExecutor } from "${NAME}";
    const attempt = (when) => {
      try {
        new ProcessPoolExecutor({ maxWorkers: 1 });
      } catch (error) {
        console.log(when + ": " + error.message);
      }
    };
    if (isMainThread) {
      attempt("at once");
      await new ThreadPoolExecutor({ maxWorkers: 1 }).submit(() => 1);
      attempt("after a thread");
    }
  `,
    );
    const lines = await printed(
      `
    import { ProcessPoolExecutor } from "${NAME}";
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit(() => Object.keys(process.env).filter((name) => name.includes("FUTURES"))));
  `,
      ["--import", "./ahead.mjs"],
    );
    const refusal =
      "Cannot make ProcessPoolExecutor: a browser or a compiled program cannot start processes; use threads";
    assertEquals(lines, [`at once: ${refusal}`, `after a thread: ${refusal}`, "[]"]);
  },
);

test(
  "npm: a process on Node ends with the program that started it, though its task computes for ever",
  OPTIONS,
  async () => {
    const { stdout, signal } = await runModule(`
    import { Event, ProcessPoolExecutor } from "${NAME}";
    const pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    const begun = new Event();
    pool.submit((begun) => { begun.set(); for (;;); }, begun);
    await begun.wait();
    console.log(pool.pids[0]);
    process.kill(process.pid, "SIGKILL");
  `);
    assertEquals(signal, "SIGKILL");
    await assertDead([Number(stdout)], 5_000);
  },
);

test(
  "npm: threads of a program on Node that is run with --random-seed are told apart",
  OPTIONS,
  async () => {
    const { write } = await made();
    await write(
      "pools.mjs",
      `
    import { currentThread, task, Thread, ThreadPoolExecutor } from "${NAME}";
    export const where = task(import.meta, function where() {
      return currentThread().name;
    });
    export const submitTo = task(import.meta, async function submitTo(pool) {
      return await pool.submit(where);
    });
    export const submitToOwn = task(import.meta, async function submitToOwn() {
      // Like the program's, it is the first pool of its thread.
      const own = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "own" });
      await own.submit(submitTo, own);
    });
    export const pass = task(import.meta, function pass(barrier) {
      barrier.waitSync();
    });
    export const startThread = task(import.meta, async function startThread(barrier) {
      const thread = new Thread({ target: pass, args: [barrier] });
      thread.start();
      await thread.join();
    });
  `,
    );
    const lines = await printed(
      `
    import { Barrier, ThreadPoolExecutor } from "${NAME}";
    import { startThread, submitTo, submitToOwn } from "./pools.mjs";
    const pool = new ThreadPoolExecutor({ maxWorkers: 2, threadNamePrefix: "main" });
    await pool.submit(submitToOwn);
    console.log((await pool.submit(submitTo, pool)).split("_")[0]);
    const barrier = new Barrier(2);
    await Promise.all([pool.submit(startThread, barrier), pool.submit(startThread, barrier)]);
    console.log("both passed");
    process.exit(); // Its threads have pools of their own.
  `,
      ["--random-seed=1"],
    );
    assertEquals(lines, ["main", "both passed"]);
  },
);
