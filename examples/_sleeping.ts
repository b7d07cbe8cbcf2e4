/**
 * How `sleep_threads.ts` and `processes.ts` are told how long to sleep, and how they report.
 *
 * @module
 */

import { parseOption, refuse } from "./_options.ts";

export const TASKS = 10;

/** How long tasks sleep, in seconds. */
export interface Sleeps {
  /** Two, as long as said. */
  readonly two: readonly number[];
  /** Ten, as long as said. */
  readonly same: readonly number[];
  /** Ten, each shorter than the one before. */
  readonly shorter: readonly number[];
}

/** The sleeps of a walk, made of what the option `--seconds` says, 1 unless it is given. */
export function parseSleeps(args: string[]): Sleeps {
  const text = parseOption("seconds", args) ?? "1";
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 60)) {
    refuse(`--seconds must be a number from 0 to 60, got "${text}"`);
  }
  const same = Array.from({ length: TASKS }, () => seconds);
  const shorter = same.map((seconds, i) => round(seconds * (1 - i / TASKS)));
  return { two: [seconds, seconds], same, shorter };
}

/** Runs a part of the walk, and says how long it took, and how long its tasks slept. */
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
