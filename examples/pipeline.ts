/**
 * Download, resize, upload: a thousand pictures go through three stages of threads, with a bounded
 * queue before each stage.
 *
 *   deno run -A examples/pipeline.ts
 *
 * The uploads are the slowest stage. Each queue fills up to its `maxsize`; then whoever puts into
 * it sleeps until there is room. So the fast stages slow down by themselves, memory stays bounded,
 * and no thread looks in vain for work. `pipeline_done_wrong.ts` does the same work without queues,
 * and prints the same kind of report.
 *
 * It prints, for instance:
 *
 *   1000 pictures, 8 threads, queues of 16
 *
 *   download                   365   357   278
 *   resize                     510   490
 *   upload                     480   323   197
 *   most addresses waiting      16
 *   most pictures waiting       16
 *   most thumbnails waiting     16
 *   uploads                   1000
 *   different pictures        1000
 *   seconds                   1.94
 *
 * @module
 */

import { Queue, task, ThreadPoolExecutor } from "@concurrent/futures";
import * as pictures from "./_pictures.ts";
import { DOWNLOAD_MS, ITEMS, RESIZERS, THREADS, UPLOAD_MS } from "./_pictures.ts";

const MAXSIZE = 16;

/** The queues of the pipeline, one before each stage. */
interface Line {
  readonly addresses: Queue<number>;
  readonly pictures: Queue<pictures.Picture>;
  readonly thumbnails: Queue<pictures.Thumbnail>;
}

/**
 * What a thread of a stage did: the numbers of its items, and the greatest length at which it saw
 * the next queue.
 */
interface Shift {
  readonly numbers: readonly number[];
  readonly peak: number;
}

/** Downloads until there are no more addresses. */
export const download = task(
  import.meta,
  function download(line: Line, latencyMs: number): Shift {
    const numbers: number[] = [];
    let peak = 0;
    // Sleeps while the queue is empty; ends when it is shut down.
    for (const number of line.addresses) {
      line.pictures.putSync(pictures.download(number, latencyMs)); // Sleeps while `pictures` is full.
      line.addresses.taskDone();
      peak = Math.max(peak, line.pictures.qsize());
      numbers.push(number);
    }
    return { numbers, peak };
  },
);

export const resize = task(import.meta, function resize(line: Line): Shift {
  const numbers: number[] = [];
  let peak = 0;
  for (const picture of line.pictures) {
    line.thumbnails.putSync(pictures.resize(picture));
    line.pictures.taskDone();
    peak = Math.max(peak, line.thumbnails.qsize());
    numbers.push(picture.number);
  }
  return { numbers, peak };
});

export const upload = task(import.meta, function upload(line: Line, latencyMs: number): Shift {
  const numbers: number[] = [];
  for (const thumbnail of line.thumbnails) {
    numbers.push(pictures.upload(thumbnail, latencyMs));
    line.thumbnails.taskDone();
  }
  return { numbers, peak: 0 };
});

function longest(shifts: readonly Shift[]): number {
  return Math.max(...shifts.map(({ peak }) => peak));
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: THREADS });
  const line: Line = {
    addresses: new Queue(MAXSIZE),
    pictures: new Queue(MAXSIZE),
    thumbnails: new Queue(MAXSIZE),
  };
  console.log(`${ITEMS} pictures, ${THREADS} threads, queues of ${MAXSIZE}\n`);

  const beganMs = performance.now();
  const downloaders = DOWNLOAD_MS.map((ms) => pool.submit(download, line, ms));
  const resizers = Array.from({ length: RESIZERS }, () => pool.submit(resize, line));
  const uploaders = UPLOAD_MS.map((ms) => pool.submit(upload, line, ms));

  let peak = 0;
  for (let number = 0; number < ITEMS; number++) {
    await line.addresses.put(number); // Waits for room; the event loop goes on meanwhile.
    peak = Math.max(peak, line.addresses.qsize());
  }
  // Stage by stage: when a queue is joined, all its items have gone on to the next queue.
  for (const queue of [line.addresses, line.pictures, line.thumbnails]) {
    await queue.join();
    queue.shutdown();
  }
  const downloads = await Promise.all(downloaders);
  const resizes = await Promise.all(resizers);
  const uploads = await Promise.all(uploaders);
  const countEach = (shifts: Shift[]) => shifts.map(({ numbers }) => numbers.length);
  pictures.report({
    counts: {
      download: countEach(downloads),
      resize: countEach(resizes),
      upload: countEach(uploads),
    },
    peaks: { addresses: peak, pictures: longest(downloads), thumbnails: longest(resizes) },
    uploaded: uploads.flatMap(({ numbers }) => numbers),
    tookMs: performance.now() - beganMs,
  });
}
