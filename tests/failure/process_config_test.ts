/**
 * Processes find modules as the program does: by its configuration, its package.json and its
 * command line.
 */

import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runCommand, runDeno } from "../_support/run.ts";
import { ROOT, type ScratchFolder, scratchFolder } from "../_support/scratch.ts";
import "../_support/processes.ts";
import { assertEndedWell } from "./_support.ts";

/** The entry of an import map for this package. */
const OURS = { "@concurrent/futures": new URL("mod.ts", ROOT).href };

for (const config of ["deno.json", "deno.jsonc"]) {
  for (const where of ["", "nested/"]) {
    test(`A task's module imports by the import map of the program's ${config}, from ${where || "its folder"}`, async () => {
      await using scratch = await scratchFolder();
      const imports = {
        ...OURS,
        "greeting": "./lib/greeting.ts",
      };
      await scratch.write(config, JSON.stringify({ imports }));
      await scratch.write("lib/greeting.ts", `export const greeting = "hello";`);
      await scratch.write(
        `${where}work.ts`,
        `
        import { task } from "@concurrent/futures";
        import { greeting } from "greeting";
        export const greet = task(import.meta, function greet(name: string): string {
          return greeting + " " + name;
        });
      `,
      );
      const main = await scratch.write(
        `${where}main.ts`,
        `
        import { Process, ProcessPoolExecutor } from "@concurrent/futures";
        import { greet } from "./work.ts";
        await using pool = new ProcessPoolExecutor({ maxWorkers: 1, cwd: "/" });
        console.log(await pool.submit(greet, "pool"));
        const process = new Process({
          target: async () => console.log((await import("greeting")).greeting),
          cwd: "/",
        });
        process.start();
        await process.join();
        console.log(process.exitcode);
      `,
      );
      const ended = await runDeno(["run", "--no-prompt", "--quiet", "-A", main]);
      assertEndedWell(ended, ["hello pool", "hello", "0"]);
    });
  }
}

/**
 * What a `package.json` determines about modules: other packages, the project's own names, and what
 * a `.js` file is.
 */
const PACKAGE = {
  type: "commonjs",
  imports: { "#own": "./lib/own.mts" },
  dependencies: { greeting: "1.0.0" },
};

/** Writes a project with a `package.json` and a package in `node_modules`; returns its program. */
async function writeProject(scratch: ScratchFolder, folder: string): Promise<string> {
  const modules = `${folder}node_modules/greeting/`;
  await scratch.write(`${folder}package.json`, JSON.stringify(PACKAGE));
  await scratch.write(`${modules}package.json`, `{ "name": "greeting", "version": "1.0.0" }`);
  await scratch.write(`${modules}index.js`, `module.exports = { greeting: "hello" };`);
  await scratch.write(`${folder}lib/own.mts`, `export const own = "own";`);
  await scratch.write(`${folder}common.js`, `exports.common = "common";`);
  await scratch.write(
    `${folder}tsconfig.json`,
    `{ "compilerOptions": { "jsx": "react", "jsxFactory": "list" } }`,
  );
  await scratch.write(
    `${folder}markup.tsx`,
    `
    const list = (...parts: unknown[]) => parts.filter((part) => part !== null).join("-");
    export const markup = <p>markup</p>;
  `,
  );
  await scratch.write(
    `${folder}work.mts`,
    `
    import { task } from "${new URL("executors/task_module.ts", ROOT)}";
    import { greeting } from "greeting";
    import { own } from "#own";
    import { common } from "./common.js";
    import { markup } from "./markup.tsx";
    export const greet = task(import.meta, function greet(): string {
      return [greeting, own, common, markup].join();
    });
  `,
  );
  return await scratch.write(
    `${folder}main.mts`,
    `
    import { ProcessPoolExecutor } from "${new URL("mod.ts", ROOT)}";
    import { greet } from "./work.mts";
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit(greet));
  `,
  );
}

/** Where the project is, and which other configurations are around it. */
const AROUND: [where: string, folder: string, others: Record<string, string>][] = [
  ["alone", "", {}],
  ["below a deno.json of others", "part/", {
    "deno.json": `{ "imports": { "greeting": "./no.ts" } }`,
  }],
  ["in a workspace of its kind", "part/", {
    "package.json": `{ "workspaces": ["part"], "type": "module" }`,
  }],
];

