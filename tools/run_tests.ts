/**
 * Runs every test, in two processes side by side, since a test spends most of its time waiting for
 * threads and processes to start and end. They are two processes, and not `--parallel`, since a
 * process that a test leaves behind is detected among the children of the test's own process.
 *
 * The output of the first process appears at once, that of the second when the first is done. Types
 * are not checked, since `deno task check` does that. If there are arguments, they are passed to a
 * single `deno test` instead: `deno task test tests/queue`.
 *
 * @module
 */

/**
 * The folders that the second process runs. The first runs everything else, so no file can be left
 * out.
 */
const ASIDE = ["browser", "failure", "memory", "packaging", "progress", "stress", "sync", "types"]
  .map((folder) => `tests/${folder}`);

/**
 * What the first process leaves out. The option replaces what deno.json excludes, so it has to name
 * the folder of built packages too, whose declarations have examples.
 */
const IGNORED = [...ASIDE, "npm"];

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

const first = startTests(["--no-check", `--ignore=${IGNORED.join()}`], "inherit");
const second = startTests(["--no-check", ...ASIDE], "piped").output();
const { code } = await first.status;
const aside = await second;
for (const text of [aside.stdout, aside.stderr]) {
  for (let written = 0; written < text.length;) {
    written += Deno.stdout.writeSync(text.subarray(written));
  }
}
Deno.exit(code || aside.code);
