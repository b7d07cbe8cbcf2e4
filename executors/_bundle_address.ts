/**
 * Where a bundler has put the bundle that it made for workers; see `_platform/browser.ts`.
 *
 * @module
 */

import { isBundled } from "../_platform/entry.ts";

/** How the address below ends, unless a bundler has replaced it. */
const UNCHANGED = "/_worker.js";

/** Replaces `Worker` in a call that is only there for bundlers to find. */
class AddressOnly {
  readonly address: string;

  constructor(url: URL, _options: { readonly type: "module" }) {
    // In the bundle itself, bundlers pass a string.
    this.address = String(url);
  }
}

/** The address of a bundle made for workers; `undefined` where there is none. */
export function addressOfBundle(): string | undefined {
  // Formats other than ES modules have no address.
  if (!isBundled || !URL.canParse(import.meta.url)) return undefined;
  // Bundlers look for the text of this call, and then for the file `_worker.js`.
  const Worker = AddressOnly;
  const { address } = new Worker(new URL("./_worker.js", import.meta.url), { type: "module" });
  return address.endsWith(UNCHANGED) ? undefined : address;
}
