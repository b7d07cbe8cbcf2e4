/**
 * What `pipeline.ts` and `pipeline_done_wrong.ts` do to each picture, and how both report.
 *
 * @module
 */

import { Event, task } from "@concurrent/futures";

export const ITEMS = 1_000;

/**
 * How long each thread's network takes for a picture: the threads of a stage are not equally fast.
 */
export const DOWNLOAD_MS = [1, 1, 2];
export const UPLOAD_MS = [2, 3, 5];
export const RESIZERS = 2;

export const THREADS = DOWNLOAD_MS.length + RESIZERS + UPLOAD_MS.length;

/** Pixels of a picture's side. */
const SIDE = 64;

export interface Picture {
  readonly number: number;
  readonly pixels: Uint8Array;
}

export interface Thumbnail extends Picture {
  readonly sum: number;
}

/** Blocks the thread without computing. */
function sleep(ms: number): void {
  new Event().waitSync({ timeout: ms }); // Nobody sets this event.
}

/** Returns the picture with the given number, one byte for each pixel. */
export const download = task(
  import.meta,
  function download(number: number, latencyMs: number): Picture {
    sleep(latencyMs);
    const pixels = new Uint8Array(SIDE * SIDE);
    for (let i = 0; i < pixels.length; i++) pixels[i] = (number * 31 + i * (i >> 6)) & 255;
    return { number, pixels };
  },
);

/** Makes a picture half as wide and half as high: each pixel is the average of four. */
export const resize = task(
  import.meta,
  function resize({ number, pixels }: Picture): Thumbnail {
    const half = SIDE / 2;
    const small = new Uint8Array(half * half);
    for (let i = 0; i < small.length; i++) {
      const at = 2 * (i % half) + 2 * SIDE * Math.floor(i / half);
      small[i] = (pixels[at] + pixels[at + 1] + pixels[at + SIDE] + pixels[at + SIDE + 1]) >> 2;
    }
    return { number, pixels: small, sum: checksum(small) };
  },
);

/** Returns a number that changes when a byte, or the order of the bytes, changes. */
function checksum(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => Math.imul(sum ^ byte, 16_777_619), 0) >>> 0;
}

/**
 * Uploads a thumbnail. Returns its number if its pixels arrived as they were sent, and -1
 * otherwise.
 */
export const upload = task(
  import.meta,
  function upload({ number, pixels, sum }: Thumbnail, latencyMs: number): number {
    sleep(latencyMs);
    return checksum(pixels) === sum ? number : -1;
  },
);

/** The outcome of a run. */
export interface Outcome {
  /** For each stage, how many items each of its threads handled. */
  readonly counts: Record<string, readonly number[]>;
  /** For each place where items wait, the most that waited there at a time. */
  readonly peaks: Record<string, number>;
  /**
   * How often somebody woke up, looked, and found nothing to do. Left out where nobody has to look.
   */
  readonly polls?: number;
  /** The numbers of the uploaded pictures, -1 for each that did not arrive as it was sent. */
  readonly uploaded: readonly number[];
  readonly tookMs: number;
}

/** Prints an outcome, with the same lines for both programs. */
export function report({ counts, peaks, polls, uploaded, tookMs }: Outcome): void {
  for (const [stage, each] of Object.entries(counts)) line(stage, ...each);
  for (const [place, peak] of Object.entries(peaks)) line(`most ${place} waiting`, peak);
  if (polls !== undefined) line("polls in vain", polls);
  line("uploads", uploaded.length);
  line("different pictures", new Set(uploaded.filter((number) => number >= 0)).size);
  line("seconds", (tookMs / 1000).toFixed(2));
}

function line(what: string, ...values: readonly (number | string)[]): void {
  console.log(what.padEnd(24) + values.map((value) => `${value}`.padStart(6)).join(""));
}
