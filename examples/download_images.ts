/**
 * Fifteen photos from a slow server: one by one, then on the event loop and by threads, eight at a time.
 *
 *   deno run -A examples/download_images.ts
 *   deno run -A examples/download_images.ts --workers 4
 *   deno run -A examples/download_images.ts --into photos https://example.com/a.jpg https://example.com/b.jpg
 *
 * A download is mostly waiting, and many can wait at once. That takes no processor: the event loop alone does it as well
 * as threads, and at less cost. The server is a part of this program, and as slow as one far away; what it serves is made
 * first. Addresses of your own are fetched instead, each way once, into a folder that stays.
 *
 * What cannot be fetched is reported, and the others go on; the program exits with 1 then. A file gets its name when it is
 * whole, and nothing is left of one that is not.
 *
 * Instead of `-A`: `--allow-read --allow-write --allow-net=127.0.0.1`, and for addresses of your own `--allow-net`.
 *
 * @module
 */

import { AsyncExecutor, type Executor, task, ThreadPoolExecutor } from "@concurrent/futures";
import { refuse } from "./_options.ts";
import {
  type CommandLine,
  count,
  discardParts,
  nameOf,
  onExit,
  parseCommandLine,
  prepareFolder,
  Table,
  temporaryFolder,
  traceInto,
  writeWhole,
} from "./_photo_program.ts";
import { servePhotos } from "./_photo_server.ts";

const WORKERS = 8;
const TIMEOUT_MS = 10_000;

const FAR = { latencyMs: 300, bytesPerSecond: 1_000_000 };
/** For small photos. */
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

/** A file to be fetched. */
export interface Order {
  readonly url: string;
  readonly file: string;
  readonly timeoutMs: number;
}

/** What came of it. */
export interface Delivery {
  readonly url: string;
  readonly bytes: number;
  /** Why there is no file. */
  readonly problem?: string;
}

/** Fetches a file. It does not throw: what went wrong with one file stands in the list, among the others. */
export const download = task(import.meta, async function download(order: Order): Promise<Delivery> {
  const { url, file } = order;
  try {
    return { url, bytes: await writeWhole(file, (part) => fetchInto(part, order)) };
  } catch (error) {
    return { url, bytes: 0, problem: reasonOf(error as Error) };
  }
});

/** Writes to a file what an address answers, as it comes; returns how many bytes that is. */
async function fetchInto(file: string, { url, timeoutMs }: Order): Promise<number> {
  using patience = new Patience(timeoutMs);
  const response = await fetch(url, { signal: patience.signal });
  if (!response.ok) {
    await response.body?.cancel(); // Or the connection would stay open.
    throw new Error(`${response.status} ${response.statusText}`.trimEnd());
  }
  const expected = lengthOf(response.headers);
  let bytes = 0;
  const brokeOff = (cause?: unknown) => {
    const all = expected === undefined ? "" : ` of ${expected}`;
    return new Error(`broke off after ${bytes}${all} bytes`, { cause });
  };
  using out = await Deno.open(file, { write: true, create: true, truncate: true });
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

/** How many bytes are announced. What was compressed on the way has another length now. */
function lengthOf(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  return length === null || headers.has("content-encoding") ? undefined : Number(length);
}

/** Aborts its signal when it was not renewed for some time: a long download is fine, one that stands still is not. */
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

/** What went wrong and why, without the address, which the runtime repeats. */
function reasonOf(error: Error): string {
  const { message, cause } = error;
  if (!(cause instanceof Error)) return message.replace(/^error sending .*? for url \(.*?\): /, "");
  // "fetch failed" says less than its cause.
  return error instanceof TypeError ? reasonOf(cause) : `${message}: ${reasonOf(cause)}`;
}

/** A way to do it. */
interface Way {
  readonly name: string;
  /** Makes what runs the downloads; without it, a plain loop does. */
  readonly makeExecutor?: (maxWorkers: number) => Executor;
  /** Whether it is the one to draw. */
  readonly isTraced?: boolean;
}

const WAYS: readonly Way[] = [
  { name: "one by one" },
  {
    name: "AsyncExecutor",
    makeExecutor: (maxWorkers) => new AsyncExecutor({ maxWorkers }),
    isTraced: true,
  },
  // A thread for each download under way. It is worth its start when what comes is not just stored, but worked on.
  {
    name: "ThreadPoolExecutor",
    makeExecutor: (maxWorkers) => new ThreadPoolExecutor({ maxWorkers }),
  },
];

/** Fetches all files; the start and the end of workers are a part of it. */
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

/** Fetches all files each way, and prints what came of it. Returns whether everything went well. */
async function compare(orders: readonly Order[], commandLine: CommandLine): Promise<boolean> {
  using _ = onExit(() => discardParts(orders.map(({ file }) => file)));
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

/** Fetches what the server here has. */
async function downloadPhotos(commandLine: CommandLine): Promise<boolean> {
  const { small, workers, timeoutMs, into } = commandLine;
  // Not at the top: workers import this file too, and have no use for a library that paints.
  const { makePhotos, photoNames } = await import("./_photos.ts");
  if (into !== undefined) await prepareFolder(into, photoNames());
  await using temporary = temporaryFolder();
  const folder = into ?? `${temporary.path}/fetched`;
  await Deno.mkdir(folder, { recursive: true });
  const photos = await makePhotos(temporary.path, { small });
  const line = small ? NEAR : FAR;
  await using server = servePhotos(photos, line);
  const orders = server.urls.map((url) => ({ url, file: `${folder}/${nameOf(url)}`, timeoutMs }));

  const { latencyMs, bytesPerSecond } = line;
  const rate = `${latencyMs / 1000} s and then ${megabytes(bytesPerSecond)}/s for each`;
  console.log(`${count(orders.length, "photo")}, ${count(workers, "worker")}, ${rate}\n`);
  const isGood = await compare(orders, commandLine);
  if (isGood) await checkSame(photos, orders.map(({ file }) => file));
  return isGood;
}

/** Throws unless what came is what was sent. */
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

/** Fetches what is at some addresses. */
async function downloadUrls(urls: readonly string[], commandLine: CommandLine): Promise<boolean> {
  const { workers, timeoutMs, into: folder = "downloads" } = commandLine;
  const names = namesOf(urls);
  await prepareFolder(folder, names);
  console.log(`${count(urls.length, "file")}, ${count(workers, "worker")}, into ${folder}\n`);
  const orders = urls.map((url, i) => ({ url, file: `${folder}/${names[i]}`, timeoutMs }));
  return await compare(orders, commandLine);
}

/** A name for the file of each address: the address's last part, with a number where others end in the same. */
export function namesOf(urls: readonly string[]): string[] {
  const taken = new Set<string>();
  return urls.map((text) => {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      refuse(`"${text}" is not an address that begins with http:// or https://`);
    }
    const [, stem, ending = ""] = /^(.+?)(\.\w+)?$/.exec(safeName(nameOf(url.pathname)))!;
    let name = stem + ending;
    // Some systems do not tell upper from lower case in names.
    for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${stem}-${i}${ending}`;
    taken.add(name.toLowerCase());
    return name;
  });
}

/** What an address calls a file, without what cannot be in a name, or would hide the file. */
function safeName(part: string): string {
  let name = part;
  try {
    name = decodeURIComponent(part);
  } catch {
    // A percent sign that stands for itself.
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
