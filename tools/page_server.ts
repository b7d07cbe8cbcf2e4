/**
 * Serves a folder to browsers: TypeScript as JavaScript, and with the headers that a page needs for
 * shared memory.
 *
 * @module
 */

import { stripTypeScriptTypes } from "node:module";

/** The headers that isolate a page, so that it may use shared memory. */
export const ISOLATION: Readonly<Record<string, string>> = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".ts": "text/javascript; charset=utf-8",
};

/** How a folder is served. */
export interface ServerOptions {
  /** The folder; its address ends with a slash. */
  readonly root: URL;
  /** The headers sent with every file. Default: {@linkcode ISOLATION}. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The port. Default: any free one. */
  readonly port?: number;
}

/** A server that listens to this machine only. */
export interface PageServer {
  /** The address of the folder; ends with a slash. */
  readonly url: string;
  /** Settles when the server ends. */
  readonly finished: Promise<void>;
  /** Ends the server. */
  close(): Promise<void>;
}

/** Serves a folder. */
export function servePages(options: ServerOptions): PageServer {
  const { root, headers = ISOLATION, port = 0 } = options;
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const file = new URL(`.${pathname.endsWith("/") ? `${pathname}index.html` : pathname}`, root);
    const type = TYPES[/\.\w+$/.exec(file.pathname)?.[0] ?? ""];
    // The URL parser has removed each `..`, but the address may still be on another host or outside
    // the root folder.
    if (type === undefined || !file.href.startsWith(root.href)) return notFound(headers);
    let body: string;
    try {
      body = await Deno.readTextFile(file);
    } catch {
      return notFound(headers);
    }
    if (file.pathname.endsWith(".ts")) body = transpile(file.href, body);
    return new Response(body, {
      headers: { ...headers, "content-type": type, "cache-control": "no-cache" },
    });
  };
  const server = Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, answer);
  return {
    url: `http://localhost:${server.addr.port}/`,
    finished: server.finished,
    close: () => server.shutdown(),
  };
}

function notFound(headers: Readonly<Record<string, string>>): Response {
  return new Response("not found", { status: 404, headers });
}

/** The files transpiled so far: each worker requests the same files again. */
const transpiled = new Map<string, { readonly source: string; readonly code: string }>();

function transpile(file: string, source: string): string {
  const known = transpiled.get(file);
  if (known?.source === source) return known.code;
  const code = stripTypeScriptTypes(source, { mode: "transform" });
  transpiled.set(file, { source, code });
  return code;
}
