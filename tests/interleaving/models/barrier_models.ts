/**
 * Barrier: rounds do not mix, and end for all parties in the same way.
 *
 * @module
 */

import type { Handle } from "../../../_memory/handle.ts";
import { BARRIER } from "../../../_memory/layout.ts";
import { home } from "../../../_memory/seat.ts";
import { add, load } from "../../../_platform/atomics.ts";
import { Barrier } from "../../../sync/barrier.ts";
import { BrokenBarrierError } from "../../../sync/errors.ts";
import { defineModel, type Model } from "../model.ts";
import { emptyTable, sit, tableOf } from "./_seats.ts";
import { assertOneOf, assertZero, newWords, succeeds, wordsOf } from "./_support.ts";

const TIMEOUT_MS = 10;

/** Word of `counts`: arrivals so far. */
const ARRIVED = 0;
/** Word of `counts`: actions begun so far. */
const BEGUN = 1;
/** Word of `counts`: actions ended so far. */
const ENDED = 2;
const COUNT_WORDS = 3;

/** What a party returns whose round was broken. */
const BROKEN = -1;
/** What a party returns whose thread was given up. */
const GIVEN_UP = -2;

interface Shared {
  readonly barrier: Handle;
  readonly counts: Int32Array;
}

interface View {
  readonly barrier: Barrier;
  readonly counts: Int32Array;
}

function setUpFor(parties: number, hasAction = false): () => Shared {
  const action = hasAction ? (): void => {} : undefined;
  return () => ({
    barrier: new Barrier(parties, { action }).handle,
    counts: newWords(COUNT_WORDS),
  });
}

function open({ barrier, counts }: Shared): View {
  return { barrier: Barrier.from(barrier), counts };
}

/** Like {@linkcode open}, with an action, which takes two steps. */
function openActing(shared: Shared): View {
  const view = open(shared);
  const { barrier, counts } = view;
  barrier.action = (): void => {
    if (add(counts, BEGUN, 1) !== load(counts, ENDED)) throw new Error("two actions at once");
    add(counts, ENDED, 1);
  };
  return view;
}

/** Waits once; returns the index, or `BROKEN`. */
function waitOnce({ barrier }: View, timeout?: number): number {
  let index = BROKEN;
  succeeds(() => index = barrier.waitSync({ timeout }), BrokenBarrierError);
  return index;
}

/** Waits once, in a thread that may have been given up. */
function waitOnceUnlessGivenUp(view: View): number {
  try {
    return waitOnce(view);
  } catch (error) {
    if (!String(error).includes("given up")) throw error;
    return GIVEN_UP;
  }
}

/** Waits until a round is complete. */
function waitUntilComplete(view: View): number {
  for (;;) {
    const index = waitOnce(view);
    if (index !== BROKEN) return index;
  }
}

/** Throws unless nobody waits and the barrier is broken, or not, as given. */
function checkLeft({ barrier }: Shared, isBroken: boolean): void {
  assertOneOf(Barrier.from(barrier).broken, isBroken);
  const { PARTIES, HAS_ACTION, STATE, ROUND, ACTING } = BARRIER;
  assertZero(wordsOf(barrier), PARTIES, HAS_ACTION, STATE, ROUND, ACTING);
}

/** Throws unless both parties got an index each, or neither did. */
function checkAllOrNone(shared: Shared, indices: readonly number[]): void {
  assertOneOf(indices, [0, 1], [1, 0], [BROKEN, BROKEN]);
  checkLeft(shared, indices[0] === BROKEN);
}

interface Rounds {
  readonly parties: number;
  readonly rounds: number;
  readonly preemptions: number;
  readonly hasAction?: boolean;
}

/**
 * Round after round: no party leaves a round before all have come, and each index comes once per
 * round.
 */
