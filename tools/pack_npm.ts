/**
 * Builds the npm package with Deno's own command for it: `deno task npm:pack`. This needs `npm` for
 * the tarball, but no package registry for Deno.
 *
 * `deno pack` makes JavaScript and declarations from the modules; both builds share the rest
 * (`npm/assemble.ts`).
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { assemble, emptyFolder, run } from "./npm/assemble.ts";
import { OUTPUT, ROOT } from "./npm/description.ts";

/** Lets Deno make the modules. Returns the folder that contains them. */
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
