/**
 * How a function is named across a boundary.
 *
 * A function marked with `task` crosses as module URL and name, as with Python's pickle. Any other
 * crosses as its source text, and must then be self-contained.
 *
 * A marked function is looked up among those that its module has marked, and then among the
 * module's exports. In a bundle only the former counts: there a file holds many modules, a minifier
 * has removed or changed the functions' names, and the exports are gone. But sender and receiver
 * run the same file, which marks the same functions in the same order. The order tells apart
 * functions of the same name and the same text, such as those that another function has made.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { isBundled, isForPages } from "../_platform/entry.ts";
import { NotShareableError } from "../sync/errors.ts";
import { compilerHelpers } from "./_compiler_helpers.ts";
import { ownOrigin } from "./_origin.ts";
import { STARTS_WHILE_LOADING } from "./_thread_self.ts";

/** A marked function as it crosses. */
export interface ModuleTarget {
  readonly kind: "module";
  readonly url: string;
  readonly name: string;
  /** The function's source text, unless the mark is a reference. */
  readonly text?: string;
  /**
   * Set if its file has marked others of that name and text: its position among them, in the order
   * in which they were marked.
   */
  readonly nth?: number;
  /** Set if its file has marked others of that name. */
  readonly hasNamesakes?: boolean;
  /**
   * The name that the function may have where its file was compiled in another way; it is used where
   * there is no other.
   */
  readonly stem?: string;
}

/** A function as it crosses. */
export type Target =
  | ModuleTarget
  | { readonly kind: "source"; readonly text: string; readonly name: string };

/** Any function. */
export type AnyFunction = (...args: never[]) => unknown;

/**
 * The property under which a marked function keeps its module and name; shared with a second copy
 * of the package.
 */
export const TASK: unique symbol = Symbol.for("@concurrent/futures.task");

/** What {@linkcode TASK} holds. */
export interface TaskMark {
  readonly url: string;
  readonly name: string;
  /** Whether the marked function only stands for the real one; see `tasks`. */
  readonly isReference?: boolean;
}

const MARKED: unique symbol = Symbol.for("@concurrent/futures.marked");

/**
 * Functions of one name by their texts; those of one text in the order in which they were marked.
 */
type Namesakes = Map<string, AnyFunction[]>;

/**
 * The marked functions of this thread, by the address of their file and their names; shared with a
 * second copy of the package.
 */
const marked: Map<string, Namesakes> =
  (globalThis as { [MARKED]?: Map<string, Namesakes> })[MARKED] ??= new Map();

/** The most functions of one name and text that are kept, so that they can be told apart. */
const MOST_ALIKE = 1000;

function keyOf({ url, name }: TaskMark): string {
  return `${name} ${url}`;
}

function textOf(fn: AnyFunction): string {
  return Function.prototype.toString.call(fn);
}

/** Marks a function, so that it crosses by module URL and name. */
export function mark(fn: AnyFunction, by: TaskMark): void {
  Object.defineProperty(fn, TASK, { value: by, configurable: true });
  const key = keyOf(by);
  let namesakes = marked.get(key);
  if (namesakes === undefined) marked.set(key, namesakes = new Map());
  const text = textOf(fn);
  const alike = namesakes.get(text);
  if (alike === undefined) namesakes.set(text, [fn]);
  else if (alike.length < MOST_ALIKE && !alike.includes(fn)) alike.push(fn);
}

/** The marked function that a target names, if this thread has it. */
function findMarked({ url, name, text, nth, hasNamesakes }: ModuleTarget): AnyFunction | undefined {
  const namesakes = marked.get(keyOf({ url, name }));
  const alike = text === undefined ? undefined : namesakes?.get(text);
  // The sender may have run the file, or the code that marks the function, more often than this
  // thread.
  if (alike !== undefined) return alike[(nth ?? 0) % alike.length];
  return hasNamesakes ? undefined : onlyOne(namesakes);
}