function rounds({ parties, rounds, preemptions, hasAction = false }: Rounds): Model {
  return defineModel({
    name: `Barrier: ${parties} parties, ${rounds}x${hasAction ? ", action" : ""}`,
    threads: parties,
    preemptions,
    setUp: setUpFor(parties, hasAction),
    open: hasAction ? openActing : open,
    thread(_, { barrier, counts }) {
      return Array.from({ length: rounds }, (_, round) => {
        add(counts, ARRIVED, 1);
        const index = barrier.waitSync();
        if (load(counts, ARRIVED) < (round + 1) * parties) throw new Error("left before all came");
        if (hasAction && load(counts, ENDED) <= round) throw new Error("left before the action");
        return index;
      });
    },
    check(shared, results) {
      for (let round = 0; round < rounds; round++) {
        const indices = results.map((indices) => indices[round]).sort();
        assertOneOf(indices, Array.from(indices.keys()));
      }
      assertOneOf(shared.counts[ENDED], hasAction ? rounds : 0);
      checkLeft(shared, false);
    },
  });
}

/**
 * Twice as many threads as parties: those that come while the action runs wait at the gate, and
 * make a round of their own.
 */
const gate = defineModel({
  name: "Barrier: gate",
  threads: 4,
  preemptions: 1,
  setUp: setUpFor(2, true),
  open: openActing,
  thread: (_, view) => waitOnce(view),
  check(shared, indices) {
    assertOneOf(indices.sort(), [0, 0, 1, 1]);
    assertOneOf(shared.counts[ENDED], 2);
    checkLeft(shared, false);
  },
});

/** Thread 1 gives up, unless the last arrival comes in time. */
function timedOut(hasAction: boolean): Model {
  return defineModel({
    name: `Barrier: timeout${hasAction ? ", action" : ""}`,
    threads: 2,
    preemptions: 3,
    setUp: setUpFor(2, hasAction),
    open: hasAction ? openActing : open,
    thread: (thread, view) => waitOnce(view, thread === 1 ? TIMEOUT_MS : undefined),
    check(shared, indices) {
      checkAllOrNone(shared, indices);
      // The timeout comes too late once the action runs.
      assertOneOf(shared.counts[ENDED], hasAction && indices[0] !== BROKEN ? 1 : 0);
    },
  });
}

/** Both parties may give up. */
const bothTimeOut = defineModel({
  name: "Barrier: two timeouts",
  threads: 2,
  preemptions: 3,
  setUp: setUpFor(2),
  open,
  thread: (_, view) => waitOnce(view, TIMEOUT_MS),
  check: checkAllOrNone,
});

/** Thread 2 breaks the barrier before, while or after the others meet. */
function aborted(hasAction: boolean): Model {
  return defineModel({
    name: `Barrier: abort${hasAction ? ", action" : ""}`,
    threads: 3,
    setUp: setUpFor(2, hasAction),
    open: hasAction ? openActing : open,
    thread(thread, view) {
      if (thread < 2) return waitOnce(view);
      view.barrier.abort();
      return BROKEN;
    },
    check(shared, [first, second]) {
      assertOneOf([first, second], [0, 1], [1, 0], [BROKEN, BROKEN]);
      checkLeft(shared, true);
    },
  });
}

/** Thread 2 resets the barrier; a party that was waiting then comes again. */
function wasReset(hasAction: boolean): Model {
  return defineModel({
    name: `Barrier: reset${hasAction ? ", action" : ""}`,
    threads: 3,
    preemptions: 1,
    setUp: setUpFor(2, hasAction),
    open: hasAction ? openActing : open,
    thread(thread, view) {
      if (thread < 2) return waitUntilComplete(view);
      view.barrier.reset();
      return BROKEN;
    },
    check(shared, [first, second]) {
      assertOneOf([first, second], [0, 1], [1, 0]);
      const { counts } = shared;
      assertOneOf(counts[BEGUN], counts[ENDED]);
      // The action ran once, and once more if `reset` had ended the round for which it first ran.
      assertOneOf(counts[ENDED], ...hasAction ? [1, 2] : [0]);
      checkLeft(shared, false);
    },
  });
}

