/**
 * Tests in a real Chromium: the machine's own, driven by playwright-core.
 *
 * Where Chromium is not installed, the tests are ignored, and a line says so; on CI, which sets the
 * variable `CI`, they fail instead.
 *
 * @module
 */

import { type Browser, chromium, type Page } from "playwright-core";
import { fromFileUrl } from "@std/path";
import { test, type TestOptions } from "../_support/leaks.ts";
import { ROOT } from "../_support/scratch.ts";

/** The names of Chromium's program. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Sandboxes within sandboxes fail, and no server but the test's own must be asked for anything. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Time limit of one check in a page. */
const PAGE_TIMEOUT_MS = 45_000;

/** Time limit for what tests need beforehand; some of it comes from a registry. */
const SET_UP_TIMEOUT_MS = 120_000;

const executable = findChromium();
const isMissing = executable === undefined;
if (isMissing) {
  console.warn(
    `Tests in a browser are left out: none of ${
      NAMES.join(", ")
    } is in PATH; install Chromium (Debian: package chromium)`,
  );
}

function findChromium(): string | undefined {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    for (const name of NAMES) {
      try {
        if (Deno.statSync(`${folder}/${name}`).isFile) return `${folder}/${name}`;
      } catch {
        // Not there.
      }
    }
  }
  return undefined;
}

let browser: Browser | undefined;

/** Starts Chromium, and what else they need, for the tests of a file, and ends it after them. */
export function useChromium(
  setUp: () => void | Promise<void>,
  tearDown: () => void | Promise<void>,
): void {
  if (isMissing) return;
  Deno.test.beforeAll(async () => {
    await within(Promise.resolve(setUp()), "what the tests need", SET_UP_TIMEOUT_MS);
    browser = await chromium.launch({ executablePath: executable, headless: true, args: FLAGS });
  });
  Deno.test.afterAll(async () => {
    await browser?.close();
    await tearDown();
  });
}

/** A page, and the errors in it. */
export interface TestPage {
  readonly page: Page;
  /**
   * Errors that were not caught in the page, and files that were not found. Must be empty at the
   * end, or emptied.
   */
  readonly errors: string[];
}

/** Options of {@linkcode openPage}. */
export interface PageOptions {
  readonly viewport?: { readonly width: number; readonly height: number };
  /** Whether the page stays open for the other tests of the file. */
  readonly isShared?: boolean;
}

/** Close the pages of the test that is running. */
const closers: (() => Promise<void>)[] = [];

/** Opens a page in a profile of its own, until the end of the test. */
export async function openPage(url: string, options: PageOptions = {}): Promise<TestPage> {
  const { viewport = { width: 1000, height: 700 }, isShared = false } = options;
  const context = await browser!.newContext({ viewport });
  if (!isShared) closers.push(() => context.close());
  context.setDefaultTimeout(PAGE_TIMEOUT_MS);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} for ${response.url()}`);
  });
  await page.goto(url);
  return { page, errors };
}

/**
 * Registers a test that uses {@linkcode openPage}. If it fails, a picture of each open page is
 * kept.
 */
export function browserTest(name: string, fn: () => Promise<void>): void {
  const options: TestOptions = {
    timeout: 2 * PAGE_TIMEOUT_MS,
    ignore: isMissing && Deno.env.get("CI") === undefined,
    // The browser, its driver and the servers live for all tests of a file, and use timers.
    sanitizeOps: false,
    sanitizeResources: false,
  };
  test(name, options, async () => {
    if (isMissing) {
      throw new Error(`Cannot run test in a browser: none of ${NAMES.join(", ")} is in PATH`);
    }
    try {
      await fn();
    } catch (error) {
      await keepPictures(name);
      throw error;
    } finally {
      for (const close of closers.splice(0)) await close();
    }
  });
}

async function keepPictures(name: string): Promise<void> {
  const folder = new URL("tests/.tmp/browser/", ROOT);
  await Deno.mkdir(folder, { recursive: true });
  const stem = name.replaceAll(/\W+/g, "_").slice(0, 80);
  const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
  for (const [i, page] of pages.entries()) {
    const path = fromFileUrl(new URL(`${stem}_${i}.png`, folder));
    try {
      await page.screenshot({ path, timeout: 5000 });
      console.error(`A picture of the page is in ${path}`);
    } catch (error) {
      console.error(`No picture of the page: ${error}`);
    }
  }
}

/** Waits for a promise, and gives up after a while. */
export async function within<R>(
  promise: Promise<R>,
  what: string,
  limitMs = PAGE_TIMEOUT_MS,
): Promise<R> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new Error(`Waited for ${what} for longer than ${limitMs} ms`);
    timer = setTimeout(() => reject(error), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
