import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { ROOT } from "../_support/scratch.ts";

const EXAMPLE = new URL("examples/my_thread.ts", ROOT);

/** Programs take their time when other tests run beside them. */
const SLOW = { timeout: 60_000 };

test("my_thread.ts counts the primes of each share, and all of them", SLOW, async () => {
  for (const permissions of [["-A"], ["--allow-read"]]) {
    const { code, stdout, stderr } = await runProgram(EXAMPLE, { permissions });
    assertEquals([code, stderr], [0, ""]);
    const lines = stdout.trim().split("\n");
    assertEquals(lines.slice(0, 3).toSorted(), [
      "counter 1: 9592 primes from 0 on",
      "counter 2: 8392 primes from 100000 on",
      "counter 3: 8013 primes from 200000 on",
    ]);
    assertEquals(lines.slice(3), ["25997 primes below 300000"]);
  }
});
