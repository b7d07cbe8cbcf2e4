import { assertEquals } from "@std/assert";
import { fromFileUrl, relative } from "@std/path";
import { test } from "./_support/leaks.ts";
import { ROOT } from "./_support/scratch.ts";
import {
  codeOnly,
  findAtomics,
  findDependencies,
  findImportCycles,
  findMachinePaths,
  findMissingImports,
  findRuntimeGlobals,
  findUnlintedEntries,
  findUpwardImports,
  type SourceFile,
} from "./_support/source_rules.ts";
import config from "../deno.json" with { type: "json" };

const SKIPPED = new Set([".git", "node_modules", "coverage", ".tmp"]);
const BUILT = new URL("npm/", ROOT).href;
const TEXT = /(?:\.(?:[cm]?[jt]s|json|md|sh|ya?ml)|\/run)$/;

async function readTree(folder: URL): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (SKIPPED.has(entry.name)) continue;
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (url.href === BUILT) continue;
    if (entry.isDirectory) files.push(...await readTree(url));
    else if (entry.isFile && TEXT.test(url.pathname)) {
      const path = relative(fromFileUrl(ROOT), fromFileUrl(url)).replaceAll("\\", "/");
      files.push({ path, text: await Deno.readTextFile(url) });
    }
  }
  return files;
}

const files = await readTree(ROOT);

function one(path: string, text: string): SourceFile[] {
  return [{ path, text }];
}

test("the source names runtime globals in _platform/ only", () => {
  assertEquals(findRuntimeGlobals(files), []);
});

test("the source uses Atomics in _platform/atomics.ts only", () => {
  assertEquals(findAtomics(files), []);
});

test("imports go one way", () => {
  assertEquals(findUpwardImports(files), []);
});

test("nothing but progress/ and executors/cluster/ depends on another package", () => {
  assertEquals(findDependencies(files), []);
});

test("imports have no cycle", () => {
  assertEquals(findImportCycles(files), []);
});

test("every relative import exists", () => {
  const paths = new Set(files.map((file) => file.path));
  assertEquals(findMissingImports(files, (path) => paths.has(path)), []);
});

test("no file names a path of one machine", () => {
  assertEquals(findMachinePaths(files), []);
});

test("the documentation lint covers every entry point", () => {
  assertEquals(findUnlintedEntries(config), []);
});

test("findRuntimeGlobals finds each global and spares comments, strings and own names", () => {
  const find = (text: string) => findRuntimeGlobals(one("sync/a.ts", text)).length;
  assertEquals(find("Deno.pid"), 1);
  assertEquals(find("process?.pid"), 1);
  assertEquals(find("`a ${Deno.pid} b`"), 1);
  assertEquals(find("new Worker(url)"), 1);
  assertEquals(find("globalThis.Deno"), 1);
  assertEquals(find('import { cpus } from "node:os";'), 1);
  assertEquals(find("// Deno.pid\n/** process.pid */\nf('Deno.pid', `Deno.pid`);"), 0);
  assertEquals(find("const process = start();\nprocess.pid;"), 0);
  assertEquals(find("this.process.pid; a.Deno.b;"), 0);
  assertEquals(findRuntimeGlobals(one("_platform/deno.ts", "Deno.pid")), []);
  assertEquals(findRuntimeGlobals(one("bench/a.ts", "Deno.pid")), []);
});

test("findAtomics finds a use outside of its file", () => {
  assertEquals(findAtomics(one("sync/a.ts", "\nAtomics.load(a, 0)")), ["sync/a.ts:2 uses Atomics"]);
  assertEquals(findAtomics(one("sync/a.ts", "// Atomics.load(a, 0)")), []);
  assertEquals(findAtomics(one("_platform/atomics.ts", "Atomics.load(a, 0)")), []);
});

test("findUpwardImports finds an import of a later layer and of what is not published", () => {
  const find = (path: string, from: string) =>
    findUpwardImports(one(path, `import { a } from "${from}";`)).length;
  assertEquals(find("sync/a.ts", "../queue/b.ts"), 1);
  assertEquals(find("_memory/a.ts", "../tests/b.ts"), 1);
  assertEquals(find("_platform/a.ts", "../mod.ts"), 1);
  assertEquals(find("executors/a.ts", "../_platform/b.ts"), 0);
  assertEquals(find("queue/a.ts", "./b.ts"), 0);
  assertEquals(find("executors/a.ts", "../progress/b.ts"), 1);
  assertEquals(find("progress/a.ts", "../executors/b.ts"), 0);
});

