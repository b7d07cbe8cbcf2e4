import { assertEquals, fail } from "@std/assert";
import { test } from "./_support/leaks.ts";
import { runProgram } from "./_support/run.ts";
import { ROOT } from "./_support/scratch.ts";
import { extractSnippets } from "./_support/snippets.ts";

async function documents(): Promise<string[]> {
  const names = ["README.md"];
  try {
    for await (const entry of Deno.readDir(new URL("docs/", ROOT))) {
      if (entry.isFile && entry.name.endsWith(".md")) names.push(`docs/${entry.name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

for (const name of await documents()) {
  for (const { line, code } of extractSnippets(await Deno.readTextFile(new URL(name, ROOT)))) {
    test(`${name}:${line} runs`, async () => {
      const result = await runProgram(code);
      if (result.code === 0) return;
      const reason = result.timedOut ? "did not end in time" : `ended with code ${result.code}`;
      fail(`the program ${reason}\n${result.stdout}\n${result.stderr}`);
    });
  }
}

test("extractSnippets takes blocks of TypeScript that are not marked ignore", () => {
  const fence = "`".repeat(3);
  const text = [
    `${fence}ts`,
    "one();",
    fence,
    `${fence}ts ignore`,
    "two();",
    fence,
    `${fence}sh`,
    "three",
    fence,
    `${fence}ts`,
    "four();",
    fence,
  ].join("\n");
  assertEquals(extractSnippets(text), [{ line: 1, code: "one();\n" }, {
    line: 10,
    code: "four();\n",
  }]);
});
