/** A program with its tasks in the same graph of modules: bundlers put them into one file. */

import { use } from "./use.ts";
import * as work from "./work.ts";

const { document } = globalThis as unknown as { document: { title: string } };
document.title = "running";
use(work);