/**
 * Thread 2 gives thread 0 up. Thread 1 is let through if both had come; otherwise its wait fails.
 */
const deadParty = defineModel({
  name: "Barrier: dead party",
  threads: 3,
  preemptions: 1,
  setUp() {
    emptyTable();
    return { ...setUpFor(2)(), ids: newWords(3) };
  },
  open({ ids, ...shared }, thread) {
    const seat = sit(tableOf(shared.barrier), thread);
    ids[thread] = seat.id;
    return { ...open(shared), table: seat.table, ids };
  },
  thread(thread, { table, ids, ...view }) {
    if (thread === 2) table.declareDead(ids[0]);
    if (thread !== 0) return thread === 1 ? waitOnce(view) : BROKEN;
    return waitOnceUnlessGivenUp(view);
  },
  check(shared, [first, second]) {
    if (first === GIVEN_UP) assertOneOf(second, 1, 0, BROKEN);
    else assertOneOf([first, second], [0, 1], [1, 0], [BROKEN, BROKEN]);
    checkLeft(shared, second === BROKEN);
  },
});

/**
 * Thread 0 gives thread 1 up in its action. Thread 1 may be at the gate by then. It comes twice,
 * and uses the same node for both waits.
 */
const deadAtGate = defineModel({
  name: "Barrier: dead at the gate",
  threads: 2,
  preemptions: 2,
  setUp() {
    emptyTable();
    return { ...setUpFor(1, true)(), ids: newWords(2) };
  },
  open({ ids, ...shared }, thread) {
    const { id, table } = sit(tableOf(shared.barrier), thread);
    ids[thread] = id;
    const view = openActing(shared);
    const { barrier } = view;
    const action = barrier.action!;
    if (thread === 0) {
      barrier.action = (): void => {
        table.declareDead(ids[1]);
        action();
      };
    }
    return view;
  },
  thread(thread, view) {
    if (thread === 0) return [waitOnce(view)];
    return [waitOnceUnlessGivenUp(view), waitOnceUnlessGivenUp(view)];
  },
  check(shared, [[index], ends]) {
    assertOneOf(index, 0);
    for (const end of ends) assertOneOf(end, 0, GIVEN_UP);
    checkLeft(shared, false);
  },
});

/**
 * The main thread is one of three parties, and waits asynchronously, but never hears of the result.
 * The party that waits, or comes later, finds that the main thread has ended. The third never
 * comes.
 */
const endedParty = defineModel({
  name: "Barrier: ended party",
  threads: 2,
  preemptions: 3,
  setUp() {
    emptyTable();
    const shared = setUpFor(3)();
    Barrier.from(shared.barrier).wait().catch(() => {});
    return { ...shared, main: home().id };
  },
  open({ main, ...shared }, thread) {
    const { table } = sit(tableOf(shared.barrier), thread);
    return { ...open(shared), table, main };
  },
  thread(thread, { table, main, ...view }) {
    if (thread === 0) table.leave(main);
    else if (waitOnce(view) !== BROKEN) throw new Error("through with one of three");
  },
  check: (shared) => checkLeft(shared, true),
});

/** See `models.ts`. */
export const models: readonly Model[] = [
  rounds({ parties: 2, rounds: 2, preemptions: 2 }),
  rounds({ parties: 3, rounds: 2, preemptions: 1 }),
  rounds({ parties: 2, rounds: 2, preemptions: 2, hasAction: true }),
  rounds({ parties: 3, rounds: 1, preemptions: 1, hasAction: true }),
  gate,
  timedOut(false),
  timedOut(true),
  bothTimeOut,
  aborted(false),
  aborted(true),
  wasReset(false),
  wasReset(true),
  deadParty,
  deadAtGate,
  endedParty,
];
