/**
 * The text of a progress display.
 *
 * @module
 */

/** How a loop ended. */
export type Ending = "complete" | "stopped" | "failed";

/** How far a loop is at a moment. */
export interface Reading {
  readonly label: string;
  readonly done: number;
  /** The items that are done, plus the fractions that the others report. */
  readonly work: number;
  readonly total: number | undefined;
  readonly elapsedMs: number;
  /** How the loop ended; `undefined` while it goes on. */
  readonly ending: Ending | undefined;
}

/** The widest bar: a longer one would show no more. */
const MAX_BAR = 40;
/** A bar that is narrower is left out. */
const MIN_BAR = 5;

/** A line of text for a log. */
export function logLine(reading: Reading): string {
  const { label, done, total, elapsedMs, ending } = reading;
  const percent = percentOf(reading);
  const parts = [
    total === undefined ? `${done}` : `${done}/${total} (${percent}%)`,
    rateOf(reading),
    `${duration(elapsedMs)} elapsed`,
  ];
  const remainingMs = remainingOf(reading);
  if (remainingMs !== undefined) parts.push(`${duration(remainingMs)} remaining`);
  if (ending === "stopped" || ending === "failed") parts.push(ending);
  return prefix(label) + parts.join(", ");
}

/**
 * A line for a terminal, as `tqdm` draws it.
 *
 * @param columns How wide it may be.
 * @param bar Draws a bar of so many columns.
 */
export function barLine(
  reading: Reading,
  columns: number,
  bar: (fraction: number, columns: number) => string,
): string {
  const { label, done, total, elapsedMs, ending } = reading;
  const percent = percentOf(reading);
  const remainingMs = remainingOf(reading);
  const times = duration(elapsedMs) +
    (remainingMs === undefined ? "" : `<${duration(remainingMs)}`);
  const notes = [times, rateOf(reading)];
  if (ending === "stopped" || ending === "failed") notes.push(ending);
  const tail = `${done}${total === undefined ? "" : `/${total}`} [${notes.join(", ")}]`;
  const head = prefix(label) + (percent === undefined ? "" : `${`${percent}`.padStart(3)}%`);
  const room = Math.min(MAX_BAR, columns - head.length - tail.length - "|| ".length);
  const middle = percent === undefined
    ? ""
    : room < MIN_BAR
    ? " "
    : `|${bar(fractionOf(reading)!, room)}| `;
  return (head + middle + tail).slice(0, columns);
}

function prefix(label: string): string {
  return label === "" ? "" : `${label}: `;
}

function fractionOf({ work, total }: Reading): number | undefined {
  if (total === undefined) return undefined;
  return total === 0 ? 1 : Math.min(1, work / total);
}

/** The whole percentage; 100 only when all are done. */
function percentOf({ done, work, total }: Reading): number | undefined {
  if (total === undefined) return undefined;
  return done === total ? 100 : Math.min(99, Math.floor(100 * work / total));
}

function rateOf({ work, elapsedMs }: Reading): string {
  const rate = work / elapsedMs * 1000;
  if (work === 0 || !Number.isFinite(rate)) return "?/s";
  if (rate < 1) return `${(1 / rate).toFixed(1)} s each`;
  return `${rate < 100 ? rate.toFixed(1) : Math.round(rate)}/s`;
}

/** How long the loop will still take if it goes on at the rate so far. */
function remainingOf({ work, total, elapsedMs, ending }: Reading): number | undefined {
  if (total === undefined || work === 0 || ending !== undefined) return undefined;
  return elapsedMs * Math.max(0, total - work) / work;
}

/** `0:05`, `12:34`, `1:02:03`. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const parts = minutes < 60 ? [minutes] : [Math.floor(minutes / 60), minutes % 60];
  return [...parts, seconds % 60].map((n, i) => i === 0 ? `${n}` : `${n}`.padStart(2, "0")).join(
    ":",
  );
}