/** The marked function that a target names, if a compiler has changed its name at the sender. */
function findRenamed({ url, stem }: ModuleTarget): AnyFunction | undefined {
  return stem === undefined ? undefined : onlyOne(marked.get(keyOf({ url, name: stem })));
}

/**
 * The name that a function had before esbuild, and so Vitest up to version 3, changed it: it makes
 * `function f2` of the function in `const f = task(import.meta, function f() {})`. A worker may
 * import the file as it is. `undefined` if there was no such name, or if it is another function's.
 */
function stemOf({ url, name }: TaskMark): string | undefined {
  const stem = /^(.+)[2-9]$/.exec(name)?.[1];
  return stem === undefined || marked.has(keyOf({ url, name: stem })) ? undefined : stem;
}

/** The only function of its name; `undefined` if there are several. */
function onlyOne(namesakes: Namesakes | undefined): AnyFunction | undefined {
  if (namesakes?.size !== 1) return undefined;
  const [alike] = namesakes.values();
  return alike.length === 1 ? alike[0] : undefined;
}

function moduleTarget(fn: AnyFunction, by: TaskMark): ModuleTarget {
  const { url, name, isReference } = by;
  // Bundles in a format other than ES modules have an empty `import.meta`.
  if (typeof url !== "string") {
    throw new NotShareableError(
      `Cannot send task "${name}": its module does not know its own address; build it as an ES module`,
    );
  }
  if (isReference) return { kind: "module", url, name };
  const text = textOf(fn);
  const namesakes = marked.get(keyOf(by));
  const alike = namesakes?.get(text);
  // `fn` is a proxy of a marked function: it has no source text of its own.
  if (alike === undefined) return { kind: "module", url, name };
  if (onlyOne(namesakes) === fn) return { kind: "module", url, name, text, stem: stemOf(by) };
  const hasNamesakes = true;
  if (alike.length === 1) return { kind: "module", url, name, text, hasNamesakes };
  const nth = alike.indexOf(fn);
  if (nth < 0) {
    throw new NotShareableError(
      `Cannot send task "${name}": its module has marked more than ${MOST_ALIKE} functions of the same name and text; name each of them: task(import.meta, fn, name)`,
    );
  }
  return { kind: "module", url, name, text, nth, hasNamesakes };
}

/** The mark of a function, if it has one. */
export function markOf(fn: AnyFunction): TaskMark | undefined {
  return (fn as { [TASK]?: TaskMark })[TASK];
}

const GENERATOR = /GeneratorFunction\]$/;
const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;

/**
 * How `fn` crosses to another thread or process.
 *
 * @param mayGenerate Whether what `fn` returns is iterated where it runs, so that it may be a
 * generator function.
 * @throws {NotShareableError} When `fn` cannot cross.
 */
export function targetOf(fn: AnyFunction, mayGenerate = false): Target {
  if (!mayGenerate && GENERATOR.test(Object.prototype.toString.call(fn))) {
    throw new NotShareableError(
      `Cannot send generator function "${fn.name}": the generator that it returns cannot be sent back; stream it, or return an array`,
    );
  }
  const by = markOf(fn);
  if (by !== undefined) return moduleTarget(fn, by);
  const text = textOf(fn);
  const name = fn.name;
  if (NATIVE.test(text)) {
    const kind = name.startsWith("bound ") ? "bound" : "native";
    throw new NotShareableError(
      `Cannot send function "${name}": a ${kind} function has no source text; wrap it in a function of your own`,
    );
  }
  if (/^class\b/.test(text)) {
    throw new NotShareableError(
      `Cannot send class "${name}": a class is not called as a function; export a function that uses it`,
    );
  }
  return { kind: "source", text, name };
}

/**
 * The function that a target names, in this thread.
 *
 * @throws {NotShareableError} When the module cannot be imported or does not export the function,
 * or the source text is no function on its own.
 */