test("findDependencies finds an import of a package where there may be none", () => {
  const find = (path: string, from: string) =>
    findDependencies(one(path, `import { a } from "${from}";`)).length;
  assertEquals(find("sync/a.ts", "fast-check"), 1);
  assertEquals(find("executors/a.ts", "cli-progress"), 1);
  assertEquals(find("progress/a.ts", "fast-check"), 1);
  assertEquals(find("mod.ts", "jsr:@std/path"), 1);
  assertEquals(find("executors/a.ts", "bullmq"), 1);
  assertEquals(find("progress/a.ts", "cli-progress"), 0);
  assertEquals(find("executors/cluster/a.ts", "bullmq"), 0);
  assertEquals(find("_platform/a.ts", "node:os"), 0);
  assertEquals(find("sync/a.ts", "./b.ts"), 0);
  assertEquals(find("tests/a.ts", "fast-check"), 0);
});

test("findImportCycles finds a cycle and spares a diamond", () => {
  const file = (path: string, ...imports: string[]) => ({
    path,
    text: imports.map((to) => `export * from "./${to}";`).join("\n"),
  });
  assertEquals(
    findImportCycles([
      file("sync/a.ts", "b.ts"),
      file("sync/b.ts", "c.ts"),
      file("sync/c.ts", "b.ts"),
    ]),
    ["sync/b.ts -> sync/c.ts -> sync/b.ts"],
  );
  assertEquals(
    findImportCycles([
      file("sync/a.ts", "b.ts", "c.ts"),
      file("sync/b.ts", "d.ts"),
      file("sync/c.ts", "d.ts"),
      file("sync/d.ts"),
    ]),
    [],
  );
});

test("findImportCycles spares a cycle of types and finds one of values beside types", () => {
  const back = (text: string) =>
    findImportCycles([
      { path: "sync/a.ts", text: 'import { b } from "./b.ts";' },
      { path: "sync/b.ts", text },
    ]).length;
  assertEquals(back('import type { A } from "./a.ts";'), 0);
  assertEquals(back('export type * from "./a.ts";'), 0);
  assertEquals(back('import { type A, a } from "./a.ts";'), 1);
  assertEquals(back('import type { C } from "../c.ts";\nimport { a } from "./a.ts";'), 1);
});

test("findMissingImports finds an import of no file, and spares one inside a string", () => {
  const exists = (path: string) => path === "sync/b.ts";
  const find = (text: string) => findMissingImports(one("sync/a.ts", text), exists);
  assertEquals(find('import "./b.ts";\nimport { c } from "./c.ts";'), [
    'sync/a.ts:2 imports "./c.ts": no such file',
  ]);
  assertEquals(find('const program = `import "./c.ts";`;'), []);
});

test("findMachinePaths finds a home and a work folder and spares addresses", () => {
  const find = (text: string) => findMachinePaths(one("README.md", text)).length;
  // Assembled here, so that this file does not contain such a path.
  for (const folder of ["home", "root", "work", "Users"]) {
    assertEquals(find(`see /${folder}/` + "someone"), 1);
  }
  assertEquals(find("example.com/" + "home/page"), 0);
});

test("findUnlintedEntries finds an entry point that no lint looks at", () => {
  const found = findUnlintedEntries({
    exports: { ".": "./mod.ts", "./sync": "./sync/mod.ts" },
    tasks: { "doc-lint": { command: "deno doc --lint mod.ts" } },
  });
  assertEquals(found, ["task doc-lint does not name sync/mod.ts"]);
});

test("codeOnly blanks comments, strings and regular expressions, and keeps code and lines", () => {
  assertEquals(codeOnly("a // b\nc"), "a     \nc");
  assertEquals(codeOnly("a /* b\n*/ c"), "a     \n   c");
  assertEquals(codeOnly('f("// no", x)'), 'f("     ", x)');
  assertEquals(codeOnly('f(\'//\', "a\\"b")', { keepStrings: true }), 'f(\'//\', "a\\"b")');
  assertEquals(codeOnly('x = /[/"]`/; y').trimEnd(), "x =        ; y");
  assertEquals(codeOnly("a / b / c"), "a / b / c");
  assertEquals(codeOnly("`a${ { b: `${c}` } }d` // e").replace(/\s+/g, ""), "{b:c}");
});
