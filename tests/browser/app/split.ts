/**
 * A program that imports its tasks when it needs them: bundlers that can do so put these into a
 * file of their own.
 */

import { use } from "./use.ts";

const { document } = globalThis as unknown as { document: { title: string } };
document.title = "running";
use(await import("./work.ts"));
