/// <reference lib="dom" />
/**
 * Draws a run: a lane for each thread, a bar for each pair.
 *
 * @module
 */

import { prepare, type Theme } from "./canvas.ts";
import type { Entry } from "./job.ts";

const LANE = 22;
const GAP = 4;
const AXIS = 20;
const LABEL = 74;

/** What to draw. */
export interface Lanes {
  /** The names of the lanes. */
  readonly names: readonly string[];
  /** The colours of their bars, repeated if there are more lanes. */
  readonly colors: readonly string[];
  readonly entries: Iterable<Entry>;
  /** The end of the axis, in milliseconds. */
  readonly spanMs: number;
  /** The time since the run began, while it goes on. */
  readonly nowMs: number | undefined;
}

/** Draws lanes, and makes the canvas as high as their number needs. */
export function drawLanes(canvas: HTMLCanvasElement, lanes: Lanes, theme: Theme): void {
  const { names, colors, entries, spanMs, nowMs } = lanes;
  const { context, width, height } = prepare(canvas, names.length * (LANE + GAP) + AXIS);
  const right = width - 8;
  const x = (ms: number): number => LABEL + (right - LABEL) * Math.min(1, ms / spanMs);
  context.font = theme.font;
  context.textBaseline = "middle";
  names.forEach((name, i) => {
    const y = i * (LANE + GAP);
    context.fillStyle = theme.lane;
    context.beginPath();
    context.roundRect(LABEL, y, right - LABEL, LANE, 4);
    context.fill();
    context.fillStyle = theme.muted;
    context.fillText(name, 0, y + LANE / 2 + 1, LABEL - 8);
  });
  for (const { worker, startMs, endMs } of entries) {
    const y = (worker % names.length) * (LANE + GAP);
    const from = x(startMs);
    const to = x(endMs ?? nowMs ?? startMs);
    context.fillStyle = colors[worker % colors.length];
    context.globalAlpha = endMs === undefined ? 0.55 : 1;
    context.fillRect(from, y + 3, Math.max(1, to - from - 1), LANE - 6);
  }
  context.globalAlpha = 1;
  drawAxis(context, theme, spanMs, x, height);
  if (nowMs === undefined || nowMs > spanMs) return;
  context.fillStyle = theme.text;
  context.fillRect(x(nowMs), 0, 1, height - AXIS);
}

function drawAxis(
  context: CanvasRenderingContext2D,
  theme: Theme,
  spanMs: number,
  x: (ms: number) => number,
  height: number,
): void {
  const steps = [100, 200, 500, 1000, 2000, 5000, 10000];
  const step = steps.find((ms) => spanMs / ms <= 6) ?? spanMs;
  context.fillStyle = theme.muted;
  for (let ms = 0; ms <= spanMs; ms += step) {
    context.textAlign = ms === 0 ? "left" : x(ms) > x(spanMs) - 14 ? "right" : "center";
    context.fillText(ms === 0 ? "0" : `${ms / 1000} s`, x(ms), height - AXIS / 2 + 2);
  }
  context.textAlign = "left";
}
