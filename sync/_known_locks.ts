/**
 * The locks that `debugLocks` tells of: those with a name, and those that this thread has waited
 * for. Not all, as to remember an object weakly costs ten times what a lock costs otherwise, and
 * keeps it alive until the turn ends.
 *
 * @module
 */

import type { LockWords } from "./_lock_words.ts";

const known = new Set<WeakRef<LockWords>>();
const registry = new FinalizationRegistry<WeakRef<LockWords>>((gone) => known.delete(gone));

/** Remembers a lock for as long as the program does. Call once. */
export function rememberLock(core: LockWords): void {
  const reference = new WeakRef(core);
  known.add(reference);
  registry.register(core, reference);
}

/** The locks that are remembered and still there. */
export function* knownLocks(): Generator<LockWords> {
  for (const reference of known) {
    const core = reference.deref();
    if (core !== undefined) yield core;
  }
}
