/**
 * How not to do it: the work of `pipeline.ts`, by the same number of threads, with arrays in place
 * of queues.
 *
 *   deno run -A examples/pipeline_done_wrong.ts
 *
 * Nothing slows the fast stages down, so the array after a stage grows as long as that stage is
 * faster than the next. A stage with nothing to do looks again every millisecond, mostly in vain.
 *
 * It prints, for instance:
 *
 *   1000 pictures, 8 threads, arrays without an end
 *
 *   download                   388   367   245
 *   resize                     488   512
 *   upload                     461   327   212
 *   most pictures waiting        5
 *   most thumbnails waiting    477
 *   polls in vain             1247
 *   uploads                   1000
 *   different pictures        1000
 *   seconds                   1.74
 *
 * @module
 */

import { ThreadPoolExecutor } from "@concurrent/futures";
import * as pictures from "./_pictures.ts";
import { DOWNLOAD_MS, ITEMS, RESIZERS, THREADS, UPLOAD_MS } from "./_pictures.ts";

const POLL_MS = 1;

// Workers do not import this module: the functions that they run are in `_pictures.ts`.
await using pool = new ThreadPoolExecutor({ maxWorkers: THREADS });
const waiting: pictures.Picture[] = [];
const thumbnails: pictures.Thumbnail[] = [];
const uploaded: number[] = [];
const peaks = { pictures: 0, thumbnails: 0 };
let next = 0;
let polls = 0;

/**
 * Waits for an item in an array, and takes it out. Returns `undefined` once all the work is done.
 */
async function take<T>(list: T[]): Promise<T | undefined> {
  for (; list.length === 0 && uploaded.length < ITEMS; polls++) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return list.shift();
}

async function keepDownloading(latencyMs: number): Promise<number> {
  let count = 0;
  for (; next < ITEMS; count++) {
    waiting.push(await pool.submit(pictures.download, next++, latencyMs));
    peaks.pictures = Math.max(peaks.pictures, waiting.length);
  }
  return count;
}

async function keepResizing(): Promise<number> {
  let count = 0;
  for (let picture; (picture = await take(waiting)) !== undefined; count++) {
    thumbnails.push(await pool.submit(pictures.resize, picture));
    peaks.thumbnails = Math.max(peaks.thumbnails, thumbnails.length);
  }
  return count;
}

async function keepUploading(latencyMs: number): Promise<number> {
  let count = 0;
  for (let thumbnail; (thumbnail = await take(thumbnails)) !== undefined; count++) {
    uploaded.push(await pool.submit(pictures.upload, thumbnail, latencyMs));
  }
  return count;
}

console.log(`${ITEMS} pictures, ${THREADS} threads, arrays without an end\n`);
const beganMs = performance.now();
const [download, resize, upload] = await Promise.all([
  Promise.all(DOWNLOAD_MS.map(keepDownloading)),
  Promise.all(Array.from({ length: RESIZERS }, keepResizing)),
  Promise.all(UPLOAD_MS.map(keepUploading)),
]);
const tookMs = performance.now() - beganMs;
pictures.report({ counts: { download, resize, upload }, peaks, polls, uploaded, tookMs });
