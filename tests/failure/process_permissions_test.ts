/**
 * What child processes may do, where they work, and what they know of the program's surroundings.
 */

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  BrokenProcessPool,
  type Executor,
  NotShareableError,
  Process,
  ProcessPoolExecutor,
  Queue,
  tasks,
  ThreadPoolExecutor,
  type ThreadPoolOptions,
} from "@concurrent/futures";
import { dirname, fromFileUrl, toFileUrl } from "@std/path";
import { relative } from "node:path";
import { test } from "../_support/leaks.ts";
import { runCommand, runProgram } from "../_support/run.ts";
import { ROOT, scratchFolder } from "../_support/scratch.ts";
import { stateOf } from "../_support/processes.ts";
import { assertEndedWell, errorOf } from "./_support.ts";
import * as tags from "../../_memory/tags.ts";
import { UP } from "../../executors/_process_protocol.ts";
import { KIND, PLACE } from "../../executors/_protocol.ts";
import config from "../../deno.json" with { type: "json" };

type Kind = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi" | "import";
const KINDS: readonly Kind[] = ["read", "write", "net", "env", "run", "sys", "ffi", "import"];

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, false]));

/** A pool of a process that may do nothing, and is replaced when it ends. */
function confined(): ProcessPoolExecutor {
  return new ProcessPoolExecutor({
    maxWorkers: 1,
    onWorkerLost: "replace",
    permissions: NOTHING,
  });
}

/**
 * Tries something that needs a permission, and returns how it failed, or `"ok"`. It is sent as its
 * source text: this module cannot be read where nothing may be read.
 */
async function attempt(kind: Kind, argument: string): Promise<string> {
  const acts: Record<Kind, () => unknown> = {
    read: () => Deno.readTextFileSync(argument),
    write: () => Deno.writeTextFileSync(argument, "written"),
    net: () => Deno.listen({ hostname: argument, port: 0 }).close(),
    env: () => Deno.env.get(argument),
    run: () => new Deno.Command(argument, { stdout: "null" }).outputSync(),
    sys: () => argument === "hostname" ? Deno.hostname() : Deno.osRelease(),
    ffi: () => Deno.dlopen(argument, {}).close(),
    import: () => import(argument),
  };
  try {
    await acts[kind]();
    return "ok";
  } catch (error) {
    const { name, message } = error as Error;
    // An import shows this only in the text of its error.
    return /Requires import access/.test(message) ? "NotCapable" : name;
  }
}

/** The states of the permissions in the process that runs it. */
function states(): Record<string, string> {
  const kinds = ["read", "write", "net", "env", "run", "sys", "ffi", "import"];
  return Object.fromEntries(
    kinds.map((name) =>
      [name, Deno.permissions.querySync({ name } as Deno.PermissionDescriptor).state] as const
    ),
  );
}

/** One use for each kind of permission. */
const USES: Record<Kind, string> = {
  read: "/etc/hostname",
  write: "/dev/null",
  net: "127.0.0.1",
  env: "HOME",
  run: "true",
  sys: "hostname",
  ffi: "/nowhere.so",
  import: "https://host.invalid/module.ts",
};

for (const kind of KINDS) {
  test(`ProcessPoolExecutor: permissions: { ${kind}: false } takes that away and nothing else`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { [kind]: false } });
    assertEquals(await pool.submit(attempt, kind, USES[kind]), "NotCapable");
    const expected = Object.fromEntries(KINDS.map((name) => [name, "granted"]));
    assertEquals(await pool.submit(states), { ...expected, [kind]: "prompt" });
  });
}

test("ProcessPoolExecutor works with no permission at all, shared objects included", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: NOTHING });
  for (const kind of KINDS) {
    assertEquals([kind, await pool.submit(attempt, kind, USES[kind])], [kind, "NotCapable"]);
  }
  const queue = new Queue<number>();
  await pool.submit((queue: Queue<number>) => queue.put(6 * 7), queue);
  assertEquals(queue.getNowait(), 42);
});

test("a process with no permission at all hears tasks that come one by one from its wire", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: NOTHING });
  const idOf = async (futures: string): Promise<number> => (await import(futures)).taskContext().id;
  const futures = import.meta.resolve("@concurrent/futures");
  const endMs = performance.now() + 20_000;
  while (performance.now() < endMs) {
    // Tasks that came by the wire have numbers of their own range.
    if (await pool.submit(idOf, futures) % 2 ** 32 >= 2 ** 31) return;
  }
  throw new Error("none came by the wire");
});

