/**
 * What a new thread begins with: a module of the package, and a function in it.
 *
 * In every thread that imports the module, it registers the function by a name, and the module's
 * address in that thread. The address is that of the module's own file or, where a bundler has put
 * the package into one file with other code, of that file. So the thread that starts another knows
 * from its own copy which file the new thread must import; and the new thread finds the function by
 * its registered name, whatever the bundler has called it.
 *
 * In a bundle with other code, importing the file also runs that code. The thread's own work
 * neither waits for that code nor depends on it: with a {@linkcode Beginning}, the function is
 * called as soon as it registers, and an error of the rest of the file is kept.
 *
 * @module
 */

/**
 * How a thread begins. The code of {@linkcode codeOfScript} sets it at {@linkcode BEGINNING} before
 * it imports the file.
 */
export interface Beginning {
  /** The name of the entry to call. */
  readonly entry: string;
  /** The file to import. */
  readonly address: string;
  /** Messages that arrived before there was a listener. */
  readonly early: unknown[];
  /**
   * Whether the file runs the program that started the thread once more; `null` until the file has
   * been imported, where only that can tell.
   */
  isProgram: boolean | null;
  /**
   * The file of the program, if another bundle was made for workers. A worker imports it for the
   * tasks in it, and a second copy of the package with them.
   */
  readonly program: string | null;
  /** Whether the entry was called and did not throw. */
  hasBegun: boolean;
  /** Whether the file is a bundle and is still being imported. */
  isImporting: boolean;
  /** The error that the import failed with, boxed. */
  failure?: { readonly error: unknown };
}

/** The property of the global object that holds a {@linkcode Beginning}. */
export const BEGINNING = "@concurrent/futures.beginning";
/**
 * The property of the global object that holds the entries: two copies of the package may meet in a
 * thread.
 */
const ENTRIES = "@concurrent/futures.entries";

interface EntryGlobals {
  [BEGINNING]?: Beginning;
  [ENTRIES]?: Map<string, () => void>;
}

const globals = globalThis as EntryGlobals;
const addresses = new Map<string, string>();

/** How this thread began, if it was with the code of {@linkcode codeOfScript}. */
export const beginning: Beginning | undefined = globals[BEGINNING];

/** An address, or `undefined` where a bundle has none: in a format other than ES modules. */
function pathOf(url: string | undefined): string | undefined {
  return url === undefined || !URL.canParse(url) ? undefined : new URL(url).pathname;
}

/** Whether the package's modules are parts of a bundle, without files of their own. */
export const isBundled = !/\/_platform\/entry\.[jt]s$/.test(
  pathOf(import.meta.url) ?? "",
);

/**
 * Registers `main` as an entry, which threads may begin with.
 *
 * @param name The entry's name.
 * @param url The `import.meta.url` of the module that it is in.
 */
export function registerEntry(name: string, url: string, main: () => void): void {
  addresses.set(name, url);
  (globals[ENTRIES] ??= new Map()).set(name, main);
  if (beginning?.entry !== name || beginning.hasBegun) return;
  isBeginning = true;
  try {
    main();
    beginning.hasBegun = true;
  } finally {
    isBeginning = false;
  }
}

/** The entry is being called. */
let isBeginning = false;

/** The beginning of the error text of {@linkcode checkMayStart}. */
const REFUSED = "Cannot start worker: the program is in one file with the package";

/**
 * Throws while this thread imports the file that it begins in, except inside the call of its entry:
 * in a bundle that file is the program's own, and a worker that the program started as it is
 * imported would import it again, without end. Where the program cannot tell that it is imported
 * for a worker, this always throws.
 */
export function checkMayStart(): void {
  if (beginning === undefined || isBeginning) return;
  if (mayBeProgram()) {
    throw new Error(
      `${REFUSED}, and this worker runs it once more; start workers only if (typeof document === "object"), or have the bundler split the file`,
    );
  }
  if (!beginning.isImporting) return;
  throw new Error(
    `${REFUSED}, and a thread that it has started imports that file; what only the program itself should do belongs under if (import.meta.main)`,
  );
}

/** Whether this thread runs the program once more, or may turn out to do so. */
export function mayBeProgram(): boolean {
  if (beginning === undefined) return false;
  return beginning.isProgram !== false || beginning.program === import.meta.url;
}

