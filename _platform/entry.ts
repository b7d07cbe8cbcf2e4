/**
 * What a new thread begins with: a module of the package, and a function in it.
 *
 * The module registers the function, in every thread that imports it, under the address that the module has there. That is
 * its own file, or, where a bundler has put the package into one file with other code, that file. So whoever starts a
 * thread knows from its own copy which file to have imported, and the thread finds the function in it by its name, whatever
 * the bundler has called it.
 *
 * In a bundle with code of others, importing the file also runs that code. What the thread has to do does not wait for
 * it, and does not depend on it: a {@linkcode Beginning} calls the function at the moment that it registers, and
 * keeps the error that the rest of the file ended with.
 *
 * @module
 */

/** A thread that begins in a bundle. Whoever starts it puts it on {@linkcode BEGINNING} beforehand. */
export interface Beginning {
  /** The entry that is to be called. */
  readonly entry: string;
  /** The file to import. */
  readonly address: string;
  /** Messages that came before there was a listener. */
  readonly early: unknown[];
  /** Whether the file runs the program that started the thread once more. */
  readonly isProgram: boolean;
  /** The entry was called. */
  hasBegun: boolean;
  /** The file is a bundle, and is being imported. */
  isImporting: boolean;
  /** What the import failed with, boxed. */
  failure?: { readonly error: unknown };
}

/** Where a {@linkcode Beginning} is, on the global object. */
export const BEGINNING = "@concurrent/futures.beginning";
/** Where the entries are, on the global object: two copies of the package may meet in a thread. */
const ENTRIES = "@concurrent/futures.entries";

interface EntryGlobals {
  [BEGINNING]?: Beginning;
  [ENTRIES]?: Map<string, () => void>;
}

const globals = globalThis as EntryGlobals;
const addresses = new Map<string, string>();

/** How this thread began, if it did so in a bundle. */
export const beginning: Beginning | undefined = globals[BEGINNING];

/** An address, or `undefined` where a bundle has none: in a format other than ES modules. */
function pathOf(url: string | undefined): string | undefined {
  return url === undefined || !URL.canParse(url) ? undefined : new URL(url).pathname;
}

/** Whether the package's modules are parts of a bundle, and have no files of their own. */
export const isBundled = !/\/_platform\/entry\.[jt]s$/.test(
  pathOf(import.meta.url) ?? "",
);

/**
 * Says that threads may begin with `main`.
 *
 * @param name What the entry is called.
 * @param url The `import.meta.url` of the module that it is in.
 */
export function registerEntry(name: string, url: string, main: () => void): void {
  addresses.set(name, url);
  (globals[ENTRIES] ??= new Map()).set(name, main);
  if (beginning?.entry !== name || beginning.hasBegun) return;
  beginning.hasBegun = true;
  isBeginning = true;
  main();
  isBeginning = false;
}

/** The entry is being called. */
let isBeginning = false;

/** How the error begins of {@linkcode checkMayStart}. */
const REFUSED = "Cannot start worker: the program is in one file with the package";

/**
 * Throws while this thread imports the file that it begins in, but for what its entry does: in a bundle that file is the
 * program's own, and what the program starts as it is imported would import it again, without end. Where the
 * program cannot tell that it is imported so, throws at any time.
 */
export function checkMayStart(): void {
  if (beginning === undefined || isBeginning) return;
  if (beginning.isProgram) {
    throw new Error(
      `${REFUSED}, and this worker runs it once more; start workers only if (typeof document === "object"), or have the bundler split the file`,
    );
  }
  if (!beginning.isImporting) return;
  throw new Error(
    `${REFUSED}, and a thread that it has started imports that file; what only the program itself should do belongs under if (import.meta.main)`,
  );
}

/**
 * Whether an error is one that the program fails with for being run once more, in a thread that is no page; there it is
 * none.
 */
export function isOfProgram(error: unknown): boolean {
  if (beginning?.isProgram !== true || !(error instanceof Error)) return false;
  return error.message.includes(REFUSED) || isForPages(error);
}

/** Whether code has failed for want of what pages have and workers do not. */
export function isForPages(error: unknown): boolean {
  return error instanceof ReferenceError &&
    /^(?:document|window|alert|customElements|localStorage|sessionStorage|Image|HTML\w*Element)\b/
      .test(error.message);
}

/**
 * The address of the file that registers an entry.
 *
 * @param resolve Resolves the module's name; called where this thread has not loaded it, and there is no bundle.
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
 * Source text that does the same as a thread in a bundle has to, or in a script, which can only import in this way: the function
 * is called as soon as it is there.
 *
 * @param isProgram See {@linkcode Beginning}.
 * @throws {Error} When this thread may not start others, see {@linkcode checkMayStart}; or in a bundle that has no address.
 */
export function codeOfScript(entry: string, address: string, isProgram = false): string {
  checkMayStart();
  if (!URL.canParse(address)) {
    throw new Error(
      "Cannot start worker: this bundle does not know its own address; build it as an ES module",
    );
  }
  // Only a bundle has code beside the package's that might start workers as it is imported.
  const isImporting = isBundled;
  const start = { entry, address, early: [], isProgram, hasBegun: false, isImporting };
  // In workers of the web, a message that finds no listener is lost, and an error in a promise not told.
  return `
const beginning = globalThis[${JSON.stringify(BEGINNING)}] = ${JSON.stringify(start)};
const isWebWorker = "WorkerGlobalScope" in globalThis && globalThis instanceof WorkerGlobalScope;
if (isWebWorker) onmessage = ({ data }) => beginning.early.push(data);
import(beginning.address).then(() => {
  if (beginning.hasBegun) return;
  // The program's options may have had the file loaded ahead of this.
  const main = globalThis[${JSON.stringify(ENTRIES)}]?.get(beginning.entry);
  if (main === undefined) throw new Error("it holds no code of the package for workers");
  beginning.hasBegun = true;
  main();
}).catch((error) => {
  beginning.failure = { error };
  if (beginning.hasBegun) return;
  if (!isWebWorker) throw error;
  reportError(error);
}).finally(() => beginning.isImporting = false);
`;
}

/**
 * The address under which another thread imports a module of the package.
 *
 * @param own The `import.meta.url` of the module that asks.
 * @param resolve Resolves the other one's name; called where there is no bundle.
 */
export function addressOf(own: string, resolve: () => string): string {
  return isBundled ? own : resolve();
}
