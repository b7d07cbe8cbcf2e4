/** What the tests of examples have in common. */

import { assert, assertEquals } from "@std/assert";
import { type Example, readExamples } from "../../tools/examples.ts";
import { runDeno, type RunOptions, runProgram, type RunResult } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

/** Programs take their time while other tests run beside them. */
export const SLOW = { timeout: 120_000 };

/** Runs an example. */
export function runExample(name: string, options: RunOptions = {}): Promise<RunResult> {
  return runProgram(new URL(`examples/${name}.ts`, ROOT), options);
}

/** What an example prints; asserts that it ends well, without errors. */
export async function printedBy(name: string, options: RunOptions = {}): Promise<string> {
  return goodOutput(await runExample(name, options));
}

function goodOutput({ code, stdout, stderr, timedOut }: RunResult): string {
  assertEquals({ code, stderr, timedOut }, { code: 0, stderr: "", timedOut: false });
  return stdout;
}

/** What an example prints when it is run by the first command in its own header. */
export async function printedAsDocumented(name: string): Promise<string> {
  const [command] = commandsOf(await exampleOf(name));
  const [program, ...args] = command.split(" ");
  assertEquals(program, "deno");
  return goodOutput(await runDeno(args));
}

/** What an example prints according to its header. */
export async function documentedOutput(name: string): Promise<string> {
  const { header } = await exampleOf(name);
  const output = /\nIt prints(?:, for instance)?:\n\n((?: {2}.*\n|\n)+)/.exec(header)?.[1];
  assert(output !== undefined, `the header of ${name}.ts does not say what it prints`);
  return output.trimEnd().replaceAll(/^ {2}/gm, "") + "\n";
}

/**
 * Asserts that an example prints what its header says, both by the command given there and with
 * only these permissions; returns the output.
 */
export async function assertPrintsAsDocumented(
  name: string,
  permissions: string[],
): Promise<string> {
  const expected = await documentedOutput(name);
  assertEquals(await printedAsDocumented(name), expected);
  assertEquals(await printedBy(name, { permissions }), expected);
  return expected;
}

/** The commands in the header of an example. */
export function commandsOf({ header }: Example): string[] {
  return Array.from(header.matchAll(/^ {2}(deno .*)$/gm), ([, command]) => command);
}

async function exampleOf(name: string): Promise<Example> {
  const example = (await readExamples()).find((example) => example.name === name);
  assert(example !== undefined, `there is no example "${name}"`);
  return example;
}