/** Writes words into the channel between the process and the program, and may not return then. */
async function say(words: number[], stays: boolean): Promise<string> {
  const { Socket } = await import("node:net");
  const bytes = new Uint8Array(Int32Array.from(words).buffer);
  const socket = new Socket({ fd: 4 });
  await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
  if (stays) await new Promise(() => {});
  return "said";
}

/** A frame with one record, whose payload are words. */
function frame(type: number, a: number, b: number, ...words: number[]): number[] {
  const record = [type, a, b, 0, PLACE.INLINE, 0, 4 * words.length, 0, ...words];
  const padded = record.length % 2 === 0 ? record : [...record, 0];
  return [8 + 4 * padded.length, 0, ...padded];
}

/** A frame with the mail of a thread other than the worker. */
function byLine(line: number, frame: number[]): number[] {
  return frame.with(5, line);
}

const NO_MAIL = 99;
const NO_TASK = 77;

/** What the package does not say, and what the error of the process's task says of it. */
const NONSENSE: [name: string, words: number[], says: string][] = [
  ["a frame of no length", [0, 0, 0, 0], "Cannot read frame"],
  [
    "a record that is longer than its frame",
    [40, 0, 0, 0, 0, 0, 0, 0, 800, 0],
    "Cannot read frame",
  ],
  ["an unknown record", frame(NO_MAIL, 0, 0), "none is of type 99"],
  ["unknown mail", frame(UP.MAIL, NO_MAIL, 0, tags.NULL), "none is of kind 99"],
  ["mail that is too long", frame(UP.MAIL, KIND.PROGRESS, 0, ...Array(600).fill(0)), "no record"],
  ["a task back that it does not have", frame(UP.RETURNED, NO_TASK, 0), "Cannot find task 77"],
  ["the outcome of a task that it does not have", frame(UP.MAIL, KIND.RESULT, NO_TASK), "task 77"],
  ["a report that is none", frame(UP.MAIL, KIND.RAN, 0, tags.NULL), "TypeError"],
  [
    "the error of an initializer that it does not have",
    frame(UP.MAIL, KIND.INITIALIZER_FAILED, 0, tags.NULL),
    "no initializer is running",
  ],
  [
    "a call by a line that was not opened",
    byLine(7, frame(UP.MAIL, KIND.CALL, 0, tags.NULL)),
    "Cannot find line 7",
  ],
  ["the end of its worker's line", frame(UP.LINE_ENDED, 0, 0), "Cannot find line 0"],
  ["its worker's line", frame(UP.LINE_OPENED, 0, 0, tags.LATIN1), "Cannot open line 0"],
  ["a line of no name", frame(UP.LINE_OPENED, 1, 0, tags.NULL), "Cannot open line 1"],
];

for (const [name, words, says] of NONSENSE) {
  test(`A process that sends ${name} is killed, and no other is`, { timeout: 20_000 }, async () => {
    await using other = new ProcessPoolExecutor({ maxWorkers: 1 });
    await using pool = confined();
    const [pid] = [await pool.submit(() => Deno.pid), await other.submit(() => Deno.pid)];
    const error = await errorOf(pool.submit(say, words, true));
    assertInstanceOf(error, BrokenProcessPool);
    assertStringIncludes(
      error.message,
      `process ${pid} was ended by SIGKILL, as it sent what cannot be understood: `,
    );
    assertStringIncludes(error.message, says);
    assertEquals(await pool.submit(() => "replaced"), "replaced");
    assertEquals([other.stats().lost, await other.submit(() => "alive")], [0, "alive"]);
  });
}

/** Writes words into the channel once they arrive, and returns before that. */
async function sayLater(queue: Queue<number[]>): Promise<number> {
  const { Socket } = await import("node:net");
  const socket = new Socket({ fd: 4 });
  queue.get().then((words) => socket.write(new Uint8Array(Int32Array.from(words).buffer)));
  return Deno.pid;
}