for (const [where, folder, others] of AROUND) {
  for (const flags of [["-A"], ["--allow-read", "--allow-run", "--allow-env"]]) {
    test(`A process finds what a package.json says, ${where}, with ${flags.join(" ")}`, async () => {
      await using scratch = await scratchFolder();
      for (const [name, text] of Object.entries(others)) await scratch.write(name, text);
      const main = await writeProject(scratch, folder);
      const ended = await runDeno(["run", "--no-prompt", "--quiet", ...flags, main]);
      assertEndedWell(ended, ["hello,own,common,p-markup"]);
    });
  }
}

test("A process is started where the program was told how node_modules is made", async () => {
  await using scratch = await scratchFolder();
  const main = await writeProject(scratch, "");
  const flags = ["--node-modules-dir=manual", "--unstable-detect-cjs"];
  const ended = await runDeno(["run", "--no-prompt", "--quiet", "-A", ...flags, main]);
  assertEndedWell(ended, ["hello,own,common,p-markup"]);
});

const PACKAGE_JSON = `{ "type": "module" }`;
const WORKSPACE = `{ "workspaces": ["part"] }`;

/**
 * The files in the folder above that of the program and its `package.json`, and which of the two
 * configurations the program must find. The last element is for the runtime itself.
 */
const ABOVE: [files: Record<string, string>, finds: "deno.json" | "package.json", env?: "1"][] = [
  [{ "deno.json": `{ "workspace": ["./part"] }` }, "deno.json"],
  [
    { "deno.jsonc": `{ /* all, */ "workspace": { "members": ["p*/"], }, // "these"\n }` },
    "deno.json",
  ],
  [{ "deno.json": `{}`, "package.json": WORKSPACE }, "deno.json"],
  [{ "deno.json": `{ "workspace": ["./other"] }` }, "package.json"],
  [{ "deno.json": `{ "tasks": { "workspace": "echo part" } }` }, "package.json"],
  [{ "deno.jsonc": `{ // "workspace": ["./part"]\n }` }, "package.json"],
  [{ "package.json": WORKSPACE }, "package.json"],
  [{ "deno.json": `{}` }, "package.json"],
  [{ "deno.json": `{}` }, "deno.json", "1"],
];

for (const [files, finds, env] of ABOVE) {
  const shown = JSON.stringify(files) + (env ? " and no package.json to be heeded" : "");
  test(`A program's configuration is found as its runtime finds it, below ${shown}`, async () => {
    await using scratch = await scratchFolder();
    for (const [name, text] of Object.entries(files)) await scratch.write(name, text);
    await scratch.write("part/package.json", PACKAGE_JSON);
    const main = await scratch.write(
      "part/main.ts",
      `
      import { findConfig } from "${new URL("_platform/deno_config.ts", ROOT)}";
      console.log(findConfig(import.meta.url));
    `,
    );
    const folder = main.replace("part/main.ts", "");
    const [above] = Object.keys(files).filter((name) => name.startsWith("deno"));
    const found = finds === "deno.json" ? above : "part/package.json";
    const variables = env === undefined ? {} : { env: { DENO_NO_PACKAGE_JSON: env } };
    const ended = await runDeno(["run", "--quiet", "-A", "--no-config", main], variables);
    assertEndedWell(ended, [`${folder}${found}`]);
  });
}

test("A process pool in a worker of the program's own has the program's configuration", async () => {
  await using scratch = await scratchFolder();
  await scratch.write("deno.json", JSON.stringify({ imports: OURS }));
  await scratch.write(
    "worker.ts",
    `
    import { ProcessPoolExecutor, task } from "@concurrent/futures";
    export const double = task(import.meta, function double(n: number): number {
      return 2 * n;
    });
    if (import.meta.main) {
      {
        await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
        console.log(await pool.submit(double, 21));
      }
      postMessage("done");
    }
  `,
  );
  const main = await scratch.write(
    "main.ts",
    `
    const worker = new Worker(import.meta.resolve("./worker.ts"), { type: "module" });
    worker.onmessage = () => worker.terminate();
  `,
  );
  assertEndedWell(await runDeno(["run", "--no-prompt", "--quiet", "-A", main]), ["42"]);
});

/** Command lines of tests, and others on which something stands before the program. */
const ARRANGED: readonly string[][] = [
  ["test", "main.ts", "--no-check", "-A", "--import-map", "map.json"],
  ["test", "-A", "--no-check", "--reporter", "dot", "--import-map", "map.json", "main.ts"],
  ["-q", "run", "-A", "--import-map", "map.json", "main.ts"],
  ["run", "-A", "-cmap.json", "main.ts"],
  ["run", "-qAc", "map.json", "main.ts"],
  ["run", "-Ac=map.json", "main.ts"],
  ["-Aqcmap.json", "main.ts"],
  ["run", "-AqL", "info", "--import-map", "map.json", "main.ts"],
  ["run", "-A", "--cpu-prof-dir", "prof", "--import-map", "map.json", "main.ts"],
  ["run", "-A", "--cpu-prof-name", "cpu", "--import-map", "map.json", "main.ts"],
  ["run", "-A", "--cpu-prof-interval", "1000", "--import-map", "map.json", "main.ts"],
  ["run", "-A", "--minimum-dependency-age", "P1D", "--import-map", "map.json", "main.ts"],
];

