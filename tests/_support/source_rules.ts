/**
 * The rules that the source keeps, each as a function from files to the violations found in them.
 */

/** A source file: its path from the repository's root, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Folders of the package, each of which may import from itself and from those before it. */
export const LAYERS: readonly string[] = [
  "_platform",
  "_memory",
  "sync",
  "queue",
  "executors",
  "progress",
];

/** What a folder may import from other packages. The core has no dependency. */
const DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  "progress": ["cli-progress"],
  "executors/cluster": ["bullmq", "ioredis"],
};

/** The folder that a path begins with, or `""` for a file at the root. */
function layerOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

/** A file at the root (`mod.ts`) may import from everywhere. */
function rankOf(path: string): number {
  const layer = layerOf(path);
  return layer === "" ? LAYERS.length : LAYERS.indexOf(layer);
}

/** Whether the path is source of the package, as opposed to its tests, tools and examples. */
export function isPackageSource(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(path) && rankOf(path) >= 0;
}

/**
 * The text with comments blanked out, and the contents of strings too unless they are to be kept.
 * Line breaks stay, so that line numbers remain right. Code inside `${}` is code.
 */
export function codeOnly(text: string, options: { keepStrings?: boolean } = {}): string {
  const blank = (part: string) => part.replace(/[^\n]/g, " ");
  const string = (part: string) => {
    return options.keepStrings ? part : part[0] + blank(part.slice(1, -1)) + part.at(-1);
  };
  /** For each open template: how many braces are open inside its `${}`. */
  const templates: number[] = [];
  let out = "";
  let i = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = i;
    return pattern.exec(text)?.[0];
  };
  /** From the backtick or the `}` at `i` to the next `${` or the closing backtick. */
  const takeTemplate = () => {
    const part = take(/[`}](?:\\[^]|\$(?!\{)|[^\\`$])*(?:`|\$\{)/y) ?? text.slice(i);
    if (part.endsWith("${")) templates.push(0);
    out += options.keepStrings ? part : blank(part);
    i += part.length;
  };
  while (i < text.length) {
    const char = text[i];
    const comment = char === "/" ? take(/\/\/[^\n]*|\/\*[^]*?\*\//y) : undefined;
    const regex = char === "/" && mayStartRegex(out)
      ? take(/\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y)
      : undefined;
    const quoted = char === '"' || char === "'"
      ? take(/"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'/y)
      : undefined;
    if (comment !== undefined) {
      out += blank(comment);
      i += comment.length;
    } else if (quoted !== undefined) {
      out += string(quoted);
      i += quoted.length;
    } else if (regex !== undefined) {
      out += blank(regex);
      i += regex.length;
    } else if (char === "`") {
      takeTemplate();
    } else if (char === "}" && templates.at(-1) === 0) {
      templates.pop();
      takeTemplate();
    } else {
      if (templates.length > 0) {
        if (char === "{") templates[templates.length - 1]!++;
        if (char === "}") templates[templates.length - 1]!--;
      }
      out += char;
      i++;
    }
  }
  return out;
}

/** Whether a `/` after this code begins a regular expression and is no division. */
function mayStartRegex(before: string): boolean {
  return /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|throw|await|yield))\s*$/
    .test(before.slice(-40));
}

/** `path:line` of an offset in a file. */
function place(file: SourceFile, index: number): string {
  return `${file.path}:${file.text.slice(0, index).split("\n").length}`;
}

const GLOBALS = "Deno|Bun|process|navigator|Worker|SharedWorker";

/** Uses of a runtime's globals, and imports of its modules, outside of `_platform/`. */
export function findRuntimeGlobals(files: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  const uses = new RegExp(
    `(?<![\\w$.#])(?:(Deno|Bun|process|navigator)\\s*(?:\\?\\.|\\.|\\[)|new\\s+(Worker|SharedWorker)\\b|` +
      `(?:globalThis|self)\\s*(?:\\?\\.|\\.)\\s*(${GLOBALS})\\b)`,
    "g",
  );
  for (const file of files) {
    if (!isPackageSource(file.path) || layerOf(file.path) === "_platform") continue;
    const code = codeOnly(file.text);
    for (const match of code.matchAll(uses)) {
      const local = match[1] ?? match[2];
      if (local !== undefined && declares(code, local)) continue;
      problems.push(`${place(file, match.index)} names the runtime global ${local ?? match[3]}`);
    }
    for (const { specifier, index } of importsOf(file)) {
      if (/^(?:node|bun|npm):/.test(specifier)) {
        problems.push(`${place(file, index)} imports "${specifier}"`);
      }
    }
  }
  return problems;
}

/**
 * Whether the code has a variable, parameter, class or import of that name, which hides the global.
 */
function declares(code: string, name: string): boolean {
  return new RegExp(
    `\\b(?:const|let|var|class|function)\\s+${name}\\b|` +
      `\\bimport\\b[^;]*\\b${name}\\b|[({,]\\s*(?:\\.\\.\\.)?${name}\\??\\s*(?:[:,)}=]|$)`,
    "m",
  ).test(code);
}

