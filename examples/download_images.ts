/**
 * Downloads fifteen photos from a slow server: one by one, then eight at a time, on the event loop
 * and by threads.
 *
 *   deno run -A examples/download_images.ts
 *   deno run -A examples/download_images.ts --workers 4
 *   deno run -A examples/download_images.ts --into photos https://example.com/a.jpg https://example.com/b.jpg
 *
 * A download is mostly waiting, and many can wait at once. Waiting needs no processor: the event
 * loop alone does it as well as threads, and at less cost. The server is a part of this program,
 * and as slow as a distant one; the photos that it serves are painted first. If you give addresses,
 * these are fetched instead, once in each way, into a folder that is kept.
 *
 * A download that fails is reported, the others go on, and the program exits with 1. A file gets
 * its name when it is complete; nothing is left of an incomplete one.
 *
 * Instead of `-A`: `--allow-read --allow-write --allow-net=127.0.0.1`, and for addresses of your
 * own `--allow-net`.
 *
 * @module
 */

import { AsyncExecutor, type Executor, task, ThreadPoolExecutor } from "@concurrent/futures";
import { temporaryFolder } from "./_on_exit.ts";
import { refuse } from "./_options.ts";
import {
  type CommandLine,
  count,
  nameOf,
  parseCommandLine,
  prepareFolder,
  Table,
  traceInto,
} from "./_photo_program.ts";
import { servePhotos } from "./_photo_server.ts";

const WORKERS = 8;
const TIMEOUT_MS = 10_000;

const FAR = { latencyMs: 300, bytesPerSecond: 1_000_000 };
/** The line for small photos. */
const NEAR = { latencyMs: 20, bytesPerSecond: 10_000_000 };

const HELP = `Downloads photos: one by one, on the event loop, and by threads.

Usage: download_images.ts [options] [URL ...]

Options:
  --workers N        How many downloads at a time (default ${WORKERS})
  --timeout SECONDS  How long to wait when nothing comes (default ${TIMEOUT_MS / 1000})
  --into FOLDER      Where the files go, and stay (for URLs: default downloads)
  --trace FILE       Write a timeline of the event loop: .svg, .html, or .json for Perfetto
  --small            Small photos, from a server nearby
  --help             Show this text`;

/** A file to fetch. */
export interface Order {
  readonly url: string;
  readonly file: string;
  /** Where the file is until it is complete. */
  readonly part: string;
  readonly timeoutMs: number;
}

/** The outcome of an order. */
export interface Delivery {
  readonly url: string;
  readonly bytes: number;
  /** Why there is no file. */
  readonly problem?: string;
}

/**
 * Fetches a file. Does not throw: what went wrong with one file is reported in its place in the
 * list of deliveries.
 */
export const download = task(import.meta, async function download(order: Order): Promise<Delivery> {
  const { url, file, part } = order;
  try {
    const bytes = await fetchPart(order);
    await Deno.rename(part, file);
    return { url, bytes };
  } catch (error) {
    return { url, bytes: 0, problem: reasonOf(error as Error) };
  }
});

/** Writes the answer from an address to a file, as it arrives. Returns the number of bytes. */
async function fetchPart({ url, part, timeoutMs }: Order): Promise<number> {
  using patience = new Patience(timeoutMs);
  const response = await fetch(url, { signal: patience.signal });
  if (!response.ok) {
    await response.body?.cancel(); // Otherwise the connection would stay open.
    throw new Error(`${response.status} ${response.statusText}`.trimEnd());
  }
  const expected = lengthOf(response.headers);
  let bytes = 0;
  const brokeOff = (cause?: unknown) => {
    const all = expected === undefined ? "" : ` of ${expected}`;
    return new Error(`broke off after ${bytes}${all} bytes`, { cause });
  };
  using out = await Deno.open(part, { write: true, create: true, truncate: true });
  try {
    for await (const chunk of response.body ?? []) {
      patience.renew();
      for (let at = 0; at < chunk.length;) at += await out.write(chunk.subarray(at));
      bytes += chunk.length;
    }
  } catch (error) {
    throw brokeOff(error);
  }
  if (expected !== undefined && bytes !== expected) throw brokeOff();
  return bytes;
}

/**
 * Returns how many bytes the server announces; `undefined` if it announces none, or if the body is
 * compressed on the way, since its length here differs.
 */
function lengthOf(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  return length === null || headers.has("content-encoding") ? undefined : Number(length);
}

/**
 * Aborts its signal when it was not renewed for some time: a download may take long, but must not
 * stall.
 */
