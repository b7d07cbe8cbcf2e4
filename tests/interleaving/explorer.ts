/**
 * The walk over all schedules of a model that have at most a given number of preemptions.
 *
 * A schedule is run, and its log shows at each step which other threads could have gone on. Each
 * such choice after the last switch makes one more schedule: the same switches, followed by this
 * one. So each schedule is a list of departures from the rule of `control.ts`, no two are the same,
 * and none is left out. A switch costs a preemption where the thread could have gone on; where it
 * sleeps or ends, the switch costs nothing. Most errors need one or two preemptions, and with this
 * bound the number of schedules stays polynomial.
 *
 * A choice is passed over if the same thread was chosen already, at no higher cost, after a
 * schedule that had done the same: all that can follow from the one follows from the other. See
 * `fingerprint.ts`.
 *
 * Source: M. Musuvathi and S. Qadeer, "Iterative Context Bounding for Systematic Testing of
 * Multithreaded Programs", 2007.
 *
 * @module
 */

import { Fingerprint } from "./fingerprint.ts";
import { LOG, MAX_THREADS, OP } from "./control_layout.ts";
import { DEFAULT_PREEMPTIONS } from "./model.ts";
import type { FoundModel } from "./models.ts";
import { type Schedule, Stage } from "./stage.ts";
import { formatTrace } from "./trace.ts";

/** A schedule that goes wrong. */
export interface Violation {
  readonly reason: string;
  readonly schedule: Schedule;
  readonly trace: string;
}

/** The result of a walk. */
interface Found {
  readonly schedules: number;
  /** How many of the schedules differ in what they do. */
  readonly different: number;
  /** Steps of all schedules together. */
  readonly steps: number;
  /** False when time was up, or a schedule went wrong, before all of them were run. */
  readonly isComplete: boolean;
  readonly violation: Violation | undefined;
}

/** The result of a model's walk. */
export interface Walk extends Found {
  readonly name: string;
  readonly threads: number;
  readonly preemptions: number;
  readonly seconds: number;
}

/** A schedule to be run. */
interface Plan {
  readonly schedule: Schedule;
  /** Its number of preemptions. */
  readonly cost: number;
  /**
   * The hash of the log before the last switch, and the operation of that step: both must come
   * about again.
   */
  readonly hash: number;
  readonly op: number;
}

/**
 * How often a walk begins anew because a thread has kept something from one schedule to the next
 * and so did not repeat itself.
 */
const REHEARSALS = 3;

/** The threads have not repeated what they did before. */
class NotRepeatable extends Error {
  readonly schedule: Schedule;

  constructor(schedule: Schedule) {
    super(
      "not repeatable: with the same switches the threads did something else than before; " +
        "let `open` bring all that they keep into the same state",
    );
    this.schedule = schedule;
  }
}

/** The limits of a walk. */
export interface Bounds {
  /** Preemptions in addition to those of the model. */
  readonly extra?: number;
  /** Whether choices that lead to nothing new are followed too. */
  readonly isExhaustive?: boolean;
  /** Seconds after which the walk is broken off. */
  readonly seconds?: number;
}

/**
 * Runs all schedules, up to the first that goes wrong: first those without a preemption, then those
 * with one, and so on. So what goes wrong is shown with as few preemptions as possible, and no
 * choice is followed again because it has become cheaper.
 */
export async function explore(found: FoundModel, bounds: Bounds = {}): Promise<Walk> {
  const { model } = found;
  const { extra = 0, seconds = Infinity, isExhaustive = false } = bounds;
  const preemptions = (model.preemptions ?? DEFAULT_PREEMPTIONS) + extra;
  using stage = await Stage.start(found);
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  // This run is not counted: threads do here what they do only the first time.
  const violation = violationOf(stage, [], stage.run([]));
  let came: Found = { schedules: 0, different: 0, steps: 0, isComplete: false, violation };
  for (let rehearsals = 0; came.violation === undefined; rehearsals++) {
    try {
      came = new Walker(stage, preemptions, isExhaustive).walk(endMs);
      break;
    } catch (error) {
      if (!(error instanceof NotRepeatable)) throw error;
      if (rehearsals < REHEARSALS) continue;
      came = { ...came, violation: violationOf(stage, error.schedule, error.message) };
    }
  }
  const { name, threads } = model;
  return { name, threads, preemptions, seconds: (performance.now() - startMs) / 1000, ...came };
}

