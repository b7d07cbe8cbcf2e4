/**
 * Builds the npm package with what Deno itself has for it: `deno task npm:pack`. It needs `npm` for the tarball, and no
 * package registry of Deno's.
 *
 * `deno pack` makes JavaScript and declarations of the modules; the rest is common to both builds (`npm/assemble.ts`).
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { assemble, emptyFolder, run } from "./npm/assemble.ts";
import { OUTPUT, ROOT } from "./npm/description.ts";

/** Has Deno make the modules; returns the folder with them. */
export async function packModules(output: URL): Promise<URL> {
  const tree = new URL("modules/", output);
  await emptyFolder(tree);
  const tarball = fromFileUrl(new URL("modules.tgz", output));
  const args = ["pack", "--allow-dirty", "--no-source-maps", "--output", tarball];
  await run(Deno.execPath(), args, ROOT);
  await run("tar", ["-xzf", tarball, "--strip-components=1"], tree);
  return tree;
}

if (import.meta.main) {
  const tarball = await assemble(await packModules(OUTPUT));
  console.log(fromFileUrl(tarball));
}
