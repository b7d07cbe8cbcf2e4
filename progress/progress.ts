/**
 * `progress`: a loop that shows how far it is.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { platform } from "../_platform/mod.ts";
import { checkOptions } from "../_platform/options.ts";
import { lengthOf } from "../executors/_map_inputs.ts";
import type { MapResult } from "../executors/_map_result.ts";
import { type HasStanding, STANDING } from "../executors/_standing.ts";
import { bars } from "./_bars.ts";
import { lines } from "./_lines.ts";
import type { MeterSettings } from "./_meter.ts";
import type { CompletedFutures } from "../executors/wait.ts";
import type { StreamResult } from "../executors/stream.ts";
import { AsyncSteps, Steps, SyncSteps } from "./_steps.ts";
import type { View } from "./_view.ts";

/** Options of {@linkcode progress}. */
export interface ProgressOptions {
  /** How many items there will be. Needed only if the iterable does not say. */
  total?: number | undefined;
  /** The text in front of the figures. */
  label?: string | undefined;
  /** Whether to show nothing. Default: as the environment says, see {@linkcode progress}. */
  silent?: boolean | undefined;
  /**
   * Whether the last state stays visible after the loop. Default `true`; `false` is for a loop
   * inside another one.
   */
  leave?: boolean | undefined;
  /**
   * The shortest time between two drawings, in milliseconds. Default 100 on a terminal, 5000 for
   * lines. Loops that are shown at once are drawn together, as often as any of them asks for.
   */
  mininterval?: number | undefined;
}

/**
 * Passes on the values of an iterable, unchanged, and shows on standard error how far the loop over
 * them is, as Python's `tqdm` does: as a bar if standard error is a terminal, otherwise as a line
 * every five seconds, for a log.
 *
 * Iterating waits where the iterable waits. The display costs next to nothing: it is drawn by the
 * clock, a few times a second, even while the thread is blocked, and it does not keep the program
 * running. It begins when the first item is asked for. When the loop ends, is left early, or fails,
 * the last state stays (see `leave`), and the iterable is closed.
 *
 * **What is counted.** For `map` and `asCompleted`: the items or futures that are done, whether
 * they have been handed out or not; for the others, the fraction that their tasks have reported
 * through `taskContext().report(fraction)`, so that the bar also moves within a long task. For any
 * other iterable: the items that the loop has finished with. The total is known for `map`,
 * `asCompleted`, arrays, sets and maps; the option `total` overrides it. If it is not known, the
 * display has no bar and no remaining time. Rate and remaining time are based on the whole loop so
 * far.
 *
 * **Several bars at once** are drawn one below the other, up to the height of the terminal. What
 * this thread prints through `console` meanwhile appears above them; what is written in any other
 * way, or by a worker, may run into a bar, which is then drawn again below.
 *
 * **Environment**, as far as it may be read: `NO_PROGRESS`, if it is set and not empty, silences
 * the display. `CI`, if it is set and neither empty, `0` nor `false`, makes it write lines even on
 * a terminal, and so does `TERM=dumb`. A worker, which shares the terminal with the rest of the
 * program, writes lines.
 *
 * **Differs from Python:** a function instead of a class; `label` is `desc`, `silent` is `disable`,
 * `mininterval` is in milliseconds.
 *
 * @typeParam T The type of the iterable's values.
 * @param iterable What the loop iterates over.
 * @param options What is shown.
 * @returns An iterable with the same values, in the same forms. If nothing is shown, it is
 * `iterable` itself.
 * @throws {TypeError} When `iterable` cannot be iterated, `options` is not an object, or `total` or
 * `mininterval` is not a number.
 * @throws {RangeError} For a negative `total` or `mininterval`.
 *
 * @example Results of `map`
 * ```ts
 * import { ThreadPoolExecutor } from "@concurrent/futures";
 * import { progress } from "@concurrent/futures/progress";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const results = pool.map((n: number) => n * n, [1, 2, 3]);
 * assertEquals(await progress(results, { label: "squares" }).toArray(), [1, 4, 9]);
 * ```
 *
 * @example One long task that tells how far it is
 * ```ts
 * import { asCompleted, AsyncExecutor, taskContext } from "@concurrent/futures";
 * import { progress } from "@concurrent/futures/progress";
 * import { assertEquals } from "@std/assert";
 *
 * await using executor = new AsyncExecutor();
 * const future = executor.submit(() => {
 *   taskContext().report(0.5); // the bar stands at 50 %
 *   return "done";
 * });
 * for await (const done of progress(asCompleted([future]))) assertEquals(await done, "done");
 * ```
 */
