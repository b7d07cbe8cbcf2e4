/**
 * Checks that text is well-formed XML, as far as a drawing needs it: elements, quoted attributes,
 * text, entities.
 */

const NAME = "[A-Za-z_][\\w.:-]*";
const TAG = new RegExp(`^<(/?)(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>`);
const ENTITY = /^&(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);/;
// deno-lint-ignore no-control-regex
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Counts the elements of well-formed XML by name; throws if the text is not well-formed. */
export function countElements(xml: string): Map<string, number> {
  const counts = new Map<string, number>();
  const open: string[] = [];
  if (!xml.isWellFormed() || ILLEGAL.test(xml)) throw new Error("Not XML: an illegal character");
  if (/[^\s>]/.test(xml.slice(xml.lastIndexOf(">") + 1))) {
    throw new Error("Not XML: text at the end");
  }
  for (const match of xml.matchAll(/[<&]/g)) {
    const rest = xml.slice(match.index, match.index + 4096);
    const fail = (what: string): never => {
      throw new Error(`Not XML: ${what} at "${rest.slice(0, 60)}"`);
    };
    if (match[0] === "&") {
      if (!ENTITY.test(rest)) fail("a bare &");
      continue;
    }
    const whole = xml.slice(match.index, xml.indexOf(">", match.index) + 1);
    const [, isEnd, name, , isEmpty] = TAG.exec(whole) ?? fail("a malformed tag");
    if (isEnd !== "") {
      if (open.pop() !== name) fail("an end without its start");
      continue;
    }
    if (open.length === 0 && counts.size > 0) fail("a second root");
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (isEmpty === "") open.push(name);
  }
  if (open.length > 0) throw new Error(`Not XML: <${open.at(-1)}> is not closed`);
  return counts;
}
