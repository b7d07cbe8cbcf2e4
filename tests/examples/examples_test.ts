import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseExample, readExamples } from "../../tools/examples.ts";
import config from "../../deno.json" with { type: "json" };
import { test } from "../_support/leaks.ts";
import { runDeno } from "../_support/run.ts";
import { commandsOf, SLOW } from "./_support.ts";

const PREFIX = "example:";

const examples = await readExamples();
const names = examples.map(({ name }) => name);

/** The command of each task, by its name. */
const commands = new Map<string, string>(
  Object.entries(config.tasks).map(([name, { command }]) => [name, command]),
);

test("each example has a task that runs it, and no other task is named so", () => {
  const tasks = [...commands].filter(([name]) => name.startsWith(PREFIX));
  assertEquals(
    Object.fromEntries(tasks),
    Object.fromEntries(names.map((name) => [PREFIX + name, `deno run -A examples/${name}.ts`])),
  );
});

test("the header of each example has the command that runs it", () => {
  for (const example of examples) {
    const { name } = example;
    const found = commandsOf(example);
    assert(found.length > 0, `the header of ${name}.ts has no command`);
    for (const command of found) {
      const task = /^deno task (\S+)/.exec(command)?.[1];
      const whole = task === undefined ? command : commands.get(task);
      assert(whole?.startsWith(`deno run -A examples/${name}.ts`), `${name}.ts: ${command}`);
    }
  }
});

test("deno task example is gcd", () => {
  assertEquals(commands.get("example"), commands.get("example:gcd"));
});

test("deno task examples lists all with the first sentence of their files", SLOW, async () => {
  const { code, stdout, stderr } = await runDeno(["task", "--quiet", "examples"]);
  assertEquals([code, stderr], [0, ""]);
  const [heading, empty, ...lines] = stdout.trimEnd().split("\n");
  assert(heading.includes("deno task example:NAME"), heading);
  assertEquals(empty, "");
  assertEquals(
    lines.map((line) => line.trim().split(/ {2,}/)),
    examples.map(({ name, summary }) => [name, summary]),
  );
});

test("deno task example:NAME runs an example, and passes arguments on", SLOW, async () => {
  const task = ["task", "--quiet", "example:switch_executor"];
  const { code, stdout, stderr } = await runDeno([...task, "--executor", "async"]);
  assertEquals([code, stderr], [0, ""]);
  assert(stdout.startsWith("AsyncExecutor"), stdout);
});

test("parseExample() takes the first sentence of the comment at the top", () => {
  const text = [
    "/**",
    " * The work of `a.ts`, in",
    " * half the time. It is the same.",
    " *",
    " *   deno run -A examples/b.ts",
    " *",
    " * @module",
    " */",
    "",
    "/** Does it. */",
    "",
  ].join("\n");
  const example = parseExample("b", text);
  assertEquals(example.summary, "The work of `a.ts`, in half the time.");
  assertEquals(commandsOf(example), ["deno run -A examples/b.ts"]);
});

test("parseExample() refuses a file that says nothing about itself", () => {
  const refused = ["", "const a = 1;\n", "const a = 1;\n/**\n * Not at the top.\n */\n"];
  for (const text of [...refused, "/**\n * No end of a sentence\n */\n", "/**\n *\n */\n"]) {
    assertThrows(() => parseExample("b", text), Error, "Cannot list examples/b.ts");
  }
});
