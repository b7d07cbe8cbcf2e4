/** Reports what the type checker says about a snippet, for tests of code that must not compile. */

import { runDeno } from "./run.ts";
import { CONFIG, scratchFolder } from "./scratch.ts";

/** Time limit of one run of the type checker. */
const CHECK_TIMEOUT_MS = 60_000;

/** The type errors of one snippet, each as `TS2345: message`. */
export async function typeErrors(source: string): Promise<string[]> {
  const { snippet } = await typeErrorsOf({ snippet: source });
  return snippet!;
}

/** The type errors of several snippets by their names, from one run of the type checker. */
export async function typeErrorsOf<K extends string>(
  snippets: Record<K, string>,
): Promise<Record<K, string[]>> {
  await using scratch = await scratchFolder();
  const names = Object.keys(snippets) as K[];
  const files = await Promise.all(
    // Each file is a module, so that snippets do not see each other's declarations.
    names.map((name, i) => scratch.write(`snippet_${i}.ts`, `${snippets[name]}\nexport {};\n`)),
  );
  const { code, stderr, timedOut } = await runDeno(["check", "--config", CONFIG, ...files], {
    timeoutMs: CHECK_TIMEOUT_MS,
  });
  const found = parseTypeErrors(stderr);
  if (timedOut || (code !== 0 && found.length === 0)) {
    throw new Error(`Cannot check the snippets: ${timedOut ? "time is up" : stderr}`);
  }
  const result = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    K,
    string[]
  >;
  for (const { text, file } of found) {
    const index = Number(/snippet_(\d+)\.ts$/.exec(file)?.[1] ?? NaN);
    const name = names[index];
    // An error elsewhere means that the project itself does not compile.
    if (name === undefined) {
      throw new Error(`Type error outside of the snippets: ${text} (${file})`);
    }
    result[name].push(text);
  }
  return result;
}

/** Reads `TS2322 [ERROR]: message … at file:line:column` out of the checker's output. */
export function parseTypeErrors(output: string): { text: string; file: string }[] {
  const found: { text: string; file: string }[] = [];
  // An indented error explains the one before it, and may be located anywhere.
  const starts = [...output.matchAll(/^(TS\d+) \[ERROR\]: (?! )/gm)];
  starts.forEach((start, i) => {
    const part = output.slice(start.index + start[0].length, starts[i + 1]?.index);
    const place = /^ *at (\S+?):\d+:\d+$/m.exec(part);
    found.push({ text: `${start[1]}: ${part.split("\n")[0]}`, file: place?.[1] ?? "" });
  });
  return found;
}
