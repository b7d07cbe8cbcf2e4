/**
 * How examples leave nothing behind when they are ended early.
 *
 * @module
 */

/** Signals that end a program, and the exit code for each. */
const SIGNALS: readonly [Deno.Signal, number][] = Deno.build.os === "windows"
  ? [["SIGINT", 130]]
  : [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]];

let isListening = false;

/**
 * Calls `cleanUp` if the program is ended before the end of the `using` block, by `Deno.exit` or by
 * a signal.
 */
export function onExit(cleanUp: () => void): Disposable {
  if (!isListening) {
    for (const [signal, code] of SIGNALS) Deno.addSignalListener(signal, () => Deno.exit(code));
    isListening = true;
  }
  globalThis.addEventListener("unload", cleanUp);
  return { [Symbol.dispose]: () => globalThis.removeEventListener("unload", cleanUp) };
}

/**
 * A folder that is removed at the end of the `using` block, or when the program is ended earlier.
 */
export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

/** Makes a folder in the given one; without one, where the system keeps temporary files. */
export function temporaryFolder(options: Deno.MakeTempOptions): TemporaryFolder {
  let path = "";
  // Registered before the folder exists, since a signal may come at any time.
  const end = onExit(() => {
    if (path !== "") removeInUse(path);
  });
  path = Deno.makeTempDirSync(options);
  return {
    path,
    [Symbol.dispose]() {
      Deno.removeSync(path, { recursive: true });
      end[Symbol.dispose]();
    },
  };
}

/**
 * Removes a folder while threads and processes still write into it: it is renamed first, and under
 * the new name they cannot add a file.
 */
function removeInUse(folder: string): void {
  const renamed = `${folder}-removed`;
  try {
    Deno.renameSync(folder, renamed);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // Removed with the folder that it was in.
    throw error;
  }
  Deno.removeSync(renamed, { recursive: true });
}
