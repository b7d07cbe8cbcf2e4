/**
 * A job whose future is not done. For its states and their transitions see `_cluster_backend.ts`.
 *
 * @module
 */

import { epochMs, nowMs } from "../../_platform/clock.ts";
import type { Future } from "../future.ts";
import type { ChunkParts } from "./_chunk_parts.ts";
import type { NewJob } from "./_engine.ts";

export const HELD = 0;
export const SENT = 1;
export const QUEUED = 2;
export const RUNNING = 3;

/** A job whose future is not done. */
export interface PendingJob {
  readonly id: string;
  readonly name: string;
  readonly future: Future<unknown>;
  /**
   * The futures that follow that one, each for a call of `attach`, and what makes each of them
   * follow.
   */
  followers: Map<Future<unknown>, () => void> | undefined;
  /** The job to add; `undefined` for one that another submitter has added. */
  readonly order: NewJob | undefined;
  /** The chunk that it is a part of, if it is one. */
  readonly parts: ChunkParts | undefined;
  readonly calls: number;
  readonly submittedMs: number;
  state: number;
  startedMs: number;
  /** When an event of it was last heard, or it was last looked up. */
  heardMs: number;
  /** How many of the last looks in a row did not find it. */
  misses: number;
  /** Its stored outcome is being fetched. */
  isFetching: boolean;
  /** It was cancelled or given up here. */
  isUnwanted: boolean;
  readonly priority: number;
}

/** Makes a pending job; without an order, one that the broker has already. */
export function pendingJob(
  id: string,
  name: string,
  future: Future<unknown>,
  order: NewJob | undefined,
  calls: number,
  parts?: ChunkParts,
): PendingJob {
  return {
    id,
    name,
    future,
    followers: undefined,
    order,
    parts,
    calls,
    submittedMs: epochMs(),
    state: order === undefined ? QUEUED : HELD,
    startedMs: 0,
    heardMs: nowMs(),
    misses: 0,
    isFetching: false,
    isUnwanted: false,
    priority: order?.priority ?? 0,
  };
}
