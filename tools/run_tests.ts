/**
 * Runs every test, in two processes side by side: most of a test's time goes by in waiting for threads and processes
 * to start and end. Two processes and not `--parallel`, since a test that has left a process behind is
 * found by the children of its own.
 *
 * What the first prints is seen as it comes, what the second prints when the first is done. Types are not checked, as
 * `deno task check` does that. Arguments are handed to one `deno test` instead: `deno task test tests/queue`.
 *
 * @module
 */

/** What the second process runs. The first runs everything else, so no file can be left out. */
const ASIDE = ["browser", "failure", "memory", "packaging", "progress", "stress", "sync", "types"]
  .map((folder) => `tests/${folder}`);

function startTests(args: readonly string[], stdout: "inherit" | "piped"): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--doc", ...args],
    stdout,
    stderr: stdout,
  }).spawn();
}

if (Deno.args.length > 0) {
  const { code } = await startTests(Deno.args, "inherit").status;
  Deno.exit(code);
}

const first = startTests(["--no-check", `--ignore=${ASIDE.join()}`], "inherit");
const second = startTests(["--no-check", ...ASIDE], "piped").output();
const { code } = await first.status;
const aside = await second;
for (const text of [aside.stdout, aside.stderr]) {
  for (let written = 0; written < text.length;) {
    written += Deno.stdout.writeSync(text.subarray(written));
  }
}
Deno.exit(code || aside.code);
