/**
 * What the benchmarks send. Workers import this module, so nothing else is in it.
 *
 * @module
 */

/** About 100 bytes of JSON. */
export const OBJECT = {
  id: 12345,
  name: "widget-17",
  price: 12.75,
  tags: ["a", "bc"],
  active: true,
  note: "short text here",
};
