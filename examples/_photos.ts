/**
 * What `download_images.ts` and `process_images.ts` work on: fifteen photographs, painted here
 * instead of taken.
 *
 * They are JPEG files of about four megapixels, with smooth skies, sharp edges and grain, so that
 * they are as large as a camera's and take as long to read.
 *
 * @module
 */

import { task, ThreadPoolExecutor } from "@concurrent/futures";
import {
  initializeImageMagick,
  MagickFormat,
  MagickImage,
  MagickReadSettings,
} from "@imagemagick/magick-wasm";

const PHOTOS = 15;

/** Widths and heights, in turn. */
const SIZES = [[2304, 1728], [2496, 1664], [1600, 2400]] as const;

/** The scale of a small photo's sides. */
const SMALL = 1 / 16;

const JPEG_QUALITY = 92;

/**
 * Makes ImageMagick ready in this thread. It is WebAssembly, and each thread has its own instance
 * with its own memory, so each thread must call this first. A pool calls it as its `initializer`.
 */
export const startImageMagick = task(
  import.meta,
  async function startImageMagick(): Promise<void> {
    const wasm = import.meta.resolve("@imagemagick/magick-wasm/magick.wasm");
    await initializeImageMagick(await Deno.readFile(new URL(wasm)));
  },
);

/** A photo to paint. */
interface Canvas {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly seed: number;
}

/** Returns the names of the files. */
export function photoNames(): string[] {
  return Array.from({ length: PHOTOS }, (_, i) => `photo-${`${i + 1}`.padStart(2, "0")}.jpg`);
}

/** Paints the photos into a folder, the same ones each time. Returns the paths of the files. */
export async function makePhotos(
  folder: string,
  { small = false }: { small?: boolean } = {},
): Promise<string[]> {
  console.log(`Painting ${PHOTOS} photos\n`);
  const scale = small ? SMALL : 1;
  const canvases = photoNames().map((name, i): Canvas => {
    const [width, height] = SIZES[i % SIZES.length];
    return {
      file: `${folder}/${name}`,
      width: width * scale,
      height: height * scale,
      seed: i + 1,
    };
  });
  await using pool = new ThreadPoolExecutor({ initializer: startImageMagick });
  await pool.map(paint, canvases, { chunksize: 1 }).toArray();
  return canvases.map(({ file }) => file);
}

/**
 * Paints hills below a sky with a sun: one range of hills in front of the other, each darker and
 * grainier than the one behind it.
 */
export const paint = task(import.meta, function paint(canvas: Canvas): void {
  const { file, width, height, seed } = canvas;
  const random = randomFrom(seed);
  const ranges = [0.45, 0.55, 0.68, 0.82].map((at) => skyline(width, height * at, random));
  const hue = random();
  const sun = { x: width * random(), y: height * 0.3 * random(), radius: height / 12 };
  const pixels = new Uint8ClampedArray(width * height * 3);
  let grain = seed;
  for (let y = 0, at = 0; y < height; y++) {
    const down = y / height;
    for (let x = 0; x < width; x++) {
      // Xorshift, inline: a call for each pixel would take most of the time.
      grain ^= grain << 13;
      grain ^= grain >>> 17;
      grain ^= grain << 5;
      let nearest = ranges.length;
      while (nearest > 0 && y < ranges[nearest - 1][x]) nearest--;
      const noise = ((grain & 255) / 255 - 0.5) * (10 + 12 * nearest);
      const light = nearest > 0 ? 170 - 38 * nearest : 130 + 110 * down;
      const isSun = nearest === 0 && Math.abs(y - sun.y) < sun.radius &&
        (x - sun.x) ** 2 + (y - sun.y) ** 2 < sun.radius ** 2;
      pixels[at++] = noise + (isSun ? 255 : light * (0.7 + 0.5 * hue * down));
      pixels[at++] = noise + (isSun ? 236 : light * (nearest > 0 ? 1 : 0.85));
      pixels[at++] = noise + (isSun ? 170 : light * (nearest > 0 ? 0.6 : 1.25 - hue * down));
    }
  }
  save(file, pixels, width, height);
});

/** Returns, for each column, how far down a range of hills begins. */
function skyline(width: number, baseline: number, random: () => number): Float64Array {
  const waves = [1, 2.3, 5.1, 17, 61].map((count) => ({
    phase: 2 * Math.PI * random(),
    step: 2 * Math.PI * count / width,
    rise: baseline / (8 * count) * (0.5 + random()),
  }));
  return Float64Array.from({ length: width }, (_, x) =>
    waves.reduce(
      (y, { phase, step, rise }) => y + rise * Math.sin(phase + step * x),
      baseline,
    ));
}

/** Returns a source of numbers from 0 to 1 that depend on the seed alone. */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1); // Otherwise similar seeds would begin alike.
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function save(file: string, pixels: Uint8ClampedArray, width: number, height: number): void {
  const settings = new MagickReadSettings({ format: MagickFormat.Rgb, width, height, depth: 8 });
  const image = MagickImage.create(pixels, settings);
  try {
    image.quality = JPEG_QUALITY;
    image.write(MagickFormat.Jpeg, (bytes) => Deno.writeFileSync(file, bytes));
  } finally {
    image.dispose();
  }
}
