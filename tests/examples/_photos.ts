/** What the tests of `download_images.ts` and `process_images.ts` have in common. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname } from "@std/path";
import { type IMagickImage, initializeImageMagick, MagickImage } from "@imagemagick/magick-wasm";
import { readExamples } from "../../tools/examples.ts";
import type { RunResult } from "../_support/run.ts";
import { CONFIG, ROOT, type ScratchFolder } from "../_support/scratch.ts";
import { assertInTime, inGoodTime } from "../_support/time_limits.ts";

await initializeImageMagick(
  await Deno.readFile(new URL(import.meta.resolve("@imagemagick/magick-wasm/magick.wasm"))),
);

/**
 * Programs that paint photos and start threads take their time while other tests run beside them.
 */
export const VERY_SLOW = { timeout: 120_000 };
export const TIMEOUT_MS = 90_000;

/** Widths and heights of small photos, in turn. */
export const SMALL_SIZES = ["144x108", "156x104", "100x150"];

export const PHOTO_NAMES = Array.from(
  { length: 15 },
  (_, i) => `photo-${i < 9 ? "0" : ""}${i + 1}.jpg`,
);

/** A folder in a scratch folder. */
export async function folderIn(scratch: ScratchFolder, name: string): Promise<string> {
  const folder = `${dirname(await scratch.write("mark", ""))}/${name}`;
  await Deno.mkdir(folder, { recursive: true });
  return folder;
}

/** The names of the files in a folder. */
export function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

/** The permissions that the header of an example says are enough. */
export async function documentedPermissions(name: string): Promise<string[]> {
  const example = (await readExamples()).find((example) => example.name === name);
  const permissions = /Instead of `-A`: `([^`]+)`/.exec(example?.header ?? "")?.[1];
  assert(permissions !== undefined, `the header of ${name}.ts names no permissions`);
  return permissions.split(" ");
}

/** Gives a picture, which must be whole, to a function. */
export function withPicture<T>(file: string, look: (image: IMagickImage) => T): T {
  const image = MagickImage.create();
  try {
    image.onWarning = ({ error }) => {
      throw new Error(`${file}: ${error.message}`);
    };
    image.read(Deno.readFileSync(file));
    return look(image);
  } finally {
    image.dispose();
  }
}

/** `WIDTHxHEIGHT` of a picture. */
export function sizeOf(file: string): string {
  return withPicture(file, ({ width, height }) => `${width}x${height}`);
}

/** A line of the table that the programs print. */
export interface Row {
  readonly name: string;
  readonly remark: string;
}

const ROW = /^(.+?) *: Took +\d+\.\d{3} seconds +\d+\.\d\dx {2}█+ *(.*)$/;

/** Splits what a program prints into the lines of its table and the others. */
export function parseOutput(stdout: string): { rows: Row[]; others: string[] } {
  const rows: Row[] = [];
  const others: string[] = [];
  for (const line of stdout.split("\n")) {
    const row = ROW.exec(line);
    if (row !== null) rows.push({ name: row[1], remark: row[2] });
    else if (line !== "") others.push(line);
  }
  return { rows, others };
}

/** Asserts that the program ended with code 2, and printed this message alone. */
export function assertRefuses({ code, stdout, stderr }: RunResult, message: RegExp): void {
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, message);
  assert(!/^ +at /m.test(stderr), `a stack is shown:\n${stderr}`);
}

/** How a program is interrupted. */
interface Interruption {
  args: string[];
  env?: Record<string, string>;
  signal: Deno.Signal;
  isReady: () => boolean;
}

/** Starts an example, sends a signal once `isReady` holds, and returns the exit code. */
export function codeAfterSignal(name: string, how: Interruption): Promise<number> {
  return inGoodTime(async () => {
    const code = await codeOf(name, how);
    // The program may end before this thread can send the signal.
    assertInTime(code !== 0);
    return code;
  });
}

async function codeOf(
  name: string,
  { args, env, signal, isReady }: Interruption,
): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", CONFIG, `examples/${name}.ts`, ...args],
    cwd: ROOT,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  let ended = false;
  const status = child.status.finally(() => ended = true);
  try {
    while (!ended && !isReady()) await new Promise((resolve) => setTimeout(resolve, 10));
    if (!ended) child.kill(signal);
    return (await status).code;
  } finally {
    clearTimeout(deadline);
  }
}
