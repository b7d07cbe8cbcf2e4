import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { documentedOutput, printedAsDocumented, SLOW } from "./_support.ts";

const TASKS = 4;

/** Separates the workers' lines, whose order is not fixed, from the others. */
function parse(output: string): { setUps: string[]; conversions: string[]; others: string[] } {
  const setUps: string[] = [];
  const conversions: string[] = [];
  const others: string[] = [];
  for (const line of output.trimEnd().split("\n")) {
    const setUp = /^(worker_\d) has loaded the rates of USD$/.exec(line);
    const conversion = /^(100 USD are \d+ [A-Z]{3}), says (worker_\d)$/.exec(line);
    if (setUp !== null) setUps.push(setUp[1]);
    else if (conversion !== null) {
      conversions.push(conversion[1]);
      assert(setUps.includes(conversion[2]), `${line}, but is not set up`);
    } else others.push(line);
  }
  return { setUps, conversions, others };
}

test(
  "initializer.ts sets each worker up once, before its tasks, and breaks a pool whose set-up fails",
  SLOW,
  async () => {
    const printed = parse(await printedAsDocumented("initializer"));
    const documented = parse(await documentedOutput("initializer"));
    assertEquals(new Set(printed.setUps).size, printed.setUps.length);
    assert(printed.setUps.every((name) => documented.setUps.includes(name)));
    assertEquals(printed.conversions, documented.conversions);
    assertEquals(printed.conversions.length, TASKS);
    assertEquals(printed.others, documented.others);
  },
);