test(
  "A process that sends the outcome of a task before its arguments is killed, and no other is",
  { timeout: 60_000 },
  async () => {
    await using other = new ProcessPoolExecutor({ maxWorkers: 1 });
    await using pool = confined();
    const queue = new Queue<number[]>();
    const [pid] = [await pool.submit(sayLater, queue), await other.submit(() => Deno.pid)];
    // The arguments are too large for shared memory: this thread will be asked for them.
    const future = pool.submit((bytes: Uint8Array) => bytes.length, new Uint8Array(257 << 20));
    queue.putNowait(frame(UP.MAIL, KIND.RESULT, 0, tags.NULL));
    // It is asked, and cannot answer, as its event loop does not turn.
    const endMs = performance.now() + 10_000;
    while (stateOf(pid) !== undefined && performance.now() < endMs);
    const error = await errorOf(future);
    assertStringIncludes(error.message, `process ${pid} was ended by SIGKILL`);
    assertStringIncludes(error.message, "Cannot find task 0: the process has not been sent it");
    assertEquals(await pool.submit(() => "replaced"), "replaced");
    assertEquals([other.stats().lost, await other.submit(() => "alive")], [0, "alive"]);
  },
);

/** Mail of a known kind that is not of its form: it concerns none but the process. */
const FORMLESS: [kind: keyof typeof KIND, ...words: number[]][] = [
  ["SUBMIT", tags.NULL],
  ["SUBMIT", tags.ARRAY],
  ["BLOCK", tags.NULL],
  ["TAKEN", tags.NULL],
  ["YIELDED", tags.NULL],
  ["CANCEL", tags.NULL],
];

test("Mail of a process that has not its form harms nobody", { timeout: 20_000 }, async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: NOTHING });
  const mail = FORMLESS.flatMap(([kind, ...words]) => frame(UP.MAIL, KIND[kind], 0, ...words));
  assertEquals(await pool.submit(say, mail, false), "said");
  assertEquals(await pool.submit(() => "alive"), "alive");
});

/** The payload of a set with more values than there are. */
const UNREADABLE = [tags.SET | tags.LONG << 8, -2];

test("Mail of a process that cannot be read is no outcome", { timeout: 20_000 }, async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, permissions: NOTHING });
  const queue = new Queue<string>();
  const other = pool.submit((queue: Queue<string>) => queue.get(), queue);
  const mail = [KIND.BLOCK, KIND.CANCEL, KIND.TAKEN].flatMap((kind) =>
    [0, 1].flatMap((task) => frame(UP.MAIL, kind, task, ...UNREADABLE))
  );
  assertEquals(await pool.submit(say, mail, false), "said");
  queue.putNowait("value");
  assertEquals(await other, "value");
});

test(
  "Mail about a task that its process does not have is dropped",
  { timeout: 20_000 },
  async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 2, permissions: NOTHING });
    const queue = new Queue<string>();
    const other = pool.submit((queue: Queue<string>) => queue.get(), queue);
    const mail = [0, 1].flatMap((task) => [
      ...frame(UP.MAIL, KIND.PROGRESS, task, tags.INT24 | 1 << 8),
      ...frame(UP.MAIL, KIND.PROGRESS, task, tags.NULL),
    ]);
    const saying = pool.submit(say, mail, false);
    assertEquals(await saying, "said");
    // What is no number is no progress of the task that the process has, either.
    assertEquals([other.progress, saying.progress], [0, 1]);
    queue.putNowait("value");
    assertEquals(await other, "value");
  },
);

test(
  "An error of an initializer that cannot be read breaks its pool",
  { timeout: 20_000 },
  async () => {
    const mail = frame(UP.MAIL, KIND.INITIALIZER_FAILED, 0, ...UNREADABLE);
    await using pool = new ProcessPoolExecutor({
      maxWorkers: 1,
      initializer: say,
      initargs: [mail, true],
      permissions: NOTHING,
    });
    await assertRejects(
      () => pool.submit(() => 1).result(),
      BrokenProcessPool,
      "its initializer failed: NotShareableError: Cannot receive value: ",
    );
    pool.killWorkers();
  },
);

/** The payload of a list of the greatest length that has no items. */
const ENDLESS = [tags.ARRAY_SPARSE, -1, tags.DICTIONARY];

/** What no chunk of two calls returns. */
const OUTCOMES: [name: string, value: number[]][] = [
  ["null", [tags.NULL]],
  [
    "one with more errors than calls",
    [tags.ARRAY | 3 << 8, tags.INT24, tags.ARRAY | 2 << 8, tags.NULL, tags.NULL, ...ENDLESS],
  ],
];

