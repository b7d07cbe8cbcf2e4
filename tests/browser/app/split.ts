/** A program that imports its tasks when it needs them: bundlers that can make a file of its own of them. */

import { use } from "./use.ts";

const { document } = globalThis as unknown as { document: { title: string } };
document.title = "running";
use(await import("./work.ts"));