/**
 * Whether an error arises only because the program runs once more, in a thread that is no page.
 * Such an error is ignored there.
 */
export function isOfProgram(error: unknown): boolean {
  if (isForPages(error)) return mayBeProgram();
  try {
    return mayBeProgram() && error instanceof Error && error.message.includes(REFUSED);
  } catch {
    return false; // Nothing can be asked of it, as of a revoked proxy.
  }
}

/** Whether an error says that something is missing that pages have and workers do not. */
export function isForPages(error: unknown): boolean {
  try {
    return error instanceof ReferenceError &&
      // Safari begins with words of its own.
      /^(?:Can't find variable: )?(?:document|window|alert|customElements|localStorage|sessionStorage|Image|HTML\w*Element)\b/
        .test(error.message);
  } catch {
    return false; // See `isOfProgram`.
  }
}

/**
 * The address of the file that registers an entry.
 *
 * @param resolve Resolves the module's name; called if this thread has not loaded the module.
 */
export function addressOfEntry(name: string, resolve: () => string): string {
  return addresses.get(name) ?? resolve();
}

/** Source text that imports a file and calls the entry that it registers. */
export function codeOfEntry(name: string, url: string): string {
  return `import ${JSON.stringify(url)}; globalThis[${JSON.stringify(ENTRIES)}].get(${
    JSON.stringify(name)
  })();`;
}

/**
 * Source text that imports a file dynamically and calls its entry as soon as the file registers it.
 * It is for bundles, and wherever a static import is not possible, as in scripts, may be forbidden,
 * as in the workers of `browser.ts`, or costs too much, as in those of `deno.ts`.
 *
 * @param isProgram See {@linkcode Beginning}.
 * @param program See {@linkcode Beginning}.
 * @throws {Error} When this thread may not start others, see {@linkcode checkMayStart}; or in a
 * bundle that has no address.
 */
export function codeOfScript(
  entry: string,
  address: string,
  isProgram: boolean | null = false,
  program: string | null = null,
): string {
  checkMayStart();
  if (!URL.canParse(address)) {
    throw new Error(
      "Cannot start worker: this bundle does not know its own address; build it as an ES module",
    );
  }
  // Only a bundle has code besides the package's that might start workers as it is imported.
  const isImporting = isBundled;
  const start = { entry, address, early: [], isProgram, program, hasBegun: false, isImporting };
  // In Web Workers, a message that finds no listener is lost, and an error in a promise is not
  // reported.
  return `
const beginning = globalThis[${JSON.stringify(BEGINNING)}] = ${JSON.stringify(start)};
const isWebWorker = "WorkerGlobalScope" in globalThis && globalThis instanceof WorkerGlobalScope;
if (isWebWorker) onmessage = ({ data }) => beginning.early.push(data);
import(beginning.address).then((module) => {
  // Nobody imports from a program, and others do so from any other file of a bundle.
  beginning.isProgram ??= Object.keys(module).length === 0;
  if (beginning.hasBegun) return;
  // The program's options may have had the file loaded ahead of this.
  const main = globalThis[${JSON.stringify(ENTRIES)}]?.get(beginning.entry);
  if (main === undefined) throw new Error("it holds no code of the package for workers");
  main();
  beginning.hasBegun = true;
}).catch((error) => {
  beginning.isProgram ??= true;
  beginning.failure = { error };
  if (beginning.hasBegun) return;
  if (!isWebWorker) throw error;
  reportError(error);
}).finally(() => beginning.isImporting = false);
`;
}

/**
 * The files and folders that hold the package's modules: in a bundle the file, or the folders of
 * the files that a bundler has divided the package into.
 *
 * @param own The `import.meta.url` of the module that asks.
 * @param parts What holds them where there is no bundle, relative to `own`.
 */
export function placesOf(own: string, parts: readonly string[]): URL[] {
  if (!isBundled) return parts.map((part) => new URL(part, own));
  // A bundler that divides the package puts this module, which all parts use, into another file.
  const isDivided = own !== import.meta.url;
  return isDivided ? [new URL(".", own), new URL(".", import.meta.url)] : [new URL(own)];
}

/**
 * The address under which another thread imports a module of the package.
 *
 * @param own The `import.meta.url` of the module that asks.
 * @param resolve Resolves the other module's name; called if there is no bundle.
 */
export function addressOf(own: string, resolve: () => string): string {
  return isBundled ? own : resolve();
}
