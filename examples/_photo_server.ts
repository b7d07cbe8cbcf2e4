/**
 * A server that is as slow as a distant one: each answer begins after a delay, and then comes at a
 * limited rate.
 *
 * @module
 */

import { nameOf } from "./_photo_program.ts";

/** How slow the server is. */
export interface Line {
  /** The time from a request to the first byte of its answer. */
  readonly latencyMs: number;
  /** The rate of each answer, no matter how many others are under way. */
  readonly bytesPerSecond: number;
}

/** A server on this machine, which runs until the end of the `using` block. */
export interface PhotoServer extends AsyncDisposable {
  /** The address of each file. */
  readonly urls: readonly string[];
}

const CHUNK_BYTES = 64 * 1024;

/** Serves files under their names. */
export function servePhotos(files: readonly string[], line: Line): PhotoServer {
  const byPath = new Map(files.map((file) => [`/${nameOf(file)}`, file]));
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} }, // Any free port.
    async ({ url }) => {
      const file = byPath.get(new URL(url).pathname);
      await delay(line.latencyMs);
      if (file === undefined) return new Response(null, { status: 404 });
      const bytes = await Deno.readFile(file);
      return new Response(paced(bytes, line.bytesPerSecond), {
        headers: { "content-type": "image/jpeg", "content-length": `${bytes.length}` },
      });
    },
  );
  return {
    urls: [...byPath.keys()].map((path) => `http://127.0.0.1:${server.addr.port}${path}`),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/**
 * Sends bytes at a given rate. A late chunk is made up for by the next ones, so that a busy machine
 * does not lower the rate.
 */
function paced(bytes: Uint8Array, bytesPerSecond: number): ReadableStream<Uint8Array> {
  const beganMs = performance.now();
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent === bytes.length) return controller.close();
      const chunk = bytes.subarray(sent, sent + CHUNK_BYTES);
      sent += chunk.length;
      await delay(beganMs + sent / bytesPerSecond * 1000 - performance.now());
      controller.enqueue(chunk);
    },
  }, { highWaterMark: 0 });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
