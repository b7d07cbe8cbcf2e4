import { assert, assertEquals, assertMatch } from "@std/assert";
import { MagickColor, MagickFormat, MagickImage } from "@imagemagick/magick-wasm";
import { test } from "../_support/leaks.ts";
import { scratchFolder } from "../_support/scratch.ts";
import {
  assertRefuses,
  codeAfterSignal,
  documentedPermissions,
  folderIn,
  namesIn,
  parseOutput,
  PHOTO_NAMES,
  sizeOf,
  SMALL_SIZES,
  TIMEOUT_MS,
  VERY_SLOW,
  withPicture,
} from "./_photos.ts";
import { runExample } from "./_support.ts";

const WAYS = ["linear", "ThreadPoolExecutor", "ProcessPoolExecutor"];

/** A picture file whose left half is black and whose right half is white. */
function halves(width: number, height: number, format: MagickFormat): Uint8Array<ArrayBuffer> {
  const white = MagickImage.create(new MagickColor("white"), width, height);
  const black = MagickImage.create(new MagickColor("black"), width / 2, height);
  try {
    white.composite(black);
    return white.write(format, (bytes) => bytes.slice());
  } finally {
    white.dispose();
    black.dispose();
  }
}

/** How bright a row of a picture is at some columns, from 0 to 255. */
function brightnessAt(file: string, columns: number[]): number[] {
  return withPicture(
    file,
    (image) => image.getPixels((pixels) => columns.map((x) => pixels.getPixel(x, 10)[0])),
  );
}

test(
  "process_images.ts makes the same thumbnails each way with the permissions that it names, and leaves nothing behind",
  VERY_SLOW,
  async () => {
    await using scratch = await scratchFolder();
    const folder = await folderIn(scratch, "temporary");
    const { code, stdout, stderr } = await runExample("process_images", {
      args: ["--small", "--workers", "2"],
      permissions: await documentedPermissions("process_images"),
      env: { TMPDIR: folder },
      timeoutMs: TIMEOUT_MS,
    });
    assertEquals([code, stderr], [0, ""]);
    const { rows, others } = parseOutput(stdout);
    assertEquals(others, [
      "Painting 15 photos",
      "15 pictures, 2 workers",
      "15 thumbnails, with the same pixels each way",
    ]);
    assertEquals(rows.map(({ name }) => name), WAYS);
    assertEquals(namesIn(folder), []);
  },
);

test(
  "process_images.ts --into keeps the thumbnails, and --trace draws a timeline",
  VERY_SLOW,
  async () => {
    await using scratch = await scratchFolder();
    const folder = await folderIn(scratch, "thumbnails");
    const trace = `${folder}.json`;
    const { code, stderr } = await runExample("process_images", {
      args: ["--small", "--workers", "3", "--into", folder, "--trace", trace],
      timeoutMs: TIMEOUT_MS,
    });
    assertEquals([code, stderr], [0, ""]);
    assertEquals(namesIn(folder), PHOTO_NAMES);
    // The photos are smaller than a thumbnail may be.
    const sizes = PHOTO_NAMES.map((name) => sizeOf(`${folder}/${name}`));
    assertEquals(sizes, PHOTO_NAMES.map((_, i) => SMALL_SIZES[i % SMALL_SIZES.length]));
    const { traceEvents } = JSON.parse(await Deno.readTextFile(trace));
    const bars = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
    const names = bars.map(({ name }: { name: string }) => name);
    assertEquals(names.filter((name: string) => name === "makeThumbnail").length, 15);
  },
);

test("process_images.ts blurs and shrinks the pictures of a folder", VERY_SLOW, async () => {
  await using scratch = await scratchFolder();
  const [pictures, thumbnails] = [await folderIn(scratch, "in"), await folderIn(scratch, "out")];
  await Deno.writeFile(`${pictures}/wide.png`, halves(1600, 400, MagickFormat.Png));
  await Deno.writeFile(`${pictures}/HIGH.JPG`, halves(100, 2400, MagickFormat.Jpeg));
  await Deno.writeFile(`${pictures}/small.webp`, halves(200, 100, MagickFormat.WebP));
  await Deno.writeTextFile(`${pictures}/notes.txt`, "no picture");
  await Deno.mkdir(`${pictures}/folder.jpg`);
  const before = namesIn(pictures);

  const { code, stdout, stderr } = await runExample("process_images", {
    args: ["--workers", "2", "--into", thumbnails, pictures],
    permissions: await documentedPermissions("process_images"),
    timeoutMs: TIMEOUT_MS,
  });
  assertEquals([code, stderr], [0, ""]);
  assertEquals(parseOutput(stdout).others, [
    "3 pictures, 2 workers",
    "3 thumbnails, with the same pixels each way",
  ]);
  assertEquals(namesIn(thumbnails), ["HIGH.JPG", "small.webp", "wide.png"]);
  const found = namesIn(thumbnails).map((name) => `${thumbnails}/${name}`);
  assertEquals(found.map(sizeOf), ["50x1200", "200x100", "1200x300"]);
  const formats = found.map((file) => withPicture(file, ({ format }) => format));
  assertEquals(formats, ["JPEG", "WEBP", "PNG"]);

  const [left, nearLeft, nearRight, right] = brightnessAt(found[1], [2, 95, 104, 197]);
  assert(left < 10 && right > 245, `${left} and ${right} far from the edge`);
  assert(nearLeft > 30 && nearRight < 225, `${nearLeft} and ${nearRight} at the edge`);
  assertEquals(namesIn(pictures), before);
});