for (const [name, value] of OUTCOMES) {
  test(
    `The outcome of a process's calls fails them if it is ${name}`,
    { timeout: 20_000 },
    async () => {
      await using pool = confined();
      const task = 0;
      const words = frame(UP.MAIL, KIND.RESULT, task, ...value);
      const outcomes = pool.map(say, [words, words], [true, true], { chunksize: 2 });
      await assertRejects(() => Array.fromAsync(outcomes), TypeError, "it is not that of a chunk");
      pool.killWorkers();
    },
  );
}

test("A process that blocks for an endless list blocks nobody", { timeout: 20_000 }, async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 2, permissions: NOTHING });
  const sayAfterSubmit = async (pool: Executor, words: number[]): Promise<string> => {
    await pool.submit(() => 1);
    const { Socket } = await import("node:net");
    const socket = new Socket({ fd: 4 });
    const bytes = new Uint8Array(Int32Array.from(words).buffer);
    await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    return "said";
  };
  const words = frame(UP.MAIL, KIND.BLOCK, 0, ...ENDLESS);
  assertEquals(await pool.submit(sayAfterSubmit, pool, words), "said");
  assertEquals(await pool.submit(() => "alive"), "alive");
});

test(
  "A process cannot make the program read more than it has sent",
  { timeout: 20_000 },
  async () => {
    await using pool = confined();
    const task = 0;
    const words = frame(UP.MAIL, KIND.RESULT, task, ...UNREADABLE);
    await assertRejects(
      () => pool.submit(say, words, true).result(),
      NotShareableError,
      "Cannot decode: a length of 4294967294 is more than there is",
    );
    pool.killWorkers();
  },
);

test("A process that may read nothing else reads every entry of the package", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { read: false } });
  const load = async (entry: string): Promise<void> => void await import(entry);
  for (const entry of Object.values(config.exports)) {
    await pool.submit(load, new URL(entry, ROOT).href);
  }
});

test("ProcessPoolExecutor: lists of permissions allow what they name", async () => {
  await using scratch = await scratchFolder();
  const file = await scratch.write("readable.txt", "text");
  const folder = file.slice(0, file.lastIndexOf("/"));
  await using pool = new ProcessPoolExecutor({
    maxWorkers: 1,
    permissions: {
      read: [new URL(`file://${folder}/`)],
      write: [`${folder}/written.txt`],
      net: ["127.0.0.1"],
      env: ["HOME", "LANG"],
      run: ["true"],
      sys: ["hostname"],
      ffi: [folder],
      import: ["example.com"],
    },
  });
  const outcome = async (kind: Kind, ...args: string[]): Promise<string[]> =>
    await Promise.all(args.map((argument) => pool.submit(attempt, kind, argument)));
  assertEquals(await outcome("read", file, "/etc/hostname"), ["ok", "NotCapable"]);
  assertEquals(await outcome("write", `${folder}/written.txt`, `${folder}/other.txt`), [
    "ok",
    "NotCapable",
  ]);
  assertEquals(await Deno.readTextFile(`${folder}/written.txt`), "written");
  assertEquals(await outcome("net", "127.0.0.1", "0.0.0.0"), ["ok", "NotCapable"]);
  assertEquals(await outcome("env", "HOME", "PATH"), ["ok", "NotCapable"]);
  assertEquals(await outcome("run", "true", "false"), ["ok", "NotCapable"]);
  assertEquals(await outcome("sys", "hostname", "osRelease"), ["ok", "NotCapable"]);
  // The library does not exist; where it may not even be looked for, the call is refused.
  assertEquals(await outcome("ffi", `${folder}/no.so`, "/nowhere.so"), ["Error", "NotCapable"]);
  assertEquals(await outcome("import", "https://host.invalid/module.ts"), ["NotCapable"]);
});

/** One of the hosts from which the runtime lets every program import that does not name others. */
const DEFAULT_HOST = "https://jsr.io/nothing.ts";

for (const list of [false, [], ["host.invalid"]]) {
  test(`A process with { import: ${JSON.stringify(list)} } imports from none of the runtime's own hosts`, async () => {
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { import: list } });
    assertEquals(await pool.submit(attempt, "import", DEFAULT_HOST), "NotCapable");
  });
}

/** Flags of a program; whether it imports from the runtime's own hosts, and so its processes. */
const IMPORTS: [flags: string[], state: string][] = [
  [[], "granted"],
  [["--allow-import=host.invalid"], "prompt"],
];

