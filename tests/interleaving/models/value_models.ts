/**
 * Value: no addition is lost.
 *
 * @module
 */

import { Value } from "../../../sync/value.ts";
import { defineModel, type Model } from "../model.ts";
import { assertOneOf } from "./_support.ts";

/** No two sums of these numbers are equal, whatever is left out. */
const TERMS = [[1, 2], [4, 8], [16, 32]];
const SUM = 63;

function sums(type: "i32" | "f64"): Model {
  return defineModel({
    name: `Value: add, "${type}"`,
    threads: TERMS.length,
    preemptions: 3,
    setUp: () => ({ value: new Value(type).handle }),
    open: ({ value }) => Value.from<"i32" | "f64">(value),
    thread(thread, value) {
      for (const term of TERMS[thread]) value.add(term);
    },
    check: ({ value }) => assertOneOf(Value.from<"i32" | "f64">(value).value, SUM),
  });
}

/** See `models.ts`. */
export const models: readonly Model[] = [sums("i32"), sums("f64")];