/** Uses of `Atomics` outside of the one file that may use it. */
export function findAtomics(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => isPackageSource(file.path) && file.path !== "_platform/atomics.ts")
    .flatMap((file) =>
      [...codeOnly(file.text).matchAll(/\bAtomics\b/g)].map((match) =>
        `${place(file, match.index)} uses Atomics`
      )
    );
}

/** An import of a file: what it names, and where. */
interface Import {
  readonly specifier: string;
  readonly index: number;
  /**
   * Whether the import loads the file, so that it must exist for this one to compile, as opposed to
   * naming its address.
   */
  readonly loads: boolean;
  /** Whether it is an `import type` or `export type`, of which nothing is left at run time. */
  readonly typeOnly: boolean;
}

/** Every import, re-export, dynamic import, and address made from `import.meta`. */
function importsOf(file: SourceFile): Import[] {
  const code = codeOnly(file.text, { keepStrings: true });
  const outside = codeOnly(file.text);
  const pattern =
    /\bfrom\s*(["'])(.+?)\1|\bimport\s*\(?\s*(["'])(.+?)\3|\b(?:new URL|import\.meta\.resolve)\(\s*(["'])(\.{1,2}\/.+?)\5/g;
  return [...code.matchAll(pattern)]
    // A program inside a string has imports too; they are not this file's.
    .filter((match) => /\S/.test(outside[match.index]!))
    .map((match) => ({
      specifier: (match[2] ?? match[4] ?? match[6])!,
      index: match.index,
      loads: match[6] === undefined,
      typeOnly: match[2] !== undefined && isTypeOnly(outside.slice(0, match.index)),
    }));
}

/** Whether the last statement of this code begins with `import type` or `export type`. */
function isTypeOnly(before: string): boolean {
  const start = Math.max(before.lastIndexOf("import "), before.lastIndexOf("export "));
  return /^\w+\s+type\s+[{*\w]/.test(before.slice(start));
}

/** The path from the root that a relative specifier in a file leads to. */
function follow(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function isRelative(specifier: string): boolean {
  return /^\.{1,2}\//.test(specifier);
}

/** Imports from a layer into a later one. */
export function findUpwardImports(files: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  for (const file of files.filter((file) => isPackageSource(file.path))) {
    for (const { specifier, index } of importsOf(file)) {
      if (!isRelative(specifier)) continue;
      const target = follow(file.path, specifier);
      if (isPackageSource(target) && rankOf(target) <= rankOf(file.path)) continue;
      problems.push(`${place(file, index)} imports ${target}, which ${layerOf(file.path)} may not`);
    }
  }
  return problems;
}

/** Imports of other packages that the folder may not import. */
export function findDependencies(files: readonly SourceFile[]): string[] {
  return files.filter((file) => isPackageSource(file.path)).flatMap((file) => {
    const allowed = DEPENDENCIES[file.path.slice(0, file.path.lastIndexOf("/"))] ?? [];
    return importsOf(file)
      .filter(({ specifier }) => !isRelative(specifier) && !specifier.startsWith("node:"))
      .filter(({ specifier }) => !allowed.includes(specifier))
      .map(({ specifier, index }) => `${place(file, index)} depends on "${specifier}"`);
  });
}

/** Relative imports of files that do not exist. */
export function findMissingImports(
  files: readonly SourceFile[],
  exists: (path: string) => boolean,
): string[] {
  return files.filter((file) => /\.[cm]?[jt]s$/.test(file.path)).flatMap((file) =>
    importsOf(file)
      .filter(({ specifier, loads }) => loads && isRelative(specifier))
      .filter(({ specifier }) => !exists(follow(file.path, specifier)))
      .map(({ specifier, index }) => `${place(file, index)} imports "${specifier}": no such file`)
  );
}

/** Cycles of imports that exist at run time, each once, as `a.ts -> b.ts -> a.ts`. */
export function findImportCycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.filter((file) => isPackageSource(file.path)).map((file) => [
      file.path,
      importsOf(file)
        .filter(({ specifier, loads, typeOnly }) => loads && !typeOnly && isRelative(specifier))
        .map(({ specifier }) => follow(file.path, specifier)),
    ]),
  );
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}

/** Absolute paths of a particular machine, in any file. */
export function findMachinePaths(files: readonly SourceFile[]): string[] {
  const pattern = /(?<![\w.$~}@-])(?:file:\/\/)?\/(?:home|root|work|Users)\/[\w.-]+/g;
  return files.flatMap((file) =>
    [...file.text.matchAll(pattern)].map((match) => `${place(file, match.index)} names ${match[0]}`)
  );
}

/** Entry points of the configuration that the documentation lint does not cover. */
export function findUnlintedEntries(config: {
  exports: Record<string, string>;
  tasks: Record<string, { command: string }>;
}): string[] {
  const command = config.tasks["doc-lint"]?.command.split(/\s+/) ?? [];
  return Object.values(config.exports)
    .map((entry) => entry.replace(/^\.\//, ""))
    .filter((entry) => !command.includes(entry))
    .map((entry) => `task doc-lint does not name ${entry}`);
}