for (const [flags, state] of IMPORTS) {
  test(`A process imports from the runtime's own hosts as its program does: ${flags}`, async () => {
    const ended = await runProgram(
      `
      import { ProcessPoolExecutor } from "@concurrent/futures";
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
      const state = () =>
        Deno.permissions.querySync({ name: "import", host: "jsr.io:443" }).state;
      console.log(state(), await pool.submit(state));
    `,
      { permissions: ["--allow-read", "--allow-run", "--allow-env", ...flags] },
    );
    assertEndedWell(ended, [`${state} ${state}`]);
  });
}

test("A process that may not read the module of its task says so, and what to do", async () => {
  await using scratch = await scratchFolder();
  const path = await scratch.write("work.ts", "export const one = () => 1;");
  const { one } = tasks<{ one(): number }>(toFileUrl(path).href);
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { read: [] } });
  const { message } = await errorOf(pool.submit(one));
  assertStringIncludes(message, "Requires read access");
  assertStringIncludes(message, "name its folder in the pool's permissions");
});

test("A process may not do what is denied to this one", async () => {
  const ended = await runProgram(
    `
    import { ProcessPoolExecutor } from "@concurrent/futures";
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    const read = () => {
      try {
        return Deno.readTextFileSync("/etc/hostname").length;
      } catch (error) {
        return error.name;
      }
    };
    console.log(read(), await pool.submit(read));
  `,
    { permissions: ["-A", "--deny-read=/etc/hostname"] },
  );
  assertEndedWell(ended, ["NotCapable NotCapable"]);
});

/**
 * What is denied to a program, what it would allow a process, and what is said to that: `granted`
 * if the process gets it.
 */
const DENIED: [flag: string, kind: Kind, item: string, says: string][] = [
  ["--deny-net=127.0.0.1:1", "net", "127.0.0.1:2", "granted"],
  ["--deny-net=127.0.0.1:1", "net", "127.0.0.1:1", 'no permission "net" for "127.0.0.1:1" itself'],
  ["--deny-net=127.0.0.1:1", "net", "127.0.0.1", '"127.0.0.1" may include it; name each host with'],
  ["--deny-net=127.0.0.1", "net", "127.0.0.0/8", '"127.0.0.0/8" may include it'],
  ["--deny-net=[::1]:1", "net", "[::1]:2", "granted"],
  ["--deny-net=[::1]:1", "net", "[::1]", '"[::1]" may include it'],
  ["--deny-import=example.com:1", "import", "example.com", '"example.com" may include it'],
  ["--deny-env=FUTURES_X", "env", "FUTURES_Y", "granted"],
  ["--deny-env=FUTURES_X", "env", "FUTURES_*", '"FUTURES_*" may include it; name each variable'],
  ["--deny-env=OTHER", "net", "127.0.0.1", "granted"],
  ["--deny-read=/etc/hostname", "read", "/etc", 'no permission "read" for "/etc" itself'],
];

for (const [flag, kind, item, says] of DENIED) {
  const outcome = says === "granted" ? "is allowed" : "is refused";
  test(`A process of a program with ${flag} ${outcome} { ${kind}: ["${item}"] }`, async () => {
    const scope = kind === "env" ? "variable" : "host";
    const ended = await runProgram(
      `
      import { ProcessPoolExecutor } from "@concurrent/futures";
      const [kind, scope, item] = ${JSON.stringify([kind, scope, item])};
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { [kind]: [item] } });
      const future = pool.submit((what) => Deno.permissions.querySync(what).state, { name: kind, [scope]: item });
      console.log((await future.exception())?.message ?? await future);
    `,
      { permissions: ["-A", flag] },
    );
    assertEquals([ended.code, ended.stderr], [0, ""]);
    assertStringIncludes(ended.stdout, says);
  });
}

test("A process does not get all permissions, of each in full, from a program that has some", async () => {
  const permissions = JSON.stringify(Object.fromEntries(KINDS.map((kind) => [kind, true])));
  const ended = await runProgram(
    `
    import { ProcessPoolExecutor } from "@concurrent/futures";
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: ${permissions} });
    console.log((await pool.submit(() => 1).exception())?.cause.message);
  `,
    { permissions: ["--allow-read", "--allow-run", "--allow-env"] },
  );
  assertEndedWell(ended, [
    'Cannot start process: this process has no permission "write" in full itself; run the program with it, or leave it out',
  ]);
});

