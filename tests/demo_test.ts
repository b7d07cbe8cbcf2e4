import { assertEquals, assertMatch } from "@std/assert";
import { test } from "./_support/leaks.ts";
import { startDeno } from "./_support/processes.ts";
import { runDeno } from "./_support/run.ts";
import { scratchFolder } from "./_support/scratch.ts";
import { dirname } from "@std/path";

const SLOW = { timeout: 120_000 };

test("demo/serve.ts refuses what is no port before it bundles the page", SLOW, async () => {
  for (const args of [["abc"], ["99999"], ["-1"], ["8.5"], ["--help"], ["80", "81"]]) {
    const { code, stdout, stderr } = await runDeno(["run", "-A", "demo/serve.ts", ...args]);
    const message = `Cannot serve at port ${args.join(" ")}: give one number from 0 to 65535\n`;
    assertEquals([code, stdout, stderr], [2, "", message]);
  }
});

test("demo/serve.ts removes its folder once, however many signals end it", SLOW, async () => {
  await using scratch = await scratchFolder();
  const folder = dirname(await scratch.write("temporary/mark", ""));
  for (const signals of [["SIGTERM"], ["SIGHUP"], ["SIGINT", "SIGTERM"]] as const) {
    await using program = startDeno(["run", "-A", "demo/serve.ts", "0"], { TMPDIR: folder });
    assertMatch(await program.line() ?? "", /^Open http/);
    for (const signal of signals) program.kill(signal);
    const { code } = await program.status;
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
    assertEquals([code, await program.errors(), names], [0, "", ["mark"]]);
  }
});