class Patience implements Disposable {
  readonly #controller = new AbortController();
  readonly #ms: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.renew();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  renew(): void {
    clearTimeout(this.#timer);
    const error = new Error(`nothing came for ${this.#ms / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(error), this.#ms);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/**
 * Returns what went wrong and why, without the address, which the runtime puts into its messages.
 */
function reasonOf(error: Error): string {
  const { message, cause } = error;
  if (!(cause instanceof Error)) return message.replace(/^error sending .*? for url \(.*?\): /, "");
  // "fetch failed" says less than its cause.
  return error instanceof TypeError ? reasonOf(cause) : `${message}: ${reasonOf(cause)}`;
}

/** A way to fetch all files. */
interface Way {
  readonly name: string;
  /** Makes the executor that runs the downloads; without it, a plain loop runs them. */
  readonly makeExecutor?: (maxWorkers: number) => Executor;
  /** Whether this is the way that `--trace` records. */
  readonly isTraced?: boolean;
}

const WAYS: readonly Way[] = [
  { name: "one by one" },
  {
    name: "AsyncExecutor",
    makeExecutor: (maxWorkers) => new AsyncExecutor({ maxWorkers }),
    isTraced: true,
  },
  // One thread for each download under way: worth starting when what arrives is not just stored but
  // processed.
  {
    name: "ThreadPoolExecutor",
    makeExecutor: (maxWorkers) => new ThreadPoolExecutor({ maxWorkers }),
  },
];

/** Fetches all files. Starting and ending the workers is a part of it. */
async function fetchAll(
  way: Way,
  orders: readonly Order[],
  { workers, trace }: CommandLine,
): Promise<Delivery[]> {
  if (way.makeExecutor === undefined) {
    const deliveries: Delivery[] = [];
    for (const order of orders) deliveries.push(await download(order));
    return deliveries;
  }
  await using executor = way.makeExecutor(workers);
  await using _ = await traceInto(way.isTraced ? trace : undefined, executor);
  return await executor.map(download, orders).toArray();
}

/**
 * Fetches all files into a folder in each way, and prints the results. Returns whether everything
 * went well.
 */
async function compare(
  urls: readonly string[],
  names: readonly string[],
  folder: string,
  commandLine: CommandLine,
): Promise<boolean> {
  using parts = temporaryFolder({ dir: folder, prefix: ".parts-" });
  const orders = urls.map((url, i): Order => ({
    url,
    file: `${folder}/${names[i]}`,
    part: `${parts.path}/${i}`,
    timeoutMs: commandLine.timeoutMs,
  }));
  const table = new Table(WAYS.map(({ name }) => name));
  let isGood = true;
  for (const way of WAYS) {
    const beganMs = performance.now();
    const deliveries = await fetchAll(way, orders, commandLine);
    const tookMs = performance.now() - beganMs;
    const problems = deliveries.filter(({ problem }) => problem !== undefined);
    const bytes = deliveries.reduce((sum, { bytes }) => sum + bytes, 0);
    const files = count(deliveries.length - problems.length, "file");
    table.add(way.name, tookMs, `${files}, ${megabytes(bytes)}`);
    for (const { url, problem } of problems) console.error(`${url}: ${problem}`);
    if (problems.length > 0) isGood = false;
  }
  return isGood;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Fetches the photos of this program's own server. */
async function downloadPhotos(commandLine: CommandLine): Promise<boolean> {
  const { small, workers, into } = commandLine;
  // Not imported at the top: workers import this file too, and do not need the library that paints.
  const { makePhotos, photoNames } = await import("./_photos.ts");
  const names = photoNames();
  if (into !== undefined) await prepareFolder(into, names);
  using temporary = temporaryFolder({ prefix: "photos-" });
  const folder = into ?? `${temporary.path}/fetched`;
  await Deno.mkdir(folder, { recursive: true });
  const photos = await makePhotos(temporary.path, { small });
  const line = small ? NEAR : FAR;
  await using server = servePhotos(photos, line);

  const { latencyMs, bytesPerSecond } = line;
  const rate = `${latencyMs / 1000} s and then ${megabytes(bytesPerSecond)}/s for each`;
  console.log(`${count(photos.length, "photo")}, ${count(workers, "worker")}, ${rate}\n`);
  const isGood = await compare(server.urls, names, folder, commandLine);
  if (isGood) await checkSame(photos, names.map((name) => `${folder}/${name}`));
  return isGood;
}

/** Throws unless the files that arrived are those that were sent. */
async function checkSame(sent: readonly string[], came: readonly string[]): Promise<void> {
  for (const [i, file] of came.entries()) {
    if (await digestOf(file) !== await digestOf(sent[i])) {
      throw new Error(`${nameOf(file)} is not what was sent`);
    }
  }
}

async function digestOf(file: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(file));
  return new Uint8Array(digest).toHex();
}

/** Fetches the files at the given addresses. */
async function downloadUrls(urls: readonly string[], commandLine: CommandLine): Promise<boolean> {
  const { workers, into: folder = "downloads" } = commandLine;
  const names = namesOf(urls);
  await prepareFolder(folder, names);
  console.log(`${count(urls.length, "file")}, ${count(workers, "worker")}, into ${folder}\n`);
  return await compare(urls, names, folder, commandLine);
}

/**
 * Returns a file name for each address: the last part of the address, with a number added if the
 * name is taken.
 */
export function namesOf(urls: readonly string[]): string[] {
  const taken = new Set<string>();
  return urls.map((text) => {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      refuse(`"${text}" is not an address that begins with http:// or https://`);
    }
    const [, stem, ending = ""] = /^(.+?)(\.\w+)?$/.exec(safeName(nameOf(url.pathname)))!;
    let name = stem + ending;
    // Some systems do not tell upper from lower case in file names.
    for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${stem}-${i}${ending}`;
    taken.add(name.toLowerCase());
    return name;
  });
}

/**
 * Returns the last part of an address as a file name, without characters that a name cannot have
 * and without leading dots, which would hide the file.
 */
function safeName(part: string): string {
  let name = part;
  try {
    name = decodeURIComponent(part);
  } catch {
    // The part has a percent sign that stands for itself.
  }
  return name.replaceAll(/[\p{Cc}"*/:<>?\\|]/gu, "_").replace(/^\.+/, "") || "index";
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  const commandLine = parseCommandLine(Deno.args, HELP, {
    workers: WORKERS,
    timeoutMs: TIMEOUT_MS,
  });
  const { inputs } = commandLine;
  const isGood = inputs.length === 0
    ? await downloadPhotos(commandLine)
    : await downloadUrls(inputs, commandLine);
  Deno.exitCode = isGood ? 0 : 1;
}
