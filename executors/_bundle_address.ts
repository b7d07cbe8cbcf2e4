/**
 * Where a bundler has put the bundle that it made for workers; see `_platform/browser.ts`.
 *
 * @module
 */

import { isBundled } from "../_platform/entry.ts";

/** The end of the address that stands here where no bundler has put another. */
const UNCHANGED = "/_worker.js";

/** Stands for `Worker` in a call that is there for bundlers to find. */
class AddressOnly {
  readonly address: string;

  constructor(url: URL, _options: { readonly type: "module" }) {
    // In the bundle itself they put a string.
    this.address = String(url);
  }
}

/** The address of a bundle made for workers; `undefined` where there is none. */
export function addressOfBundle(): string | undefined {
  // Formats other than ES modules have no address.
  if (!isBundled || !URL.canParse(import.meta.url)) return undefined;
  // What bundlers look for is the text of this call, and then the file `_worker.js`.
  const Worker = AddressOnly;
  const { address } = new Worker(new URL("./_worker.js", import.meta.url), { type: "module" });
  return address.endsWith(UNCHANGED) ? undefined : address;
}
