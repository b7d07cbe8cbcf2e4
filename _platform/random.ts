/**
 * Numbers and names that tell one thread from others. Those that need not be hard to guess are not
 * made by `crypto`: on Node, the first look at it takes more than a millisecond of every start.
 *
 * @module
 */

/** A number of 32 bits. */
export function randomWord(): number {
  return (Math.random() * 2 ** 32) | 0;
}

/** A name that nothing else has. */
export function randomName(): string {
  return nameOf(Uint32Array.from({ length: 4 }, randomWord));
}

/**
 * A name that nobody can use who was not told it: of 128 bits that are hard to guess, even for who
 * knows others.
 */
export function secretName(): string {
  // Not `randomUUID`, which pages that came over plain http lack.
  return nameOf(crypto.getRandomValues(new Uint32Array(4)));
}

function nameOf(words: Uint32Array): string {
  return Array.from(words, (word) => word.toString(36)).join("-");
}
