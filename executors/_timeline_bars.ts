/**
 * The lanes of a timeline's picture, and the bars in them. All functions here are copied into pages
 * as source text (see `_timeline_svg.ts`), so they use nothing but each other, those of
 * `_drawing_text.ts` and their arguments.
 *
 * @module
 */

import { clip, colours, durationText, escapeText, nameText, px } from "./_drawing_text.ts";
import type { Bar, Lane, Timeline } from "./_timeline.ts";

/** The part of the time that is drawn, and how wide the picture is. */
export interface View {
  readonly from: number;
  readonly to: number;
  readonly width: number;
}

/** Where things are in a picture. */
export interface Layout {
  readonly left: number;
  readonly right: number;
  readonly legendTop: number;
  readonly queueTop: number;
  readonly queueHeight: number;
  readonly lanesTop: number;
  readonly laneHeight: number;
  readonly lanesBottom: number;
  readonly height: number;
  readonly msPerPixel: number;
  /** The position of a time, in pixels from the left edge. */
  x(ms: number): number;
}

/**
 * Joins two bars into one. Its function is found by a majority vote: the one that took more than
 * half of the time wins, if there is one.
 */
export function joinBars(first: Bar, second: Bar): Bar {
  const lead = (bar: Bar): number => bar[3] > 1 ? bar[6]! : bar[4];
  const sum = lead(first) + (first[2] === second[2] ? lead(second) : -lead(second));
  return [
    first[0],
    Math.max(first[1], second[1]),
    sum < 0 ? second[2] : first[2],
    first[3] + second[3],
    first[4] + second[4],
    first[5] + second[5],
    Math.abs(sum),
  ];
}

/**
 * The bars between two times, as far as they can be told apart: those shorter than `leastMs` are
 * joined, up to `mostMs`.
 */
export function barsBetween(
  bars: readonly Bar[],
  from: number,
  to: number,
  leastMs: number,
  mostMs: number,
): Bar[] {
  const drawn: Bar[] = [];
  const isNarrow = (bar: Bar): boolean => bar[3] > 1 || bar[1] - bar[0] < leastMs;
  for (const bar of bars) {
    if (bar[1] < from || bar[0] > to) continue;
    const last = drawn[drawn.length - 1];
    const joins = last !== undefined && isNarrow(bar) && isNarrow(last) &&
      bar[0] - last[1] < leastMs && bar[1] - last[0] <= mostMs;
    if (joins) drawn[drawn.length - 1] = joinBars(last, bar);
    else drawn.push(bar);
  }
  return drawn;
}

/** The tooltip of a bar. */
export function barText(bar: Bar, { functions }: Timeline): string {
  const [from, to, fn, tasks, busyMs, failed, waitMs, calls, id, outcome] = bar;
  const name = nameText(functions[fn].name);
  const span = durationText(to - from);
  if (tasks > 1) {
    const share = Math.round(100 * Math.min(1, busyMs / Math.max(to - from, 1e-6)));
    const ill = failed > 0 ? `, ${failed} failed` : "";
    return `${tasks} tasks${ill}\nmost of the time: ${name}\nbusy ${share} % of ${span}`;
  }
  const number = id === undefined || id === null ? "" : ` #${id}`;
  return `${name}${number}${calls! > 1 ? `, ${calls} calls` : ""}\n` +
    `waited ${durationText(waitMs!)}, ran ${span}\n${outcome}, from ${durationText(from)}`;
}

/**
 * The classes of a bar: its colour, and how pale it is, which shows how long the worker was idle
 * between the tasks of the bar.
 */
export function barClass([from, to, fn, tasks, busyMs]: Bar): string {
  const number = Math.min(fn, colours().length - 1);
  const share = tasks === 1 ? 1 : busyMs / Math.max(to - from, 1e-6);
  return share > 0.9
    ? `f${number}`
    : `f${number} ${share > 0.6 ? "p1" : share > 0.3 ? "p2" : "p3"}`;
}

