import { assert, assertEquals } from "@std/assert";
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  getIdent,
  type Handle,
  LifoQueue,
  Lock,
  PriorityQueue,
  Queue,
  RLock,
  Semaphore,
  SimpleQueue,
  Value,
} from "@concurrent/futures";
import * as layout from "../../_memory/layout.ts";
import { BLOCK } from "../../queue/_heap.ts";
import { ITEM } from "../../queue/_segments.ts";
import { test } from "../_support/leaks.ts";
import { ROOT } from "../_support/scratch.ts";

const text = await Deno.readTextFile(new URL("docs/memory_layout.md", ROOT));

type Words = Readonly<Record<string, number>>;

/** Words that the document leaves out, as nobody can reach them from outside. */
const INSIDE = ["TASK_RING", "RECORD_RING", "WORKER"];

/** The tables of words in the document, by the names in their headings. */
function documentedTables(): Record<string, Words> {
  const tables: Record<string, Words> = {};
  for (const section of text.split("\n### ").slice(1)) {
    const name = /^`(\w+)`: /.exec(section)?.[1];
    assert(name !== undefined && !(name in tables), section);
    tables[name] = documentedWords(section);
  }
  return tables;
}

function documentedWords(section: string): Words {
  const words: Record<string, number> = {};
  for (const [row] of section.matchAll(/^\| \d.*$/gm)) {
    const found = /^\| (\d+) +\| (\d+) +\| `(\w+)` +\| /.exec(row);
    assert(found !== null, row);
    const [, word, byte, name] = found;
    assertEquals(Number(byte), Number(word) * layout.WORD_BYTES, row);
    words[name] = Number(word);
  }
  return words;
}

test("memory_layout.md has the words of every object that can be reached, and no others", () => {
  const expected: Record<string, Words> = { BLOCK, ITEM };
  for (const [name, words] of Object.entries(layout)) {
    if (typeof words === "object" && !INSIDE.includes(name)) expected[name] = words;
  }
  assertEquals(documentedTables(), expected);
});

test("memory_layout.md has the fields of all handles", () => {
  const objects: { readonly handle: Handle }[] = [
    new Lock(),
    new RLock(),
    new Condition(),
    new Semaphore(),
    new BoundedSemaphore(),
    new Event(),
    new Barrier(1),
    new Value("i32"),
    new Queue(),
    new LifoQueue(),
    new PriorityQueue(),
    new SimpleQueue(),
  ];
  const fields = objects.flatMap(({ handle }) => Object.keys(handle.data as object));
  const table = /\n\| field of `handle.data` [^]*?\n\n/.exec(text)![0];
  const documented = Array.from(table.matchAll(/^\| `(\w+)` /gm), ([, field]) => field);
  assertEquals(documented.toSorted(), [...new Set(fields)].toSorted());
});

test("memory_layout.md tells how a thread's place is found by its id", () => {
  const rule = /begins at word\s+`(\d+) \+ (\d+) \* \(id % (\d+)\)`/.exec(text);
  assert(rule !== null);
  const [first, size, count] = rule.slice(1).map(Number);
  const { threads } = new Lock().handle.data as { readonly threads: SharedArrayBuffer };
  const words = new Int32Array(threads);
  const place = first + size * (getIdent() % count);
  assertEquals(words[place + layout.THREAD.ID], getIdent());
  const begin = (place + layout.THREAD.NAME) * layout.WORD_BYTES;
  const name = new Uint8Array(threads, begin, words[place + layout.THREAD.NAME_LENGTH]);
  assertEquals(new TextDecoder().decode(name.slice()), "main");
});