export function progress<T>(iterable: StreamResult<T>, options?: ProgressOptions): StreamResult<T>;
/** Shows how far a `map` is; the result keeps `toArray`. */
export function progress<T>(iterable: MapResult<T>, options?: ProgressOptions): MapResult<T>;
/** Shows how far `asCompleted` is; the result can be used in the same ways. */
export function progress<T>(
  iterable: CompletedFutures<T>,
  options?: ProgressOptions,
): CompletedFutures<T>;
/** Shows how far an iterable in both forms is; the result has both forms. */
export function progress<T>(
  iterable: AsyncIterable<T> & Iterable<T>,
  options?: ProgressOptions,
): AsyncIterable<T> & Iterable<T>;
/** Shows how far an asynchronous iterable is. */
export function progress<T>(
  iterable: AsyncIterable<T>,
  options?: ProgressOptions,
): AsyncIterable<T>;
/** Shows how far a synchronous iterable is. */
export function progress<T>(iterable: Iterable<T>, options?: ProgressOptions): Iterable<T>;
export function progress(iterable: unknown, options: ProgressOptions = {}): unknown {
  checkIterable(iterable);
  checkOptions("show progress", options, '{ label: "files" }');
  const { total, label = "", silent = isSilenced(), leave = true, mininterval } = options;
  checkNumber("total", total);
  checkNumber("mininterval", mininterval);
  if (silent) return iterable;
  const known = Object(iterable) as Forms & Partial<HasStanding>;
  return watched(known, {
    // A line break or an escape sequence would spoil the display.
    label: `${label}`.replace(/\p{Cc}+/gu, " "),
    total: total === Infinity ? undefined : total ?? lengthOf(iterable),
    source: known[STANDING] === undefined ? undefined : known as HasStanding,
    leave,
    intervalMs: mininterval,
    view: viewHere(),
  });
}

/** The members of an iterable that its wrapper keeps. */
type Forms = { -readonly [K in keyof StreamResult<unknown>]?: StreamResult<unknown>[K] };

/** Wraps an iterable, in the forms that it has, with a meter for each loop over it. */
function watched(iterable: Forms, settings: MeterSettings): Forms {
  const result: Forms = {};
  let last: Steps | undefined;
  const begin = <S extends Steps>(steps: S): S => {
    last = steps;
    return steps;
  };
  if (Symbol.asyncIterator in iterable) {
    result[Symbol.asyncIterator] = () =>
      begin(new AsyncSteps(iterable[Symbol.asyncIterator]!(), settings));
  }
  if (Symbol.iterator in iterable) {
    result[Symbol.iterator] = () => begin(new SyncSteps(iterable[Symbol.iterator]!(), settings));
  }
  // Not recognized by `toArray`, which every built-in iterator has.
  if ("toArraySync" in iterable) {
    // An iterable that knows its own standing is counted without handing out items one by one.
    const knows = settings.source !== undefined;
    result.toArray = knows
      ? () => new Steps(settings).during(() => iterable.toArray!())
      : () => allOf(result[Symbol.asyncIterator]!());
    result.toArraySync = knows
      ? () => new Steps(settings).duringSync(() => iterable.toArraySync!())
      : () => [...result[Symbol.iterator]!()];
  }
  if (Symbol.asyncDispose in iterable) {
    result[Symbol.asyncDispose] = () => {
      last?.leave();
      return iterable[Symbol.asyncDispose]!();
    };
  }
  if (Symbol.dispose in iterable) {
    result[Symbol.dispose] = () => {
      last?.leave();
      iterable[Symbol.dispose]!();
    };
  }
  return result;
}

async function allOf(values: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const value of values) all.push(value);
  return all;
}

function viewHere(): View {
  const { isTerminal } = platform.standardError;
  const isScreen = isTerminal && platform.isMainThread && !isSet("CI") &&
    platform.environment("TERM") !== "dumb";
  return isScreen ? bars : lines;
}

function isSilenced(): boolean {
  return (platform.environment("NO_PROGRESS") ?? "") !== "";
}

/**
 * Whether a variable is set to a true value. Some people set `CI` to `false` on their own machine.
 */
function isSet(name: string): boolean {
  return !["", "0", "false"].includes(platform.environment(name) ?? "");
}

function checkIterable(iterable: unknown): void {
  if (typeof iterable === "string") return;
  if (typeof iterable === "object" && iterable !== null || typeof iterable === "function") {
    if (Symbol.iterator in iterable || Symbol.asyncIterator in iterable) return;
  }
  throw new TypeError(
    `Cannot show progress: expected an iterable, got ${describe(iterable)}`,
  );
}

function checkNumber(name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "number") {
    throw new TypeError(`Cannot show progress: ${name} must be a number, got ${describe(value)}`);
  }
  if (!(value >= 0)) {
    throw new RangeError(`Cannot show progress: ${name} must be 0 or more, got ${value}`);
  }
}
