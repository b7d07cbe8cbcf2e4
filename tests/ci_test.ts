import { assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import { test } from "./_support/leaks.ts";
import { runCommand } from "./_support/run.ts";
import { ROOT, scratchFolder } from "./_support/scratch.ts";

test(".ci/run works in its own repository, whatever CDPATH says", async () => {
  await using scratch = await scratchFolder();
  const script = await Deno.readTextFile(new URL(".ci/run", ROOT));
  const repository = dirname(dirname(await scratch.write("repository/.ci/run", script)));
  const other = dirname(dirname(await scratch.write("other/.ci/run", "")));
  // Stand-ins, so that nothing is checked, tested or installed.
  const standIn = '#!/bin/sh\necho "$1 in $PWD"\n';
  for (const name of ["deno", "chromium", "redis-server", "openssl"]) {
    await Deno.chmod(await scratch.write(`bin/${name}`, standIn), 0o755);
  }
  const { stdout } = await runCommand("bash", [".ci/run"], {
    cwd: repository,
    env: { CDPATH: other, PATH: `${dirname(repository)}/bin:${Deno.env.get("PATH")}` },
  });
  assertEquals(stdout.trimEnd().split("\n"), [
    `--version in ${repository}`,
    `task in ${repository}`,
    `task in ${repository}`,
    "0 passed, 0 failed",
  ]);
});
