/**
 * Numbers and names that tell one thread from others. They need not be hard to guess, and so are
 * not made by `crypto`: pages that came over plain http lack parts of it, and on Node the first
 * look at it takes more than a millisecond of every start.
 *
 * @module
 */

/** A number of 32 bits. */
export function randomWord(): number {
  return (Math.random() * 2 ** 32) | 0;
}

/** A name that nothing else has. */
export function randomName(): string {
  return Array.from({ length: 4 }, () => (randomWord() >>> 0).toString(36)).join("-");
}