/** Walks all schedules that have at most a given number of preemptions. */
class Walker {
  readonly #stage: Stage;
  readonly #isExhaustive: boolean;
  /**
   * By cost: the schedules that are still to be run. A plan leads to others of the same cost, or of
   * one more.
   */
  readonly #plans: Plan[][];
  /** By what was done before and which thread was then chosen: the least cost of that choice. */
  readonly #chosen = new Map<number, number>();
  /** The fingerprints of the schedules. */
  readonly #ends = new Set<number>();

  constructor(stage: Stage, preemptions: number, isExhaustive: boolean) {
    this.#stage = stage;
    this.#isExhaustive = isExhaustive;
    this.#plans = Array.from({ length: preemptions + 1 }, () => []);
    this.#plans[0].push({ schedule: [], cost: 0, hash: 0, op: OP.START });
  }

  walk(endMs: number): Found {
    const stage = this.#stage;
    let schedules = 0;
    let steps = 0;
    let violation: Violation | undefined;
    let isComplete = false;
    while (performance.now() < endMs) {
      const plan = this.#plans.find(({ length }) => length > 0)?.pop();
      isComplete = plan === undefined;
      if (plan === undefined) break;
      const reason = stage.run(plan.schedule);
      schedules++;
      steps += stage.steps;
      violation = violationOf(stage, plan.schedule, reason);
      if (violation !== undefined) break;
      if (!isRepetition(stage, plan)) throw new NotRepeatable(plan.schedule);
      this.#branch(plan);
    }
    return { schedules, different: this.#ends.size, steps, isComplete, violation };
  }

  /** Plans the schedules that add one more switch to the one just run. */
  #branch({ schedule, cost }: Plan): void {
    const stage = this.#stage;
    const done = new Fingerprint();
    for (let step = 0; step < stage.steps; step++) {
      const read = (field: number): number => stage.at(step, field);
      const before = done.value;
      done.add(read);
      const choices = read(LOG.CHOICES);
      if (choices === 0 || step <= lastSwitch(schedule)) continue;
      const isAhead = isAheadOfAct(read(LOG.OP));
      const state = isAhead ? before : done.value;
      const op = isAhead ? OP.PREEMPTED : read(LOG.OP);
      for (let thread = 0; thread < stage.model.threads; thread++) {
        const isFree = (choices & (1 << thread)) !== 0;
        const isDear = (choices & (1 << (8 + thread))) !== 0;
        if (!isFree && !isDear) continue;
        const newCost = isFree ? cost : cost + 1;
        if (newCost >= this.#plans.length || !this.#isNew(state, thread, newCost)) continue;
        const hash = read(LOG.HASH);
        const plan = { schedule: [...schedule, step, thread], cost: newCost, hash, op };
        this.#plans[newCost].push(plan);
      }
    }
    this.#ends.add(done.value);
  }

  /** True the first time that a thread goes on from a state at this cost or less. */
  #isNew(state: number, thread: number, cost: number): boolean {
    if (this.#isExhaustive) return true;
    const key = state * MAX_THREADS + thread;
    const least = this.#chosen.get(key);
    if (least !== undefined && least <= cost) return false;
    this.#chosen.set(key, cost);
    return true;
  }
}

/** Whether the choice at a step was made before the step's operation, rather than after it. */
function isAheadOfAct(op: number): boolean {
  return op !== OP.START && op !== OP.PAUSE && op !== OP.SLEEP && op !== OP.END;
}

/**
 * Runs one schedule a few times, so that what threads keep from one run to the next is as it was in
 * the walk. Also returns the trace of the last run, whether it goes wrong or not.
 */
export async function replay(
  found: FoundModel,
  schedule: Schedule,
): Promise<{ reason: string | undefined; trace: string }> {
  using stage = await Stage.start(found);
  let reason = stage.run([]);
  for (let i = 0; reason === undefined && i < REHEARSALS; i++) reason = stage.run(schedule);
  if (!stage.fits) {
    reason ??= "the schedule does not fit: a thread that it wants cannot go on there";
  }
  return { reason, trace: formatTrace(stage) };
}

function violationOf(
  stage: Stage,
  schedule: Schedule,
  reason: string | undefined,
): Violation | undefined {
  return reason === undefined ? undefined : { reason, schedule, trace: formatTrace(stage) };
}

/** The step of the last switch; -1 if there is none. */
function lastSwitch(schedule: Schedule): number {
  return schedule.at(-2) ?? -1;
}

/** Whether the threads did the same as before, up to the last switch. */
function isRepetition(stage: Stage, { schedule, hash, op }: Plan): boolean {
  const step = Math.max(0, lastSwitch(schedule));
  return stage.fits && stage.at(step, LOG.HASH) === hash && stage.at(step, LOG.OP) === op;
}
