/**
 * All that threads can begin with in one file, for bundlers that make a bundle of it; see `_bundle_address.ts`.
 *
 * @module
 */

import "./_thread_list.ts";
import "./_thread_main.ts";
import "./_worker_main.ts";
import "./timer.ts";
