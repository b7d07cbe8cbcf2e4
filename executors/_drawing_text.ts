/**
 * Text and numbers in a drawing's markup. Pages get all functions here as source text (see
 * `_timeline_svg.ts`), so they use nothing but each other and their arguments.
 *
 * @module
 */

/** Any text, escaped for XML; characters that XML cannot represent are replaced. */
export function escapeText(text: string): string {
  // deno-lint-ignore no-control-regex
  const unspeakable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
  return text.toWellFormed()
    .replace(unspeakable, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** About how many pixels wide a character is, at the size of most text. */
export function widthOf(character: string): number {
  return character > "\u024f" ? 11.5 : "ijlI.,:;'|!()[]{} ".includes(character) ? 4 : 7;
}

/**
 * A text, escaped, and shortened if it is wider than `most` pixels; and the width that it takes.
 */
export function clip(
  text: string,
  most: number,
): { readonly text: string; readonly width: number } {
  const DOTS = 11;
  let width = 0;
  let short = "";
  for (const character of text) {
    const next = width + widthOf(character);
    if (next > most) return { text: `${escapeText(short)}…`, width: most };
    if (next <= most - DOTS) short += character;
    width = next;
  }
  return { text: escapeText(text), width };
}

/** A number for a drawing's markup, rounded to a tenth of a pixel. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A duration as text, with three digits and a unit. */
export function durationText(ms: number): string {
  const [value, unit] = ms < 1 ? [ms * 1000, "µs"] : ms < 1000 ? [ms, "ms"] : [ms / 1000, "s"];
  const digits = value >= 100 || value === 0 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${unit}`;
}

/** The name of a function, for display. */
export function nameText(name: string): string {
  return name === "" ? "(anonymous)" : name;
}

/**
 * The colours of the functions: fill and text. The last one is shared by all functions that the
 * others do not suffice for.
 */
export function colours(): [fill: string, text: string][] {
  return [
    ["#4e79a7", "#fff"],
    ["#f28e2b", "#222"],
    ["#59a14f", "#fff"],
    ["#b07aa1", "#fff"],
    ["#edc948", "#222"],
    ["#76b7b2", "#222"],
    ["#9c755f", "#fff"],
    ["#ff9da7", "#222"],
    ["#86bc86", "#222"],
    ["#a0a6ad", "#222"],
  ];
}
