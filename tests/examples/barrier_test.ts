import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { documentedOutput, printedAsDocumented, SLOW } from "./_support.ts";

const THREADS = 3;
const ROWS = 16;
const MIDDLE = 16;

/** The odd numbers in a row of Pascal's triangle stand where the cells are set. */
function expectedRow(row: number): string {
  const cells = new Array<string>(MIDDLE + row + 1).fill(" ");
  for (let i = 0; i <= row; i++) {
    const isOdd = (i & (row - i)) === 0;
    if (isOdd) cells[MIDDLE - row + 2 * i] = "█";
  }
  return cells.join("");
}

function check(output: string): void {
  const lines = output.split("\n");
  assertEquals(lines.slice(0, ROWS), Array.from({ length: ROWS }, (_, row) => expectedRow(row)));

  const arrivals = lines.slice(ROWS, ROWS + THREADS).map((line, thread) => {
    const found = /^Thread (\d) came first (\d+), second (\d+), last (\d+) times$/.exec(line);
    assert(found !== null, line);
    assertEquals(found[1], String(thread));
    return found.slice(2).map(Number);
  });
  assertEquals(lines.slice(ROWS + THREADS), [""]);
  // Each thread comes once per row, and in each row one thread comes first, one second, one last.
  for (let i = 0; i < THREADS; i++) {
    assertEquals(arrivals[i].reduce((sum, times) => sum + times), ROWS);
    assertEquals(arrivals.reduce((sum, times) => sum + times[i], 0), ROWS);
  }
}

test("barrier.ts prints each row once, complete, and counts who came when", SLOW, async () => {
  check(await documentedOutput("barrier"));
  check(await printedAsDocumented("barrier"));
});
