import { test } from "../_support/leaks.ts";
import { assertPrintsAsDocumented, SLOW } from "./_support.ts";

test(
  "own_exceptions.ts prints what is left of an error whose class is registered, and of another",
  SLOW,
  async () => {
    await assertPrintsAsDocumented("own_exceptions", ["--allow-read"]);
  },
);
