/**
 * What a model is: real code for two to four threads, run under every schedule.
 *
 * @module
 */

/**
 * A small program of real library code, of which every schedule is run.
 *
 * @typeParam S What the threads share: values that can be cloned, with all shared memory that two
 *   threads touch.
 * @typeParam V What a thread makes of it before the schedule begins.
 * @typeParam R What a thread returns; it is passed on as JSON.
 */
export interface Model<S = unknown, V = S, R = unknown> {
  /** Its name on the command line. */
  readonly name: string;
  readonly threads: number;
  /**
   * How often a thread that could go on is interrupted. Default {@linkcode DEFAULT_PREEMPTIONS}.
   */
  readonly preemptions?: number;
  /**
   * Steps after which a schedule counts as one that never ends. Default
   * {@linkcode DEFAULT_MAX_STEPS}.
   */
  readonly maxSteps?: number;
  /**
   * Makes what the threads share, anew for each schedule. Runs on the main thread and is not
   * stepped.
   */
  setUp(): S;
  /**
   * Makes what one thread works with out of `shared`. Runs in the threads, in one after the other,
   * and is not stepped: take seats, rebuild objects and fill caches here, so that each schedule
   * finds the thread in the same state. Without it, the thread gets `shared` itself.
   */
  open?(shared: S, thread: number): V;
  /** What one thread does, in blocking calls only. An error is a violation. */
  thread(thread: number, view: V): R;
  /**
   * Checks what is left once all threads have ended; throws if it is not as it should be. Runs on
   * the main thread and is not stepped.
   *
   * @param results What each thread returned.
   */
  check?(shared: S, results: R[]): void;
}

/** Preemptions of a model that gives no number. */
export const DEFAULT_PREEMPTIONS = 2;

/** Steps of a model that gives no number. */
export const DEFAULT_MAX_STEPS = 2_000;

/** Returns the model, so that its types are inferred. */
export function defineModel<S, V = S, R = void>(model: Model<S, V, R>): Model {
  // Its methods are only ever called with what its own methods returned.
  return model as unknown as Model;
}
