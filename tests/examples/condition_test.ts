import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { documentedOutput, printedAsDocumented, SLOW } from "./_support.ts";

const LOAVES = 10;
const ROOM = 3;

function check(output: string): void {
  const lines = output.split("\n");
  let put = 0;
  let taken = 0;
  const eaten: Record<string, number> = { A: 0, B: 0 };
  for (const line of lines.slice(0, 2 * LOAVES)) {
    const found = /^(?:(Producer) puts|Consumer ([AB]) takes) loaf (\d+), (\d+) on the shelf$/
      .exec(line);
    assert(found !== null, line);
    const [, producer, consumer, loaf, onShelf] = found;
    if (producer !== undefined) {
      assertEquals(Number(loaf), ++put);
    } else {
      assertEquals(Number(loaf), ++taken);
      eaten[consumer]++;
    }
    assertEquals(Number(onShelf), put - taken);
    assert(put >= taken && put - taken <= ROOM, line);
  }
  assertEquals([put, taken], [LOAVES, LOAVES]);
  assertEquals(lines.slice(2 * LOAVES), [
    "",
    `A has eaten ${eaten.A}, B has eaten ${eaten.B}`,
    "",
  ]);
}

test(
  "condition.ts moves every loaf over the shelf, in order and within its room",
  SLOW,
  async () => {
    check(await documentedOutput("condition"));
    check(await printedAsDocumented("condition"));
  },
);