/** Draws a bar that is wide enough to read: with a tooltip, and its name if there is room. */
export function drawBar(
  bar: Bar,
  at: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  timeline: Timeline,
): string {
  const { x, y, height } = at;
  // Leaves a hairline between neighbours.
  const width = at.width > 4 ? at.width - 0.5 : at.width;
  const rect = (type: string, top: number, height: number): string =>
    `<rect class="${type}" x="${px(x)}" y="${px(top)}" width="${px(width)}" height="${
      px(height)
    }"/>`;
  const { name } = timeline.functions[bar[2]];
  const label = bar[3] === 1 && height >= 12 && width >= 36 && name !== ""
    ? `<text class="l t${Math.min(bar[2], colours().length - 1)}" x="${px(x + 4)}" y="${
      px(y + height / 2 + 4)
    }">${clip(name, width - 6).text}</text>`
    : "";
  const mark = bar[5] > 0 ? rect("bad", y + height - 3, 3) : "";
  return `<g class="b"><title>${escapeText(barText(bar, timeline))}</title>` +
    `${rect(barClass(bar), y, height)}${mark}${label}</g>`;
}

/** Draws bars that are too many and too narrow to be told apart: one path for each colour. */
export function drawSlivers(
  bars: readonly Bar[],
  y: number,
  height: number,
  layout: Layout,
): string {
  const paths = new Map<string, string>();
  for (const bar of bars) {
    const start = layout.x(bar[0]);
    const width = px(Math.max(0.8, layout.x(bar[1]) - start));
    const add = (type: string, top: number, height: number): void => {
      const piece = `M${px(start)} ${px(top)}h${width}v${px(height)}h-${width}z`;
      paths.set(type, (paths.get(type) ?? "") + piece);
    };
    add(barClass(bar), y, height);
    if (bar[5] > 0) add("bad", y + height - 3, 3);
  }
  return [...paths].map(([type, path]) => `<path class="${type}" d="${path}"/>`).join("");
}

/**
 * Draws a lane: its worker's name, life and bars, and how busy the worker was.
 *
 * @param bars The lane's bars that are in view.
 * @param isCrowded Whether the picture has so many bars that those too narrow to be read are drawn
 * as plain slivers.
 */
export function drawLane(
  lane: Lane,
  i: number,
  bars: readonly Bar[],
  isCrowded: boolean,
  timeline: Timeline,
  view: View,
  layout: Layout,
): string {
  const LEGIBLE = 6;
  const { left, laneHeight, x } = layout;
  const gap = laneHeight >= 12 ? 4 : 1;
  const y = layout.lanesTop + i * laneHeight + gap / 2;
  const height = laneHeight - gap;
  const isTall = laneHeight >= 11;
  const { name, pid, from, to, busyMs, tasks } = lane;
  const share = to > from ? Math.min(1, busyMs / (to - from)) : 0;
  const percent = `${Math.round(100 * share)} %`;
  const about = `${escapeText(name)}${pid === undefined ? "" : ` (process ${pid})`}\n` +
    `${tasks} ${tasks === 1 ? "task" : "tasks"}, busy ${durationText(busyMs)}: ${percent}`;
  const isSliver = (bar: Bar): boolean =>
    isCrowded && (bar[1] - bar[0]) / layout.msPerPixel < LEGIBLE;
  const drawn = bars.filter((bar) => !isSliver(bar)).map((bar) => {
    const start = x(bar[0]);
    const width = Math.max(1, x(bar[1]) - start);
    return drawBar(bar, { x: start, y, width, height }, timeline);
  }).join("");
  const slivers = drawSlivers(bars.filter(isSliver), y, height, layout);
  const right = x(view.to);
  const rect = (type: string, at: number, width: number): string =>
    `<rect class="${type}" x="${px(at)}" y="${px(y)}" width="${px(width)}" height="${height}"/>`;
  const middle = px(y + height / 2 + 4);
  const texts = isTall
    ? `<text class="n" x="${px(left - 8)}" y="${middle}">${clip(name, left - 24).text}</text>` +
      `<text x="${px(right + 50)}" y="${middle}">${percent}</text>`
    : "";
  const lost = lane.wasLost && to >= view.from && to <= view.to
    ? `<path class="x" d="M${px(x(to))} ${px(y)}l6 ${height}m0 -${height}l-6 ${height}"/>`
    : "";
  return `<g><title>${about}</title>${texts}${rect("life", right + 8, 36)}` +
    `${rect("busy", right + 8, 36 * share)}${rect("life", x(from), Math.max(0, x(to) - x(from)))}` +
    `</g>${slivers}${drawn}${lost}`;
}