export async function loadTarget(target: Target): Promise<AnyFunction> {
  return target.kind === "module"
    ? await importTarget(target)
    : compileTarget(target.text, target.name);
}

/**
 * The most characters of an address that an error shows: a `data:` address is the module itself.
 */
const MOST_ADDRESS = 1_000;

async function importTarget(target: ModuleTarget): Promise<AnyFunction> {
  const { url, name } = target;
  // Minifiers remove names.
  const label = name === "" ? "task without a name" : `task "${name}"`;
  const place = url.length > MOST_ADDRESS ? `${url.slice(0, MOST_ADDRESS)}...` : url;
  let module: Record<string, unknown>;
  try {
    module = await importModule(url);
  } catch (error) {
    // A bundle's code for the page may have failed after it has marked its tasks. A program that
    // starts itself again must still be reported.
    const isTold = errorText(error).includes(STARTS_WHILE_LOADING);
    const fn = isBundled && !isTold ? findMarked(target) : undefined;
    if (fn !== undefined) return fn;
    throw new NotShareableError(
      `Cannot load ${label}: its module "${place}" failed to import here: ${errorText(error)}${
        hintFor(error, url)
      }`,
      { cause: error },
    );
  }
  const own = findMarked(target) ?? (name in module ? undefined : findRenamed(target));
  const fn = own ?? module[name];
  if (typeof fn !== "function") {
    const later = isBundled && target.text !== undefined
      ? "; if a bundler made that file, it has the task's module run later: import that statically, or have the bundler make ES modules with code splitting"
      : "";
    throw new NotShareableError(
      `Cannot load ${label}: module "${place}" has no export "${name}" that is a function; export the task under the name of its function, or state the export's name, as compilers may change the function's: task(import.meta, fn, name)${later}`,
    );
  }
  if (own === undefined && !mayBe(fn as AnyFunction, target)) {
    throw new NotShareableError(
      `Cannot load ${label}: module "${place}" has another function of that name; mark each with a name of its own where the module runs whenever it is imported: task(import.meta, fn, name)`,
    );
  }
  return fn as AnyFunction;
}

/** Whether an export that is not marked can be the function that a target names. */
function mayBe(fn: AnyFunction, { text, nth }: ModuleTarget): boolean {
  return text === undefined || (nth === undefined && textOf(fn) === text);
}

/** Imports one of the user's modules. */
export function importModule(url: string): Promise<Record<string, unknown>> {
  // Bundlers must leave this import alone.
  return import(/* @vite-ignore */ /* webpackIgnore: true */ url);
}

/** What to do about a module that failed to import, if the error shows it. */
function hintFor(error: unknown, url: string): string {
  if (isForPages(error)) {
    return "; the file has code for the page too: have the bundler put tasks into a file of their own, by importing their module with import()";
  }
  // In the words of Chromium, Firefox and Safari.
  if (/resolve module specifier|bare specifier|to a valid URL/.test(errorText(error))) {
    return "; workers have no import map: name what it imports by addresses, or have a bundler do so";
  }
  // Likewise. The browser does not say why it was not loaded; Safari has words of its own for what
  // no page may load.
  if (
    /dynamically imported module|Importing a module script failed|Cross-origin script load denied/
      .test(errorText(error))
  ) {
    if (url.startsWith("file:")) {
      return "; a bundler has replaced the address of the task's module by this one: have it leave import.meta.url as it is, or use tasks(url) of a module that is not bundled";
    }
    return "; if it is on another host, that must allow pages to load it (CORS)";
  }
  // The runtime's own advice is meant for the program, which may well have the permission.
  const isForbidden = errorText(error).includes("Requires read access");
  return isForbidden && ownOrigin().process !== undefined
    ? "; it is this process that may not read it: name its folder in the pool's permissions, as { read: [folder] }"
    : "";
}

/**
 * How the source text of a function begins that is no method. A private method is neither an
 * expression nor a property elsewhere; as an expression, it fails with an error that says why.
 */