test("A process gets no more permissions than the test that asks for it, though others got more before", async () => {
  await using scratch = await scratchFolder();
  const imports = { "@concurrent/futures": new URL("mod.ts", ROOT).href };
  await scratch.write("deno.json", JSON.stringify({ imports }));
  const path = await scratch.write(
    "limited_test.ts",
    `
    import { ProcessPoolExecutor } from "@concurrent/futures";
    const net = () => Deno.permissions.querySync({ name: "net" }).state;
    const attempt = async (): Promise<string> => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
      const future = pool.submit(net);
      return (await future.exception())?.message ?? await future;
    };
    const permit = (permissions: Deno.PermissionOptionsObject, expected: string): void =>
      Deno.test({ name: expected, permissions, fn: async () => {
        const outcome = await attempt();
        if (!outcome.includes(expected)) throw new Error(outcome);
      } });
    // Keeps the thread that serves processes, which was started with all permissions.
    const keeper = new ProcessPoolExecutor({ maxWorkers: 1 });
    await keeper.submit(net);
    permit({ read: true, run: true, env: true, net: true }, "granted");
    permit({ read: true, run: true, env: true }, "prompt");
    permit({ read: true, env: true }, "is not permitted; run the program with --allow-run");
    Deno.test.afterAll(() => keeper.shutdown());
  `,
  );
  const args = ["test", "-A", "--no-check", "limited_test.ts"];
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args, { cwd: dirname(path) });
  assertEquals(code, 0, stdout + stderr);
  assertStringIncludes(stdout, "3 passed");
});

test("Paths of permissions are those of this process, wherever the process works", async () => {
  await using scratch = await scratchFolder();
  const folder = dirname(await scratch.write("note.txt", "there"));
  const here = relative(Deno.cwd(), fromFileUrl(ROOT)) || ".";
  const permissions = { read: [`${here}/deno.json`] };
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, cwd: folder, permissions });
  assertEquals(await pool.submit(attempt, "read", fromFileUrl(new URL("deno.json", ROOT))), "ok");
  assertEquals(await pool.submit(attempt, "read", `${folder}/note.txt`), "NotCapable");
});

test("Paths of permissions are completed when the pool or Process is made, and stay so", async () => {
  await using scratch = await scratchFolder();
  const folder = dirname(dirname(await scratch.write("one/file", "")));
  await scratch.write("two/file", "");
  const ended = await runProgram(
    `
    import { Process, ProcessPoolExecutor } from "@concurrent/futures";
    const states = (folder: string): string =>
      ["one", "two"].map((path) => [
        Deno.permissions.querySync({ name: "read", path: folder + "/" + path }).state,
        Deno.permissions.querySync({ name: "run", command: folder + "/" + path + "/file" }).state,
      ]).join();
    const print = (folder: string, states: string): void => console.log(eval(states)(folder));
    const [folder] = Deno.args;
    Deno.chdir(folder + "/one");
    const permissions = { read: ["."], run: ["./file"] };
    const cwd = folder + "/two";
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions, cwd });
    const process = new Process({ target: print, args: [folder, String(states)], permissions, cwd });
    Deno.chdir("../two");
    console.log(await pool.submit(states, folder));
    process.start();
    await process.join();
  `,
    { args: [folder] },
  );
  assertEndedWell(ended, Array(2).fill("granted,granted,prompt,prompt"));
});

test("ProcessPoolExecutor and Process refuse at once permissions that there are none of", () => {
  const WRONG: [permissions: unknown, says: string][] = [
    [{ reading: false }, 'there is no permission "reading"; the kinds are read, write, net, env,'],
    [{ read: true, hrtime: true }, 'there is no permission "hrtime"'],
    ["none", "permissions must be an object that says of each kind what is allowed"],
    [null, "permissions must be an object that says of each kind what is allowed"],
    [{ read: "/tmp" }, 'permission "read" must be a boolean or a list, got "/tmp"'],
    [{ net: null }, 'permission "net" must be a boolean or a list, got null'],
    [{ net: [5] }, 'permission "net" must list strings and URLs, got 5'],
    [{ run: ["git", null] }, 'permission "run" must list strings and URLs, got null'],
  ];
  for (const [wrong, says] of WRONG) {
    const permissions = wrong as object;
    assertThrows(() => new ProcessPoolExecutor({ permissions }), TypeError, `make pool: ${says}`);
    assertThrows(() => new Process({ permissions }), TypeError, `make Process: ${says}`);
  }
});

test("ThreadPoolExecutor refuses permissions, which threads cannot have less of", () => {
  const options = { permissions: { read: false } } as ThreadPoolOptions;
  assertThrows(() => new ThreadPoolExecutor(options), TypeError, "use a ProcessPoolExecutor");
});

