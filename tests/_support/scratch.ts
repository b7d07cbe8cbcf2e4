/**
 * Files that live for one test, inside the repository so that its configuration applies to them.
 */

import { fromFileUrl } from "@std/path";

/** The repository's root, ending in a slash. */
export const ROOT = new URL("../../", import.meta.url);

/** The configuration that child processes use. */
export const CONFIG = fromFileUrl(new URL("deno.json", ROOT));

const SCRATCH = new URL("tests/.tmp/", ROOT);

/** A folder that is removed, with all in it, when the `using` block ends. */
export interface ScratchFolder extends AsyncDisposable {
  /** Writes a file, in new folders if its name says so, and returns its path. */
  write(name: string, text: string): Promise<string>;
}

/** Makes a new folder under `tests/.tmp/`. */
export async function scratchFolder(): Promise<ScratchFolder> {
  const folder = new URL(`${crypto.randomUUID()}/`, SCRATCH);
  await Deno.mkdir(folder, { recursive: true });
  return {
    async write(name, text) {
      const file = new URL(name, folder);
      await Deno.mkdir(new URL(".", file), { recursive: true });
      await Deno.writeTextFile(file, text);
      return fromFileUrl(file);
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
