/**
 * Lists the examples with one line each: the first sentence of the comment that each file begins
 * with.
 *
 *   deno task examples
 *
 * @module
 */

const FOLDER = new URL("../examples/", import.meta.url);

/** A program in the examples' folder. */
export interface Example {
  /** The name of its file, without the ending; `deno task example:NAME` runs it. */
  readonly name: string;
  /** The comment that its file begins with, without the asterisks. */
  readonly header: string;
  /** The first sentence of the header. */
  readonly summary: string;
}

/**
 * Reads all examples, sorted by name. A file whose name begins with `_` is a part of others, and
 * left out.
 *
 * @throws {Error} When a file does not begin with a comment that says what it shows.
 */
export async function readExamples(folder: URL = FOLDER): Promise<Example[]> {
  const examples: Example[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || name.startsWith("_") || !name.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(new URL(name, folder));
    examples.push(parseExample(name.slice(0, -".ts".length), text));
  }
  return examples.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Makes the example with the given name and text. */
export function parseExample(name: string, text: string): Example {
  const comment = /^\/\*\*\n([^]*?)\n \*\/\n/.exec(text)?.[1] ?? "";
  const header = comment.replaceAll(/^ \* ?/gm, "");
  const [paragraph] = header.split("\n\n");
  const summary = /^.+?\.(?=\s|$)/s.exec(paragraph)?.[0].replaceAll(/\s+/g, " ");
  if (summary === undefined) {
    throw new Error(
      `Cannot list examples/${name}.ts: it has no sentence at its top; begin it with a comment that says what it shows`,
    );
  }
  return { name, header, summary };
}

/** Returns the list as it is printed. */
export function describeExamples(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(({ name }) => name.length));
  const lines = examples.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    "deno task example:NAME runs one of these; deno task example runs gcd, the first to look at.",
    "",
    ...lines,
  ].join("\n");
}

if (import.meta.main) console.log(describeExamples(await readExamples()));
