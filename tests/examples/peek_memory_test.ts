import { assertEquals } from "@std/assert";
import * as layout from "../../_memory/layout.ts";
import { ITEM, LOCK, NODE, QUEUE } from "../../examples/peek_memory.ts";
import { ITEM as ITEM_WORDS } from "../../queue/_segments.ts";
import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

type Words = Readonly<Record<string, number>>;

/**
 * The byte at which a word begins, given as `A` or `A.B`, where B is a word of a list of waiters.
 */
function byteOf(words: Words, name: string): number {
  const [word, part] = name.split(".");
  const list: Words = layout.WAIT_LIST;
  return layout.WORD_BYTES * (words[word] + (part === undefined ? 0 : list[part]));
}

test("peek_memory.ts prints the words of a lock and a queue as they change", SLOW, async () => {
  await assertPrintsAsDocumented("peek_memory", []);
});

test("peek_memory.ts has the words where they are", () => {
  const objects: [Words, Words][] = [
    [LOCK, layout.LOCK],
    [QUEUE, layout.QUEUE],
    [NODE, layout.NODE],
    [ITEM, ITEM_WORDS],
  ];
  for (const [bytes, words] of objects) {
    for (const [name, byte] of Object.entries(bytes)) assertEquals(byte, byteOf(words, name), name);
  }
});
