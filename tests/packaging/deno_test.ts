/**
 * The package on Deno where it is not a folder of modules: in a bundle, from another host, in a
 * compiled program.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, toFileUrl } from "@std/path";
import { servePages } from "../../tools/page_server.ts";
import { test } from "../_support/leaks.ts";
import { runCommand, runDeno, runProgram, type RunResult } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

const PROGRAM = new URL("_program.ts", import.meta.url);

/** What the program prints where everything works. */
const ALL = {
  inline: 42,
  task: 12,
  blocking: 12,
  lock: true,
  thread: 5,
  timer: 6,
  inlineInProcess: 42,
  taskInProcess: 12,
  exitcode: 0,
};

/** Each of these tests runs programs that start more; one of them first makes a program. */
const options = { timeout: 60_000 };

/** A folder outside of the repository, whose configuration does not apply there. */
async function temporaryFolder(): Promise<{ readonly url: URL } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "packaging" });
  return {
    url: toFileUrl(`${path}/`),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

function printed(result: RunResult): unknown {
  assertEquals([result.code, result.timedOut, result.stderr], [0, false, ""]);
  return JSON.parse(result.stdout);
}

async function bundle(program: URL, folder: URL, ...flags: string[]): Promise<string> {
  const output = fromFileUrl(new URL("bundle.js", folder));
  const args = ["bundle", "--quiet", ...flags, "-o", output, fromFileUrl(program)];
  const { code, stderr } = await runDeno(args);
  assertEquals(code, 0, stderr);
  return output;
}

for (const flags of [[], ["--minify"]]) {
  test(
    ["deno bundle", ...flags, "makes a file that has all that the package has"].join(" "),
    options,
    async () => {
      await using folder = await temporaryFolder();
      const file = await bundle(PROGRAM, folder.url, ...flags);
      const result = await runDeno(["run", "-A", "--no-config", file]);
      assertEquals(printed(result), ALL);
    },
  );
}

test("A thread's modules are not type-checked once more", options, async () => {
  await using folder = await temporaryFolder();
  const program = new URL("checked.ts", folder.url);
  // The program's own types do not matter here, so it imports by a name that the checker does not
  // follow.
  await Deno.writeTextFile(
    program,
    `const name = ${JSON.stringify(new URL("mod.ts", ROOT).href)};
    const { ThreadPoolExecutor } = await import(name);
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit((n: number) => n * 2, 21));
    await pool.shutdown();\n`,
  );
  // A cache of its own: what was checked once is not checked again.
  const env = { DENO_DIR: fromFileUrl(new URL("cache", folder.url)) };
  const args = ["run", "-A", "--no-config", "--check", fromFileUrl(program)];
  const { code, stdout, stderr } = await runDeno(args, { env });
  assertEquals([code, stdout.trim()], [0, "42"], stderr);
  assertEquals(stderr.match(/^Check /gm)?.length, 1, stderr);
});

test(
  "A bundle whose program does not ask for import.meta.main does not start workers without end",
  options,
  async () => {
    await using folder = await temporaryFolder();
    const program = new URL("unguarded.ts", folder.url);
    await Deno.writeTextFile(
      program,
      `import { ThreadPoolExecutor } from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
    console.error("begins");
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    console.log(await pool.submit((n: number) => n * 2, 21));
    await pool.shutdown();\n`,
    );
    const file = await bundle(program, folder.url);
    const { code, stdout, stderr } = await runDeno(["run", "-A", "--no-config", file]);
    assertEquals([code, stdout.trim()], [0, "42"]);
    // It prints this once in the program and once in its worker.
    assertEquals(stderr.match(/begins/g)?.length, 2);
  },
);

for (
  const [how, flags, besides] of [
    ["a file", ["-o", "dist/limited.js"], "NotCapable"],
    ["a folder of files", ["--code-splitting", "--outdir", "dist"], "beside"],
  ] as const
) {
  test(`A process of a bundle in ${how} may read that, and nothing else`, options, async () => {
    await using folder = await temporaryFolder();
    const write = (name: string, text: string): Promise<void> =>
      Deno.writeTextFile(new URL(name, folder.url), text);
    await Deno.mkdir(new URL("dist", folder.url));
    // Where the package itself has a folder, as seen from a module of its own.
    await Deno.mkdir(new URL("queue", folder.url));
    await write("queue/elsewhere", "elsewhere");
    await write("dist/beside", "beside");
    await write(
      "limited.ts",
      `import { ProcessPoolExecutor } from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
    if (import.meta.main) {
      await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions: { read: false } });
      const read = (path: string): string => {
        try {
          return Deno.readTextFileSync(path);
        } catch (error) {
          return (error as Error).name;
        }
      };
      for (const path of Deno.args) console.log(await pool.submit(read, path));
    }\n`,
    );
    const cwd = folder.url;
    const args = ["bundle", "--quiet", ...flags, "limited.ts"];
    const made = await runCommand(Deno.execPath(), args, { cwd });
    assertEquals(made.code, 0, made.stderr);
    const paths = ["dist/beside", "queue/elsewhere"].map((name) => fromFileUrl(new URL(name, cwd)));
    const program = fromFileUrl(new URL("dist/limited.js", cwd));
    const ended = await runDeno(["run", "-A", "--no-config", program, ...paths]);
    assertEquals([ended.code, ended.stderr], [0, ""]);
    assertEquals(ended.stdout, `${besides}\nNotCapable\n`);
  });
}

test("The package is imported over http with all that it has", options, async () => {
  await using folder = await temporaryFolder();
  const server = servePages({ root: ROOT });
  try {
    const { host } = new URL(server.url);
    const program = fromFileUrl(new URL("program.ts", folder.url));
    const source = await Deno.readTextFile(PROGRAM);
    await Deno.writeTextFile(program, source.replace("@concurrent/futures", `${server.url}mod.ts`));
    const flags = [`--allow-import=${host}`, "--allow-read", "--allow-run", "--allow-env"];
    const args = [
      "run",
      "--quiet",
      "--no-config",
      "--no-prompt",
      "--no-lock",
      ...flags,
      program,
    ];
    const env = { DENO_DIR: fromFileUrl(new URL("cache/", folder.url)) };
    assertEquals(printed(await runDeno(args, { env, timeoutMs: 45_000 })), ALL);
  } finally {
    await server.close();
  }
});

test("A compiled program refuses to start processes, as it would start itself", async () => {
  const { stdout } = await runProgram(`
    Deno.build = { ...Deno.build, standalone: true };
    const { ProcessPoolExecutor, Process } = await import("@concurrent/futures");
    for (const make of [() => new ProcessPoolExecutor(), () => new Process()]) {
      try {
        make();
      } catch (error) {
        console.log(error.name, error.message);
      }
    }
  `);
  const why = "a browser or a compiled program cannot start processes; use threads";
  assertStringIncludes(stdout, `RuntimeError Cannot make ProcessPoolExecutor: ${why}`);
  assertStringIncludes(stdout, `RuntimeError Cannot make Process: ${why}`);
});
