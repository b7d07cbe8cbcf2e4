/**
 * Serves the demonstration: `deno task demo`.
 *
 * @module
 */

import { fromFileUrl, toFileUrl } from "@std/path";
import { type PageServer, servePages } from "../tools/page_server.ts";

const HERE = new URL("./", import.meta.url);

/** The files that are served unchanged. */
const FILES = ["index.html", "style.css"];

/** Bundles the page into a temporary folder, and serves that folder. */
export async function serveDemo(port = 0): Promise<PageServer> {
  const folder = toFileUrl(`${await Deno.makeTempDir({ prefix: "demo" })}/`);
  const remove = (): Promise<void> => Deno.remove(folder, { recursive: true });
  try {
    await bundle(folder);
    const server = servePages({ root: folder, port });
    return {
      ...server,
      async close() {
        await server.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function bundle(folder: URL): Promise<void> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform=browser",
      "--code-splitting",
      "--minify",
      `--outdir=${fromFileUrl(folder)}`,
      "main.ts",
    ],
    cwd: fromFileUrl(HERE),
  }).output();
  if (code !== 0) {
    throw new Error(`Cannot bundle the page: ${new TextDecoder().decode(stderr)}`);
  }
  for (const name of FILES) await Deno.copyFile(new URL(name, HERE), new URL(name, folder));
}

if (import.meta.main) {
  const [port = "8080", ...more] = Deno.args;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535 || more.length > 0) {
    const given = Deno.args.join(" ");
    console.error(`Cannot serve at port ${given}: give one number from 0 to 65535`);
    Deno.exit(2);
  }
  const server = await serveDemo(Number(port)).catch((error) => {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    console.error(`Cannot serve at port ${port}: it is in use; name another: deno task demo 8081`);
    return Deno.exit(1);
  });
  let closing: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    // `deno task` may pass on a signal that this process has got already.
    await (closing ??= server.close());
    Deno.exit();
  };
  Deno.addSignalListener("SIGINT", end);
  if (Deno.build.os !== "windows") {
    for (const signal of ["SIGHUP", "SIGTERM"] as const) Deno.addSignalListener(signal, end);
  }
  console.log(`Open ${server.url} in a browser; end with Ctrl+C`);
}
