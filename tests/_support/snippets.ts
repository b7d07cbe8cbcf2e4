/** Finds the programs in a Markdown text. */

/** A program in a Markdown text. */
export interface Snippet {
  /** The line its fence is on, from 1. */
  readonly line: number;
  readonly code: string;
}

/** Every block fenced as `ts` and not marked `ignore`. */
export function extractSnippets(markdown: string): Snippet[] {
  const snippets: Snippet[] = [];
  for (const match of markdown.matchAll(/^```([^\n]*)\n([^]*?)^```[ \t]*$/gm)) {
    const words = match[1]!.trim().split(/\s+/);
    if (words[0] !== "ts" || words.includes("ignore")) continue;
    const line = markdown.slice(0, match.index).split("\n").length;
    snippets.push({ line, code: match[2]! });
  }
  return snippets;
}
