/**
 * A thread that blocks for futures: until when, and when it would block for ever.
 *
 * @module
 */

import { doorbell } from "../_memory/doorbell.ts";
import { NEVER, nowMs } from "../_platform/clock.ts";
import { checkMayBlock } from "../sync/_acquire.ts";
import { RuntimeError } from "../sync/errors.ts";
import { futureInternals, type Runner } from "./_future_internals.ts";
import type { Future } from "./future.ts";

/** Runs the tasks that a worker submits to pools of its owner. */
export interface OwnerRunner extends Runner {
  /** Futures of such tasks that are not done. */
  readonly pending: Iterable<Future<unknown>>;
  /** How many outcomes of such tasks the doorbell expects. */
  readonly expected: number;
}

let owner: OwnerRunner | undefined;

/** Makes this thread a worker, whose owner runs what it submits. */
export function setOwnerRunner(runner: OwnerRunner): void {
  owner = runner;
}

/**
 * Blocks this thread until `isDone` or the deadline, and returns what `isDone` says then.
 *
 * @param futures What the wait is for: each of them may end it.
 * @param polls Whether to look once instead of waiting.
 * @throws {RuntimeError} When the futures could not be completed while this thread is blocked.
 */
export function blockUntil(
  isDone: () => boolean,
  deadlineMs: number,
  futures: readonly Future<unknown>[],
  polls: boolean,
): boolean {
  if (polls) {
    doorbell.poll();
    return isDone();
  }
  const runners = new Map<Runner, Future<unknown>[]>();
  let isForCallback = false;
  for (const future of futures) {
    if (future.done()) continue;
    const runner = futureInternals.runnerOf(future);
    if (runner === undefined) {
      isForCallback = true;
      continue;
    }
    const own = runners.get(runner);
    if (own === undefined) runners.set(runner, [future]);
    else own.push(future);
  }
  // A callback of any of these futures may complete this one. If none of their tasks can ever run,
  // the owner reports it.
  if (isForCallback && owner !== undefined) {
    const pending = [...owner.pending];
    if (pending.length > 0) runners.set(owner, pending);
  }
  if (runners.size === 0 && !isDone()) checkMayBlock("wait for Future");
  // Who waits until a deadline goes on by itself.
  const judge = deadlineMs === NEVER && owner !== undefined && runners.has(owner)
    ? owner
    : undefined;
  let isOver = false;
  let inVain: string | undefined;
  const entered: Runner[] = [];
  try {
    for (const [runner, own] of runners) {
      if (runner === judge) continue;
      runner.enterBlocking(own, deadlineMs); // One may refuse after others have entered.
      entered.push(runner);
    }
    const isInVain = (): boolean => (inVain = whyInVain(runners.keys(), futures)) !== undefined;
    if (judge === undefined) {
      const isEnough = (): boolean => isDone() || (deadlineMs === NEVER && isInVain());
      isOver = doorbell.waitSync(isEnough, deadlineMs) && isDone();
    } else {
      isOver = blockJudged(isDone, isInVain, judge, futures, isForCallback);
    }
  } finally {
    for (const runner of entered) runner.leaveBlocking();
  }
  // It may have been over just after it was found to be in vain.
  if (!isOver && inVain !== undefined) throw new RuntimeError(inVain);
  return isOver;
}

/** How long a worker that got an outcome, and has to wait on, collects more before it tells its owner. */
const TELL_AGAIN_MS = 20;

/**
 * Blocks this worker without a deadline until `isDone`, or until its owner finds the wait to be in
 * vain, which `isInVain` tells. Returns what `isDone` says then.
 *
 * The owner knows of its own tasks only. While something else may end the wait, the owner is not
 * told which futures the worker waits for: it would take a worker that can go on for one that
 * cannot, also when it judges the waits of others. It is told once nothing else can end the wait
 * any more: with `FIRST_EXCEPTION`, once the other futures have returned values. It is told again
 * when an outcome has come and the wait goes on for the rest; not at each outcome, as it is told
 * all that are left.
 *
 * @param isForCallback Whether the callback of any outcome still to come may end the wait.
 */
function blockJudged(
  isDone: () => boolean,
  isInVain: () => boolean,
  owner: OwnerRunner,
  futures: readonly Future<unknown>[],
  isForCallback: boolean,
): boolean {
  const [own, others]: [Future<unknown>[], Future<unknown>[]] = [[], []];
  for (const future of futures) {
    const runner = futureInternals.runnerOf(future);
    if (runner === owner) own.push(future);
    else if (runner !== undefined) others.push(future);
  }
  let done = 0; // How many of the others are known to be done, from the first on.
  const mayEndOtherwise = (): boolean => {
    while (done < others.length && others[done].done()) done++;
    return done < others.length || (isForCallback && doorbell.expectsMoreThan(owner.expected));
  };
  for (;;) {
    const endsOtherwise = mayEndOtherwise();
    const judged = (endsOtherwise ? [] : isForCallback ? [...owner.pending] : own)
      .filter((future) => !future.done());
    owner.enterBlocking(judged, NEVER);
    try {
      const isEnough = (): boolean => isDone() || mayEndOtherwise() !== endsOtherwise || isInVain();
      const hasNews = (): boolean => judged.some((future) => future.done());
      doorbell.waitSync(() => isEnough() || hasNews(), NEVER);
      // The owner takes it that this worker goes on. More outcomes may follow at once.
      doorbell.waitSync(isEnough, nowMs() + TELL_AGAIN_MS);
      if (isDone() || isInVain()) return isDone();
    } finally {
      owner.leaveBlocking();
    }
  }
}

/** The text of the error if a blocking wait for the futures would never end. */
function whyInVain(
  runners: Iterable<Runner>,
  futures: readonly Future<unknown>[],
): string | undefined {
  for (const { inVain } of runners) if (inVain !== undefined) return inVain;
  // Their runners, or a callback of another future, may still complete them.
  if (doorbell.isExpecting) return undefined;
  if (futures.some((f) => !f.done() && futureInternals.runnerOf(f) !== undefined)) return undefined;
  return "Cannot block: only this thread can complete the future, and it would be blocked; await the future instead";
}
