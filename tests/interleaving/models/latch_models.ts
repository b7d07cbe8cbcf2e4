/**
 * The latch that guards the slow paths of every object.
 *
 * @module
 */

import { Latch } from "../../../_memory/wait_list.ts";
import { defineModel, type Model } from "../model.ts";
import { assertZero, newWords, visit } from "./_support.ts";

function contended(threads: number, rounds: number, preemptions: number): Model {
  return defineModel({
    name: `Latch: ${threads} threads, ${rounds}x`,
    threads,
    preemptions,
    setUp: () => ({ words: newWords(1), inside: newWords(1) }),
    open: ({ words, inside }) => ({ latch: new Latch(words, 0), inside }),
    thread(_, { latch, inside }) {
      for (let i = 0; i < rounds; i++) {
        latch.take();
        visit(inside);
        latch.give();
      }
    },
    check: ({ words }) => assertZero(words),
  });
}

/** See `models.ts`. */
export const models: readonly Model[] = [
  contended(2, 2, 4),
  contended(3, 1, 3),
  contended(3, 2, 2),
];
