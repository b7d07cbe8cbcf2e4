/// <reference lib="dom" />
/** The demonstration in Chromium, from the first click to the verdict. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { serveDemo } from "../../demo/serve.ts";
import type { PageServer } from "../../tools/page_server.ts";
import { browserTest, openPage, useChromium } from "./_chromium.ts";

let server: PageServer;

useChromium(async () => {
  server = await serveDemo();
}, () => server.close());

const NARROW = { width: 360, height: 700 };

/** The numbers on a run's card. */
interface Figures {
  readonly done: string;
  readonly tookMs: string;
  readonly longestMs: string;
  readonly frames: string;
  readonly right: string;
}

browserTest(
  "The demonstration runs both ways with right answers, and lives on during the pool's",
  async () => {
    const opened = await openPage(`${server.url}?each=10`);
    const { page, errors } = opened;
    await page.waitForSelector("body[data-state=ready]");
    await page.fill("#workers", "2");
    await page.click("#run-both");
    await page.waitForSelector("body[data-state=done]");
    const figuresOf = async (id: string) =>
      await page.$eval(id, (card) => ({ ...(card as HTMLElement).dataset })) as unknown as Figures;
    const linear = await figuresOf("#linear");
    const livedOn = (run: Figures) =>
      Number(run.frames) > 2 * Number(linear.frames) &&
      Number(run.longestMs) < Number(run.tookMs) / 2;
    let pool = await figuresOf("#pool");
    // The machine may stall during one run.
    for (let again = 0; again < 3 && !livedOn(pool); again++) {
      await page.click("#run-pool");
      await page.waitForSelector("body[data-state=done]");
      pool = await figuresOf("#pool");
    }

    const pairs = Number(await page.textContent("#count"));
    assert(pairs > 0);
    for (const { done, right } of [linear, pool]) {
      assertEquals(done, "true");
      assertEquals(Number(right), pairs);
    }
    // The loop is one frame, with one more before it and one after it; the other run has no such
    // long frame.
    assert(Number(linear.frames) <= 3, linear.frames);
    assert(Number(linear.longestMs) > Number(linear.tookMs) / 2, linear.longestMs);
    assert(livedOn(pool), JSON.stringify(pool));

    const shown = await page.$$eval(
      "dd",
      (figures) => figures.map(({ textContent }) => textContent),
    );
    assertEquals(shown.length, 8);
    assertEquals(
      shown.filter((text) => /\d/.test(text ?? "")).length,
      8,
    );
    assertMatch(await page.textContent("#verdict") ?? "", /the page stayed alive/);
    assertEquals(errors, []);
  },
);

browserTest("The demonstration has a lane for each worker of the slider", async () => {
  const opened = await openPage(`${server.url}?each=10`);
  const { page, errors } = opened;
  await page.waitForSelector("body[data-state=ready]");
  await page.fill("#workers", "3");
  await page.click("#run-pool");
  await page.waitForSelector("body[data-state=done]");
  const label = await page.getAttribute("#pool-lanes", "aria-label");
  assertMatch(label ?? "", /^\d+ bars in 3 lanes, /);
  assertEquals(await page.getAttribute("#linear", "data-done"), "false");
  assertEquals(errors, []);
});

browserTest("The demonstration fits a narrow screen, and changes its colours", async () => {
  const opened = await openPage(server.url, { viewport: NARROW });
  const { page, errors } = opened;
  await page.waitForSelector("body[data-state=ready]");
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert(width <= NARROW.width, String(width));
  const colors = new Set<string>();
  for (const name of ["auto", "light", "dark"]) {
    assertEquals(await page.getAttribute("html", "data-theme"), name);
    colors.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await page.click("#theme");
  }
  assertEquals(colors.size, 2);
  assertEquals(errors, []);
});
