/**
 * What a task does at a gate of `signals.ts`. It imports no code, so that workers whose tasks use
 * no gate start sooner.
 */

import type { Event, Semaphore } from "../../sync/mod.ts";

/** The part of a `Gate` that is passed to tasks. */
export interface GateParts {
  /** A permit for each task that has come. */
  readonly arrivals: Semaphore;
  /** Set once the gate is open. */
  readonly opening: Event;
}

/** Opens a gate. */
export function openGate({ opening }: GateParts): void {
  opening.set();
}

/** Reports that a task has come to a gate. */
export function enterGate({ arrivals }: GateParts): void {
  arrivals.release();
}

/** Resolves once a gate is open. */
export async function gateOpens({ opening }: GateParts): Promise<void> {
  await opening.wait();
}

/** Whether a gate is open. */
export function isGateOpen({ opening }: GateParts): boolean {
  return opening.isSet();
}

/** Blocks until a gate is open. */
export function gateOpensSync({ opening }: GateParts): void {
  opening.waitSync();
}
