import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { documentedOutput, printedAsDocumented, SLOW } from "./_support.ts";

/**
 * A task that listens has a moment to end before its thread is abandoned. On a machine so busy that
 * the thread does not run in that moment, the thread numbers differ.
 */
const NEXT_THREAD = /The next one runs in (?:the same|another) thread\. Abandoned: (\d)/g;

test(
  "cancel_and_timeout.ts prints how each task ends, and what becomes of its thread or process",
  SLOW,
  async () => {
    const printed = await printedAsDocumented("cancel_and_timeout");
    const expected = await documentedOutput("cancel_and_timeout");
    assertEquals(printed.replaceAll(NEXT_THREAD, ""), expected.replaceAll(NEXT_THREAD, ""));
    const [listened, didNot] = Array.from(printed.matchAll(NEXT_THREAD), ([, count]) => +count);
    assert(didNot > listened, printed);
  },
);
