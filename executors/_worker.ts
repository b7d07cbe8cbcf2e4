/**
 * All modules with which threads can begin, in one file for bundlers; see `_bundle_address.ts`.
 *
 * @module
 */

import "./_thread_list.ts";
import "./_thread_main.ts";
import "./_worker_main.ts";
import "./timer.ts";
