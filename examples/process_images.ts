/**
 * Blurs fifteen photos and makes thumbnails of them: in a loop, by threads and by processes.
 *
 *   deno run -A examples/process_images.ts
 *   deno run -A examples/process_images.ts --workers 4
 *   deno run -A examples/process_images.ts --into thumbnails pictures
 *
 * This is all computing: two processors do it in half the time, while the event loop would not do
 * it any faster. Processes need more time than threads to start; in return, nothing that a library
 * does in one of them can harm the program.
 *
 * The photos are painted first. Or name a folder of your own: its pictures are left as they are,
 * and the thumbnails are kept. A broken picture is reported and skipped, and the program exits with
 * 1.
 *
 * Instead of `-A`: `--allow-read --allow-write --allow-run --allow-env`.
 *
 * @module
 */

import {
  cpuCount,
  type Executor,
  ProcessPoolExecutor,
  task,
  ThreadPoolExecutor,
} from "@concurrent/futures";
import { MagickErrorSeverity, MagickGeometry, MagickImage } from "@imagemagick/magick-wasm";
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
import { makePhotos, photoNames, startImageMagick } from "./_photos.ts";

/** How far the blur reaches, in pixels: the standard deviation of the Gaussian bell curve. */
const BLUR_SIGMA = 8;
/** Pixels of a thumbnail's longer side, at most. */
const THUMBNAIL_SIDE = 1200;

const PICTURE = /\.(?:avif|bmp|gif|heic|jpe?g|png|tiff?|webp)$/i;

const HELP = `Blurs pictures and makes thumbnails: in a loop, by threads and by processes.

Usage: process_images.ts [options] [FOLDER]

Options:
  --workers N    How many workers a pool has (default: one for each processor)
  --into FOLDER  Where the thumbnails go, and stay (for a FOLDER: default thumbnails)
  --trace FILE   Write a timeline of the threads: .svg, .html, or .json for Perfetto
  --small        Small photos
  --help         Show this text`;

/** A thumbnail to make. */
export interface Job {
  readonly picture: string;
  readonly thumbnail: string;
  /** Where the thumbnail is until it is complete. */
  readonly part: string;
}

/** The outcome of a job. */
export interface Outcome {
  readonly picture: string;
  /** A digest of the thumbnail's pixels. */
  readonly digest?: string;
  /** Why there is no thumbnail. */
  readonly problem?: string;
}

/**
 * Makes a thumbnail. Does not throw: what is wrong with one picture is reported in its place in the
 * list of outcomes.
 *
 * Only file names are sent to the worker and back, no pictures: the worker reads and writes the
 * files itself.
 */
