import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

test(
  "as_completed.ts prints each page when it is there, and what is given up at the end",
  SLOW,
  async () => {
    await assertPrintsAsDocumented("as_completed", []);
  },
);