test(
  "process_images.ts reports a broken picture, and goes on with the others",
  VERY_SLOW,
  async () => {
    await using scratch = await scratchFolder();
    const [pictures, thumbnails] = [await folderIn(scratch, "in"), await folderIn(scratch, "out")];
    const jpeg = halves(400, 400, MagickFormat.Jpeg);
    const png = halves(400, 400, MagickFormat.Png);
    await Deno.writeFile(`${pictures}/good.jpg`, jpeg);
    await Deno.writeFile(`${pictures}/good.png`, png);
    await Deno.writeFile(`${pictures}/half.jpg`, jpeg.subarray(0, jpeg.length / 2));
    await Deno.writeFile(`${pictures}/half.png`, png.subarray(0, png.length / 2));
    await Deno.writeFile(`${pictures}/empty.gif`, new Uint8Array());
    await Deno.writeTextFile(`${pictures}/none.jpg`, "no picture");

    const { code, stdout, stderr } = await runExample("process_images", {
      args: ["--workers", "2", "--into", thumbnails, pictures],
      timeoutMs: TIMEOUT_MS,
    });
    assertEquals(code, 1);
    const { rows, others } = parseOutput(stdout);
    assertEquals(rows.map(({ name }) => name), WAYS);
    assertEquals(others, [
      "6 pictures, 2 workers",
      "2 thumbnails, with the same pixels each way",
    ]);
    assertEquals(
      stderr.trimEnd().split("\n").sort(),
      [
        `${pictures}/empty.gif: The specified array cannot be empty`,
        `${pictures}/half.jpg: Premature end of JPEG file`,
        `${pictures}/half.png: UnexpectedEndOfFile`,
        `${pictures}/none.jpg: NoDecodeDelegateForThisImageFormat`,
      ],
    );
    assertEquals(namesIn(thumbnails), ["good.jpg", "good.png"]);
    for (const name of namesIn(thumbnails)) {
      assertEquals(
        sizeOf(`${thumbnails}/${name}`),
        "400x400",
      );
    }
  },
);

test("process_images.ts removes its own photos when it is interrupted", VERY_SLOW, async () => {
  await using scratch = await scratchFolder();
  const folder = await folderIn(scratch, "temporary");
  const hasThumbnail = () => {
    const [photos] = namesIn(folder);
    if (photos === undefined) return false;
    try {
      return namesIn(`${folder}/${photos}/thumbnails`).length > 0;
    } catch {
      return false; // Not there yet.
    }
  };
  const code = await codeAfterSignal("process_images", {
    args: ["--small"],
    env: { TMPDIR: folder },
    signal: "SIGINT",
    isReady: hasThumbnail,
  });
  assertEquals([code, namesIn(folder)], [130, []]);
});

test("process_images.ts refuses what it cannot do", VERY_SLOW, async () => {
  await using scratch = await scratchFolder();
  const folder = await folderIn(scratch, "in");
  await Deno.writeFile(`${folder}/mine.png`, halves(10, 10, MagickFormat.Png));
  const empty = await folderIn(scratch, "empty");
  const refused: [args: string[], message: RegExp][] = [
    [["--into", folder, folder], /^Cannot write .*\/mine\.png: it is there already; name another /],
    [["--into", empty, "no/such/folder"], /^Cannot read no\/such\/folder: /],
    [[empty], /^Cannot find a picture in .*\/empty: no file is named like one$/m],
    [[folder, empty], /^Expected one folder, got also .*\/empty$/m],
    [["--into", `${folder}/mine.png`, folder], /^Cannot write to .*\/mine\.png: /],
    [["--workers", "two"], /^--workers must be an integer from 1 to 255, got "two"$/m],
    [["--timeout", "3"], /^Unknown option '--timeout'$/m],
    [["--trace="], /^--trace must be /],
  ];
  for (const [args, message] of refused) {
    assertRefuses(await runExample("process_images", { args }), message);
  }
  assertEquals([namesIn(folder), namesIn(empty)], [["mine.png"], []]);
});

test("process_images.ts --help says what the options are", VERY_SLOW, async () => {
  const { code, stdout, stderr } = await runExample("process_images", { args: ["--help"] });
  assertEquals([code, stderr], [0, ""]);
  for (const option of ["--workers", "--into", "--trace", "--small", "--help"]) {
    assertMatch(stdout, new RegExp(`^  ${option} `, "m"));
  }
});
