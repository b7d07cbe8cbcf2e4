/**
 * How `sleep_threads.ts` and `processes.ts` read how long to sleep, and how they report.
 *
 * @module
 */

import { parseOption, refuse } from "./_options.ts";

export const TASKS = 10;

/** How long tasks sleep, in seconds. */
export interface Sleeps {
  /** Two sleeps of the length asked for. */
  readonly two: readonly number[];
  /** Ten sleeps of the length asked for. */
  readonly same: readonly number[];
  /**
   * Ten sleeps, the first of the length asked for, each of the others shorter than the one before.
   */
  readonly shorter: readonly number[];
}

/** Makes the sleeps of a program from the option `--seconds`, 1 by default. */
export function parseSleeps(args: string[]): Sleeps {
  const text = parseOption("seconds", args) ?? "1";
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 60)) {
    refuse(`--seconds must be a number, more than 0 and at most 60, got "${text}"`);
  }
  const same = Array.from({ length: TASKS }, () => seconds);
  const shorter = same.map((seconds, i) => round(seconds * (1 - i / TASKS)));
  return { two: [seconds, seconds], same, shorter };
}

/** Runs a part of the program, and prints how long it took and how long its tasks slept. */
export async function measure(
  title: string,
  sleeps: readonly number[],
  run: (sleeps: readonly number[]) => Promise<void>,
): Promise<void> {
  console.log(`\n${title}`);
  const startMs = performance.now();
  await run(sleeps);
  const took = (performance.now() - startMs) / 1000;
  const slept = sleeps.reduce((sum, seconds) => sum + seconds);
  console.log(`Finished in ${took.toFixed(2)} second(s), with ${round(slept)} of sleep`);
}

function round(seconds: number): number {
  return Number(seconds.toFixed(3));
}