const EXPRESSION = /^(?:async\s*)?(?:function\b|[(#]|[\p{ID_Start}$_][\p{ID_Continue}$]*\s*=>)/u;

const HELPER_NAMES = Object.keys(compilerHelpers);
const HELPERS = Object.values(compilerHelpers);

function compileTarget(text: string, name: string): AnyFunction {
  // A method's source is valid only inside an object. Either way, the function is the value of the
  // first key, which may be a symbol.
  const forms = [`[(${text}\n)]`, `{ ${text} }`];
  // A method may be called "async" or "function", so the other form is tried as well; the reason of
  // a failure is that of the first.
  if (!EXPRESSION.test(text)) forms.reverse();
  let failure: unknown;
  for (const form of forms) {
    try {
      const made: object = new Function(...HELPER_NAMES, `"use strict"; return ${form}`)(
        ...HELPERS,
      );
      const fn: unknown = Reflect.get(made, Reflect.ownKeys(made)[0]);
      if (typeof fn === "function") return fn as AnyFunction;
    } catch (error) {
      failure ??= error;
    }
  }
  throw new NotShareableError(
    `Cannot load function "${name}" from its source text: ${
      errorText(failure)
    }; export it from a module and mark it with task(import.meta, ...)`,
    { cause: failure },
  );
}

/** Names that compilers and coverage tools give to what they put around a function. */
const ADDED_NAME = /^(?:__(?!dirname$|filename$)|cov_)/;

/**
 * The error to report for one that a function sent as source text threw: a name that was not
 * defined most likely was a variable from around the function, which did not cross with it, or a
 * global of the main thread alone, such as `prompt` or `document`.
 */
export function explainCapture(target: Target, error: unknown): unknown {
  const name = target.kind === "source" ? missingName(error) : undefined;
  if (name === undefined) return error;
  const who = target.name === "" ? "the function" : `function "${target.name}"`;
  const mark = "export the function from a module and mark it with task(import.meta, ...)";
  const reason = ADDED_NAME.test(name)
    ? `it uses "${name}" from around it, where a compiler or a coverage tool may have put it; ${mark}, compile it for a newer target, or pass it as an argument if it is your own`
    : `it uses "${name}" from around it, which does not cross to a worker (nor does a global that only the main thread has); pass it as an argument, or ${mark}`;
  return new NotShareableError(`Cannot run ${who} here: ${reason}`, { cause: error });
}

/** The name that is not defined, if the error says that of a name. */
function missingName(error: unknown): string | undefined {
  try {
    if (!(error instanceof ReferenceError)) return undefined;
    // In the words of Safari, and of all others.
    return /(?<=^Can't find variable: )\S+$|^\S+(?= is not defined$)/.exec(error.message)?.[0];
  } catch {
    // Nothing can be asked of it: it is a revoked proxy.
  }
  return undefined;
}

/** An error in a few words. */
export function errorText(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return describe(error); // It has no text, as an object without a prototype has none.
  }
}

/**
 * The error of a failed submission: the signal's reason as it is, anything else as not shareable.
 *
 * @param act What was attempted, for the error text.
 */
export function submissionError(
  error: unknown,
  signal: AbortSignal | undefined,
  act = "submit task",
): unknown {
  if (signal?.aborted === true || NotShareableError.is(error)) return error;
  return new NotShareableError(`Cannot ${act}: ${errorText(error)}`, { cause: error });
}

/** The error that replaces an outcome, or something else, that cannot be sent back. */
export function unsendable(error: unknown, what = "the task's outcome"): NotShareableError {
  return new NotShareableError(`Cannot send ${what}: ${errorText(error)}`, { cause: error });
}

/** The error for a value that has arrived and cannot be read. */
export function unreadable(error: unknown): NotShareableError {
  return new NotShareableError(`Cannot receive value: ${errorText(error)}`, { cause: error });
}