test("ProcessPoolExecutor says what is wrong with the path of a permission", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { read: ["/a,b"] } });
  const error = await errorOf(pool.submit(() => 1));
  assertInstanceOf(error, BrokenProcessPool);
  assertThrows(() => pool.submit(() => 1), BrokenProcessPool, '"/a,b" has a comma');
  assertInstanceOf(error.cause, TypeError);
  assertStringIncludes(error.cause.message, '"/a,b" has a comma');
});

// Where child processes work, and what they know

test("ProcessPoolExecutor and Process refuse at once an env or a cwd that cannot be one", () => {
  const WRONG: [options: Record<string, unknown>, says: string][] = [
    [{ env: ["A=1"] }, "env must be an object of variables, such as"],
    [
      { env: "A=1" },
      'env must be an object of variables, such as { LEVEL: "debug" }, got a string',
    ],
    [{ env: null }, "env must be an object of variables, such as"],
    [{ env: { "": "x" } }, 'a name in env must not be empty, nor contain "=" or NUL, got ""'],
    [
      { env: { "A=B": "x" } },
      'a name in env must not be empty, nor contain "=" or NUL, got "A=..."',
    ],
    [{ cwd: new URL("file:///") }, "cwd must be the path of a folder, got URL"],
  ];
  for (const [options, says] of WRONG) {
    assertThrows(() => new ProcessPoolExecutor(options), TypeError, `make pool: ${says}`);
    assertThrows(() => new Process(options), TypeError, `make Process: ${says}`);
  }
});

test("ProcessPoolExecutor: env and cwd are those of the processes", async () => {
  await using scratch = await scratchFolder();
  const folder = (await scratch.write("file.txt", "")).replace("/file.txt", "");
  const before = [Deno.env.get("FUTURES_TEST"), Deno.cwd()];
  await using pool = new ProcessPoolExecutor({
    maxWorkers: 1,
    env: { FUTURES_TEST: "a=b c\n" },
    cwd: folder,
  });
  const seen = await pool.submit(() => [
    Deno.env.get("FUTURES_TEST"),
    Deno.env.get("HOME"),
    Deno.cwd(),
  ]);
  assertEquals(seen, ["a=b c\n", Deno.env.get("HOME"), await Deno.realPath(folder)]);
  assertEquals([Deno.env.get("FUTURES_TEST"), Deno.cwd()], before);

  await using plain = new ProcessPoolExecutor({ maxWorkers: 1 });
  const [cwd, path] = await plain.submit(() => [Deno.cwd(), Deno.env.get("PATH")]);
  assertEquals([cwd, path], [Deno.cwd(), Deno.env.get("PATH")]);
});

for (
  const flags of [
    ["--allow-env=FUTURES_TEST,FUTURES_UNSET,NODE_V8_COVERAGE"],
    ["-A", "--deny-env=FUTURES_DENIED"],
  ]
) {
  test(`A process gets the variables that its permissions name, of a program with ${flags.join(" ")}`, async () => {
    const program = `
      import { ProcessPoolExecutor } from "@concurrent/futures";
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { env: ["FUTURES_TEST", "FUTURES_UNSET"] } });
      console.log(await pool.submit(() => [Deno.env.get("FUTURES_TEST"), Deno.env.get("FUTURES_UNSET")].join()));
    `;
    const permissions = ["--allow-read", "--allow-run", ...flags]
      .filter((flag) => !flags.includes("-A") || !/^--allow/.test(flag));
    const env = { FUTURES_TEST: "told", FUTURES_DENIED: "denied" };
    assertEndedWell(await runProgram(program, { permissions, env }), ["told,"]);
  });
}

test("A process has the time zone and the language of a program that may read only what tells them", async () => {
  const program = `
    import { ProcessPoolExecutor } from "@concurrent/futures";
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    const about = (): string =>
      new Date(0).getHours() + " " + new Intl.NumberFormat().resolvedOptions().locale;
    console.log(about());
    console.log(await pool.submit(about));
  `;
  const permissions = ["--allow-read", "--allow-run", "--allow-env=TZ,LC_ALL,NODE_V8_COVERAGE"];
  const env = { TZ: "Asia/Tokyo", LC_ALL: "de_DE.UTF-8" };
  assertEndedWell(await runProgram(program, { permissions, env }), ["9 de-DE", "9 de-DE"]);
});

