/**
 * The locks that `debugLocks` reports: those with a name, and those that this thread has waited
 * for. Not all locks, as a weak reference costs ten times what a lock costs otherwise, and keeps
 * the lock alive until the turn ends.
 *
 * @module
 */

import type { LockWords } from "./_lock_words.ts";

const known = new Set<WeakRef<LockWords>>();
const registry = new FinalizationRegistry<WeakRef<LockWords>>((gone) => known.delete(gone));

/** Remembers a lock until it is collected as garbage. Call once per core. */
export function rememberLock(core: LockWords): void {
  const reference = new WeakRef(core);
  known.add(reference);
  registry.register(core, reference);
}

/** The remembered locks that still exist. */
export function* knownLocks(): Generator<LockWords> {
  for (const reference of known) {
    const core = reference.deref();
    if (core !== undefined) yield core;
  }
}
