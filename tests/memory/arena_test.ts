/** A block that an arena cannot hold is refused, without harm. */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Arena, createArenaBuffer } from "../../_memory/arena.ts";
import { externBaseOf } from "../../_memory/message.ts";

Deno.test("Arena.allocate() has no room for what is larger than the arena, by a byte or by gigabytes", () => {
  const arena = new Arena(createArenaBuffer());
  const sizes = [arena.largestBlock + 1, 2 ** 31 - 16, 2 ** 31 - 8, 2 ** 31, 2 ** 32 - 8, 2 ** 33];
  for (const bytes of sizes) assertEquals(arena.allocate(bytes), -1, `${bytes} bytes`);
  const [first, second] = [arena.allocate(100), arena.allocate(100)];
  assert(first > 0 && second >= first + 100);
  arena.release(first);
  arena.release(second);
  assertNotEquals(arena.allocate(arena.largestBlock), -1);
});

Deno.test("externBaseOf() counts on where the words alone take more than 2 GiB", () => {
  assertEquals(externBaseOf(8, 3), 8 + 16);
  assertEquals(externBaseOf(8, 2 ** 29 + 1), 8 + 2 ** 31 + 8);
});