export const makeThumbnail = task(
  import.meta,
  async function makeThumbnail({ picture, thumbnail, part }: Job): Promise<Outcome> {
    try {
      const { bytes, digest } = shrink(await Deno.readFile(picture));
      await Deno.writeFile(part, bytes);
      await Deno.rename(part, thumbnail);
      return { picture, digest };
    } catch (error) {
      // Of "UnexpectedEndOfFile `' @ error/png.c/MagickPNGError/1308", leaves out the place in the
      // library's code.
      return { picture, problem: (error as Error).message.replace(/ `.* @ \S+$/s, "") };
    }
  },
);

/**
 * Makes a thumbnail from the bytes of a picture, by ImageMagick compiled to WebAssembly, which
 * computes only in the thread that calls it. With a library that has its own threads there would be
 * nothing to compare: even a loop could keep all processors busy with it.
 */
function shrink(picture: Uint8Array): { bytes: Uint8Array<ArrayBuffer>; digest: string } {
  const image = MagickImage.create();
  try {
    let damage: Error | undefined;
    // Half a JPEG file is read without an error, only with a warning; the rest of the picture is
    // gray.
    image.onWarning = ({ error }) => {
      if (error.severity === MagickErrorSeverity.CorruptImageWarning) damage ??= error;
    };
    image.read(picture);
    if (damage !== undefined) throw damage;
    image.autoOrient();
    image.blur(0, BLUR_SIGMA); // Gaussian, and twice as fast as `gaussianBlur`.
    // With ">", a picture that is already small is not enlarged.
    image.thumbnail(new MagickGeometry(`${THUMBNAIL_SIDE}x${THUMBNAIL_SIDE}>`));
    return {
      bytes: image.write(image.format, (bytes) => bytes.slice()),
      digest: image.signature ?? "",
    };
  } finally {
    image.dispose(); // Its memory is WebAssembly's, which is not garbage-collected.
  }
}

/** A way to make all thumbnails. */
interface Way {
  readonly name: string;
  /** Makes the executor that runs the jobs; without it, a plain loop runs them. */
  readonly makeExecutor?: (maxWorkers: number) => Executor;
  /** Whether this is the way that `--trace` records. */
  readonly isTraced?: boolean;
}

const initializer = startImageMagick;
const WAYS: readonly Way[] = [
  { name: "linear" },
  {
    name: "ThreadPoolExecutor",
    makeExecutor: (maxWorkers) => new ThreadPoolExecutor({ maxWorkers, initializer }),
    isTraced: true,
  },
  {
    name: "ProcessPoolExecutor",
    makeExecutor: (maxWorkers) => new ProcessPoolExecutor({ maxWorkers, initializer }),
  },
];

/**
 * Makes all thumbnails. Starting ImageMagick, and starting and ending the workers, is a part of it.
 */
async function makeAll(
  way: Way,
  jobs: readonly Job[],
  { workers, trace }: CommandLine,
): Promise<Outcome[]> {
  if (way.makeExecutor === undefined) {
    await startImageMagick();
    const outcomes: Outcome[] = [];
    for (const job of jobs) outcomes.push(await makeThumbnail(job));
    return outcomes;
  }
  await using executor = way.makeExecutor(workers);
  await using _ = await traceInto(way.isTraced ? trace : undefined, executor);
  return await executor.map(makeThumbnail, jobs).toArray();
}

/**
 * Makes all thumbnails in a folder in each way, and prints the results. Returns whether everything
 * went well.
 */
async function compare(
  pictures: readonly string[],
  thumbnails: string,
  commandLine: CommandLine,
): Promise<boolean> {
  using parts = temporaryFolder({ dir: thumbnails, prefix: ".parts-" });
  const jobs = await jobsOf(pictures, thumbnails, parts.path);
  console.log(`${count(jobs.length, "picture")}, ${count(commandLine.workers, "worker")}\n`);
  const table = new Table(WAYS.map(({ name }) => name));
  let first: Outcome[] | undefined;
  for (const way of WAYS) {
    const beganMs = performance.now();
    const outcomes = await makeAll(way, jobs, commandLine);
    table.add(way.name, performance.now() - beganMs, "");
    checkSame(way, outcomes, first ??= outcomes);
  }
  const problems = first!.filter(({ problem }) => problem !== undefined);
  const made = count(jobs.length - problems.length, "thumbnail");
  console.log(`\n${made}, with the same pixels each way`);
  for (const { picture, problem } of problems) console.error(`${picture}: ${problem}`);
  return problems.length === 0;
}

/** Throws unless both ways made the same thumbnails, and found the same pictures broken. */
function checkSame(way: Way, outcomes: readonly Outcome[], expected: readonly Outcome[]): void {
  for (const [i, { picture, digest, problem }] of expected.entries()) {
    if (outcomes[i].digest === digest && outcomes[i].problem === problem) continue;
    throw new Error(`${picture}: ${way.name} has made another thumbnail than ${WAYS[0].name}`);
  }
}

async function processPhotos(commandLine: CommandLine): Promise<boolean> {
  const { small, into } = commandLine;
  if (into !== undefined) await prepareFolder(into, photoNames());
  using temporary = temporaryFolder({ prefix: "photos-" });
  const thumbnails = into ?? `${temporary.path}/thumbnails`;
  await Deno.mkdir(thumbnails, { recursive: true });
  const photos = await makePhotos(temporary.path, { small });
  return await compare(photos, thumbnails, commandLine);
}

async function processFolder(folder: string, commandLine: CommandLine): Promise<boolean> {
  const { into: thumbnails = "thumbnails" } = commandLine;
  const pictures = await picturesIn(folder);
  await prepareFolder(thumbnails, pictures.map(nameOf));
  return await compare(pictures, thumbnails, commandLine);
}

async function picturesIn(folder: string): Promise<string[]> {
  const pictures: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && PICTURE.test(name)) pictures.push(`${folder}/${name}`);
    }
  } catch (error) {
    refuse(`Cannot read ${folder}: ${(error as Error).message}`);
  }
  if (pictures.length === 0) {
    refuse(`Cannot find a picture in ${folder}: no file is named like one`);
  }
  return pictures.sort();
}

/**
 * Makes the jobs, those of the largest files first, so that at the end no worker is left with a
 * long one.
 */
async function jobsOf(
  pictures: readonly string[],
  thumbnails: string,
  parts: string,
): Promise<Job[]> {
  const sizes = new Map<string, number>();
  for (const picture of pictures) sizes.set(picture, (await Deno.stat(picture)).size);
  return pictures
    .toSorted((a, b) => sizes.get(b)! - sizes.get(a)!)
    .map((picture, i) => ({
      picture,
      thumbnail: `${thumbnails}/${nameOf(picture)}`,
      part: `${parts}/${i}`,
    }));
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  const commandLine = parseCommandLine(Deno.args, HELP, { workers: cpuCount() });
  const { inputs: [folder, ...more] } = commandLine;
  if (more.length > 0) refuse(`Expected one folder, got also ${more.join(", ")}`);
  const isGood = folder === undefined
    ? await processPhotos(commandLine)
    : await processFolder(folder, commandLine);
  Deno.exitCode = isGood ? 0 : 1;
}
