/**
 * Five pages are requested at once, and each is handled as soon as it arrives.
 *
 *   deno run -A examples/as_completed.ts
 *
 * A map from future to address tells which page a future is for. A page that cannot be loaded does
 * not end the loop; only the timeout does. The timeout leaves unfinished futures alone: this
 * program then gives them up by a signal.
 *
 * It prints:
 *
 *   Asked for /news, /sport, /weather, /gone, /slow
 *   /weather: 300 bytes
 *   /gone: 404 Not Found
 *   /news: 100 bytes
 *   /sport: 200 bytes
 *   TimeoutError: 1 (of 5) futures unfinished after 2000 ms
 *   /slow: given up
 *
 * @module
 */

import { asCompleted, AsyncExecutor, type Future, TimeoutError } from "@concurrent/futures";

/** In place of a server: how long each page takes, and how large it is. */
const PAGES: Record<string, { readonly tookMs: number; readonly bytes?: number }> = {
  "/news": { tookMs: 300, bytes: 100 },
  "/sport": { tookMs: 400, bytes: 200 },
  "/weather": { tookMs: 100, bytes: 300 },
  "/gone": { tookMs: 200 },
  "/slow": { tookMs: Infinity, bytes: 400 },
};
const TIMEOUT_MS = 2000;

/** A loaded page. */
interface Page {
  readonly bytes: number;
}

async function load(address: string): Promise<Page> {
  const { tookMs, bytes } = PAGES[address];
  await new Promise((resolve) => {
    if (tookMs < Infinity) setTimeout(resolve, tookMs);
  });
  if (bytes === undefined) throw new Error("404 Not Found");
  return { bytes };
}

async function report(address: string, page: Future<Page>): Promise<void> {
  try {
    console.log(`${address}: ${(await page).bytes} bytes`);
  } catch (error) {
    console.log(`${address}: ${(error as Error).message}`);
  }
}

// Loading pages is waiting, not computing: that needs no threads.
await using executor = new AsyncExecutor();
const patience = new AbortController();
const loading = executor.with({ signal: patience.signal });
const addresses = new Map<Future<Page>, string>();
for (const address of Object.keys(PAGES)) addresses.set(loading.submit(load, address), address);
console.log(`Asked for ${Object.keys(PAGES).join(", ")}`);

try {
  for await (const page of asCompleted(addresses.keys(), { timeout: TIMEOUT_MS })) {
    await report(addresses.get(page)!, page);
    addresses.delete(page);
  }
} catch (error) {
  if (!TimeoutError.is(error)) throw error;
  console.log(`TimeoutError: ${error.message}`);
  patience.abort(new Error("given up"));
  for (const [page, address] of addresses) await report(address, page);
}