test("ProcessPoolExecutor is broken when its cwd does not exist", async () => {
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, cwd: "/nowhere/at/all" });
  const error = await errorOf(pool.submit(() => 1));
  assertInstanceOf(error, BrokenProcessPool);
  assertStringIncludes(error.message, "Cannot start process: ");
  assertStringIncludes(error.message, '"/nowhere/at/all"');
});

test("ProcessPoolExecutor says that the program's folder was removed, unless it can do without", async () => {
  await using scratch = await scratchFolder();
  const folder = dirname(await scratch.write("gone/file", ""));
  const ended = await runProgram(
    `
    import { ProcessPoolExecutor } from "@concurrent/futures";
    const attempt = async (cwd?: string): Promise<void> => {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, cwd });
      const future = pool.submit(() => Deno.cwd());
      console.log((await future.exception())?.message.replace(/.*: /, "") ?? await future);
    };
    const folder = Deno.cwd();
    Deno.chdir(Deno.args[0]);
    Deno.removeSync(Deno.args[0], { recursive: true });
    await attempt("/");
    Deno.chdir(folder);
    await using keeper = new ProcessPoolExecutor({ maxWorkers: 1 });
    await keeper.submit(() => 1);
    Deno.mkdirSync(Deno.args[0]);
    Deno.chdir(Deno.args[0]);
    Deno.removeSync(Deno.args[0]);
    await attempt("/");
    await attempt();
  `,
    { args: [folder] },
  );
  const removed = "the folder that this program works in was removed";
  assertEndedWell(ended, [removed, "/", removed]);
});

test("ProcessPoolExecutor and Process say why the system does not start a process", async () => {
  const env = { FUTURES_TEST: "x".repeat(300_000) };
  await using pool = new ProcessPoolExecutor({ maxWorkers: 1, env });
  const error = await errorOf(pool.submit(() => 1));
  assertInstanceOf(error, BrokenProcessPool);
  assertStringIncludes(error.message, "Argument list too long");
  const process = new Process({ env });
  process.start();
  await assertRejects(async () => await process.started, Error, "Argument list too long");
  await process.join();
  assertEquals(process.exitcode, 127);
});

// What the program itself needs

const POOL = `
import { ProcessPoolExecutor } from "@concurrent/futures";
const pool = new ProcessPoolExecutor({ maxWorkers: 1, env: { FUTURES_TEST: "1" } });
const error = await pool.submit(() => 6 * 7).exception();
if (error === null) {
  console.log(await pool.submit(${states}).then((found) => Object.keys(found).filter((kind) => found[kind] === "granted").join()));
  console.log(await pool.submit(() => Deno.permissions.querySync({ name: "run" }).state));
} else console.log(error.name, error.message);
await pool.shutdown();
`;

const RUNTIME = Deno.execPath();
const REPOSITORY = fromFileUrl(ROOT);

const ENOUGH: [flags: string[], granted: string][] = [
  [["--allow-run", "--allow-env", "--allow-read"], "read,env,run"],
  [[`--allow-run=${RUNTIME}`, "--allow-env", `--allow-read=${REPOSITORY}`], "env"],
  [[`--allow-run=${RUNTIME}`, "--allow-env=NODE_V8_COVERAGE", `--allow-read=${REPOSITORY}`], ""],
];

for (const [flags, granted] of ENOUGH) {
  const shown = flags.map((flag) => flag.replace(/=\/.*/, "=...")).join(" ");
  test(`A program has a process pool with ${shown}, whose processes get no more than it has`, async () => {
    const ended = await runProgram(POOL, { permissions: flags });
    const run = flags.includes("--allow-run") ? "granted" : "prompt";
    assertEndedWell(ended, [granted, run]);
  });
}

for (
  const [missing, flags, says] of [
    ["--allow-run", ["--allow-env", "--allow-read"], "--allow-run"],
    ["--allow-env", ["--allow-run", "--allow-read"], "--allow-env"],
    ["--allow-read", ["--allow-run", "--allow-env"], "--allow-read"],
  ] as const
) {
  test(`A process pool says that it needs ${missing}`, async () => {
    const { code, stdout, stderr } = await runProgram(POOL, { permissions: [...flags] });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "BrokenProcessPool");
    assertStringIncludes(stdout, "Cannot start ");
    assertStringIncludes(stdout, `run the program with `);
    assertStringIncludes(stdout, says);
  });
}