for (const args of ARRANGED) {
  const name = `A process is started with what the program was told by deno ${args.join(" ")}`;
  test(name, { ignore: Deno.build.os !== "linux" }, async () => {
    await using scratch = await scratchFolder();
    await scratch.write("map.json", JSON.stringify({ imports: OURS }));
    // Without this file, the repository's would be found.
    await scratch.write("deno.json", "{}");
    const main = await scratch.write(
      "main.ts",
      `
      import { ProcessPoolExecutor, task } from "@concurrent/futures";
      export const double = task(import.meta, function double(n: number): number {
        return 2 * n;
      });
      async function run(): Promise<void> {
        await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
        if (await pool.submit(double, 21) !== 42) throw new Error("another number");
      }
      if (Deno.args.length > 0) throw new Error("no arguments were given");
      if (import.meta.main) await run();
      else if (!("WorkerGlobalScope" in globalThis)) Deno.test("in a test", run);
    `,
    );
    const cwd = main.replace("main.ts", "");
    const { code, stdout, stderr } = await runCommand(Deno.execPath(), args, { cwd });
    assertEquals(code, 0, stdout + stderr);
  });
}

test("A process is not started with what a program that is read from standard input was told", async () => {
  await using scratch = await scratchFolder();
  const imports = {
    ...OURS,
    "greeting": "./greeting.ts",
  };
  const config = await scratch.write("deno.json", JSON.stringify({ imports }));
  await scratch.write("greeting.ts", `export const greeting = "hello";`);
  const stdin = `
    import { ProcessPoolExecutor } from "@concurrent/futures";
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit(async () => (await import("greeting")).greeting), Deno.args.join());
  `;
  const cwd = config.replace("deno.json", "");
  const args = ["run", "--quiet", "-A", "-", "--no-config"];
  const ended = await runCommand(Deno.execPath(), args, { cwd, stdin });
  assertEndedWell(ended, ["hello --no-config"]);
});

/** What a process must find on the program's command line. */
const COMMAND_LINES: [options: string[], says: string][] = [
  [["--import-map", "../other/map.json"], "hello undefined"],
  [["--import-map=../other/map.json", "--unstable-kv"], "hello function"],
  [["-c", "../other/deno.json"], "hello undefined"],
  [["--config=../other/deno.json", "--cached-only", "--no-lock"], "hello undefined"],
  [["--no-config", "--import-map", "../other/map.json"], "hello undefined"],
];

for (const [options, says] of COMMAND_LINES) {
  const name = `A process is started with the program's own ${options.join(" ")}`;
  test(name, { ignore: Deno.build.os !== "linux" }, async () => {
    await using scratch = await scratchFolder();
    const imports = {
      ...OURS,
      "greeting": "../greeting.ts",
    };
    // The configuration that is found by default lacks what the task's module imports.
    const found = JSON.stringify({ imports: { "greeting": "./nowhere.ts" } });
    await scratch.write("program/deno.json", found);
    await scratch.write("other/map.json", JSON.stringify({ imports }));
    await scratch.write("other/deno.json", JSON.stringify({ imports }));
    await scratch.write("greeting.ts", `export const greeting = "hello";`);
    await scratch.write(
      "program/work.ts",
      `
      import { task } from "@concurrent/futures";
      import { greeting } from "greeting";
      export const greet = task(import.meta, function greet(): string {
        return greeting + " " + typeof Deno.openKv;
      });
    `,
    );
    const main = await scratch.write(
      "program/main.ts",
      `
      import { ProcessPoolExecutor } from "@concurrent/futures";
      import { greet } from "./work.ts";
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, cwd: "/" });
      console.log(await pool.submit(greet), Deno.args.join());
    `,
    );
    // Arguments after the program are its own.
    const args = [
      "run",
      "-A",
      "--quiet",
      ...options,
      "main.ts",
      "--import-map=mine",
      "--no-config",
    ];
    const cwd = main.replace("main.ts", "");
    const ended = await runCommand(Deno.execPath(), args, { cwd });
    assertEndedWell(ended, [`${says} --import-map=mine,--no-config`]);
  });
}
