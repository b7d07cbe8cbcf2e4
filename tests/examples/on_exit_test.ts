import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT, scratchFolder } from "../_support/scratch.ts";
import { folderIn, namesIn } from "./_photos.ts";
import { SLOW } from "./_support.ts";

test(
  "temporaryFolder() is removed at exit although threads go on writing to it",
  SLOW,
  async () => {
    await using scratch = await scratchFolder();
    const folder = await folderIn(scratch, "temporary");
    const program = `
    import { temporaryFolder } from "${new URL("examples/_on_exit.ts", ROOT)}";

    const write = \`onmessage = ({ data: path }) => {
      for (let i = 0;; i++) {
        try {
          Deno.writeTextFileSync(path + i, "");
        } catch {
          // The folder is gone.
        }
        if (i === 500) postMessage("many");
      }
    }\`;
    const temporary = temporaryFolder({ dir: ${JSON.stringify(folder)} });
    const url = "data:text/javascript," + encodeURIComponent(write);
    for (const name of ["a", "b", "c", "d"]) {
      const worker = new Worker(url, { type: "module" });
      worker.postMessage(temporary.path + "/" + name);
      worker.onmessage = () => Deno.exit(5);
    }
  `;
    const { code, stderr } = await runProgram(program);
    assertEquals([code, stderr, namesIn(folder)], [5, "", []]);
  },
);
