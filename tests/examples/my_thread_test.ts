import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { documentedOutput, printedAsDocumented, printedBy, SLOW } from "./_support.ts";

function check(output: string): void {
  const lines = output.trim().split("\n");
  assertEquals(lines.slice(0, 3).toSorted(), [
    "counter 1: 9592 primes from 0 on",
    "counter 2: 8392 primes from 100000 on",
    "counter 3: 8013 primes from 200000 on",
  ]);
  assertEquals(lines.slice(3), ["25997 primes below 300000"]);
}

test("my_thread.ts counts the primes of each share, and all of them", SLOW, async () => {
  check(await documentedOutput("my_thread"));
  check(await printedAsDocumented("my_thread"));
});

test("my_thread.ts needs no permission but to read", SLOW, async () => {
  check(await printedBy("my_thread", { permissions: ["--allow-read"] }));
});
