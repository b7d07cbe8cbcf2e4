/**
 * The locks that this thread has a view of, for {@linkcode debugLocks}.
 *
 * @module
 */

import type { LockCore } from "./_lock_core.ts";

/** A lock, while somebody still has it. */
export interface KnownLock {
  readonly kind: string;
  readonly name: string | undefined;
  readonly core: LockCore;
  /** How often its owner has acquired it. */
  readonly depth: (() => number) | undefined;
}

const known = new Set<WeakRef<object>>();
const details = new WeakMap<object, KnownLock>();
const registry = new FinalizationRegistry<WeakRef<object>>((reference) => known.delete(reference));

/** Remembers a lock for as long as the program does. */
export function watchLock(
  lock: object,
  kind: string,
  name: string | undefined,
  core: LockCore,
  depth?: () => number,
): void {
  const reference = new WeakRef(lock);
  known.add(reference);
  details.set(lock, { kind, name, core, depth });
  registry.register(lock, reference);
}

/** The locks that this thread has a view of. */
export function* knownLocks(): Generator<KnownLock> {
  for (const reference of known) {
    const lock = reference.deref();
    if (lock !== undefined) yield details.get(lock)!;
  }
}
