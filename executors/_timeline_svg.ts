/**
 * A trace's timeline as a picture.
 *
 * A page also uses the functions of DRAWING, to draw anew when it is zoomed: it includes their
 * source text. So they use nothing but each other and their arguments.
 *
 * @module
 */

import { clip, colours, durationText, escapeText, nameText, px, widthOf } from "./_drawing_text.ts";
import type { Timeline } from "./_timeline.ts";
import {
  barClass,
  barsBetween,
  barText,
  drawBar,
  drawLane,
  drawSlivers,
  joinBars,
  type Layout,
  type View,
} from "./_timeline_bars.ts";

/** The times on the axis: round ones, about 110 pixels apart. */
function ticks({ from, to, width }: View): number[] {
  const rough = (to - from) / Math.max(1, width / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power;
  const found: number[] = [];
  for (let i = Math.ceil(from / step); i * step <= to; i++) found.push(i * step);
  return found;
}

/** The label of a time on the axis, in the unit that suits the whole axis. */
function tickText(ms: number, { from, to, width }: View): string {
  const [scale, unit] = to < 1 ? [1000, "µs"] : to < 1000 ? [1, "ms"] : [0.001, "s"];
  const step = (to - from) / Math.max(1, width / 110) * scale;
  const digits = Math.min(6, Math.max(0, Math.ceil(-Math.log10(step)) + 1));
  return `${Number((ms * scale).toFixed(digits))} ${unit}`;
}

function layoutOf(timeline: Timeline, view: View): Layout {
  const { lanes, queue } = timeline;
  const left = Math.max(64, ...lanes.map(({ name }) => clip(name, 180).width)) + 24;
  const right = 84;
  const legendRows = 1 + Math.max(-1, ...legendOf(timeline, view).map(({ row }) => row));
  const legendTop = 68;
  const queueTop = legendTop + legendRows * 20 + 8;
  const queueHeight = queue.length === 0 ? 0 : 44;
  const lanesTop = queueTop + queueHeight + (queueHeight > 0 ? 12 : 0);
  // If there are many lanes, they are drawn thinner, so that they can be seen together.
  const laneHeight = Math.max(5, Math.min(26, Math.floor(900 / Math.max(1, lanes.length))));
  const lanesBottom = lanesTop + Math.max(1, lanes.length) * laneHeight;
  const msPerPixel = (view.to - view.from) / (view.width - left - right);
  return {
    left,
    right,
    legendTop,
    queueTop,
    queueHeight,
    lanesTop,
    laneHeight,
    lanesBottom,
    height: lanesBottom + 34,
    msPerPixel,
    x: (ms) => left + (Math.min(view.to, Math.max(view.from, ms)) - view.from) / msPerPixel,
  };
}

function drawHead(timeline: Timeline): string {
  const { title, lanes, workers, lifeMs, busyMs, tasks, calls, failures, dropped, durationMs } =
    timeline;
  const shown = lanes.length < workers ? `, the busiest ${lanes.length} shown` : "";
  const facts = [
    `${workers} ${workers === 1 ? "worker" : "workers"}${shown}`,
    `${tasks} ${tasks === 1 ? "task" : "tasks"}${calls === tasks ? "" : ` (${calls} calls)`}`,
    durationText(durationMs),
    ...(lifeMs > 0 ? [`workers busy ${Math.round(100 * Math.min(1, busyMs / lifeMs))} %`] : []),
    ...failures,
    ...(dropped > 0 ? [`${dropped} events dropped`] : []),
  ];
  return `<text class="h" x="16" y="28">${clip(title, 600).text}</text>` +
    `<text x="16" y="48">${escapeText(facts.join("  ·  "))}</text>`;
}

/** The items of the legend, one for each colour: its label, its tooltip, and its position. */
function legendOf({ functions, functionCount }: Timeline, { width }: View): {
  readonly label: string;
  readonly hint: string;
  readonly x: number;
  readonly row: number;
}[] {
  const most = colours().length;
  const rest = functionCount - most + 1;
  let x = 16;
  let row = 0;
  return functions.slice(0, most).map(({ name, tasks, totalMs }, i) => {
    const isRest = i === most - 1 && rest > 1;
    const label = clip(isRest ? `${rest} others` : nameText(name), 200);
    const hint = `${nameText(name)}\n${tasks} tasks, ${durationText(totalMs)} in all`;
    const room = label.width + 44;
    if (x + room > width - 16 && x > 16) {
      x = 16;
      row++;
    }
    const item = { label: label.text, hint: isRest ? label.text : escapeText(hint), x, row };
    x += room;
    return item;
  });
}

function drawLegend(timeline: Timeline, { legendTop }: Layout, view: View): string {
  return legendOf(timeline, view).map(({ label, hint, x, row }, i) => {
    const y = legendTop + row * 20;
    return `<g><title>${hint}</title><rect class="f${i}" x="${px(x)}" y="${y - 9}" width="12" ` +
      `height="12" rx="2"/><text x="${px(x + 18)}" y="${y + 1}">${label}</text></g>`;
  }).join("");
}

/** Draws how many tasks wait: an area above the lanes. */
function drawQueue({ queue }: Timeline, layout: Layout, view: View): string {
  const { left, queueTop: top, queueHeight: height, x } = layout;
  if (height === 0) return "";
  const most = Math.max(1, ...queue.map(([, depth]) => depth));
  const y = (depth: number): string => px(top + height - depth / most * (height - 4));
  const right = x(view.to);
  const bottom = px(top + height);
  let path = "";
  let depth = 0;
  // Of several points in one pixel, the highest is drawn, as wide as the pixel, and then the last.
  let column: [x: number, depth: number] | undefined;
  const flush = (): void => {
    if (column === undefined) return;
    const [at, highest] = column;
    path += `H${px(at)}V${y(highest)}`;
    if (depth < highest) path += `H${px(Math.min(right, at + 1))}V${y(depth)}`;
  };
  for (const [ms, next] of queue) {
    if (ms > view.to) break;
    const at = x(ms);
    // What was before the view only left something.
    if (column === undefined || ms <= view.from) column = [at, next];
    else if (at - column[0] < 1) column[1] = Math.max(column[1], next);
    else {
      flush();
      column = [at, next];
    }
    depth = next;
  }
  flush();
  return `<text class="n" x="${px(left - 8)}" y="${px(top + height / 2 + 4)}">waiting</text>` +
    `<path class="q" d="M${px(left)} ${bottom}${path}V${y(depth)}H${px(right)}V${bottom}Z"/>` +
    `<path class="g" d="M${px(left)} ${bottom}H${px(right)}"/>` +
    `<text x="${px(right + 8)}" y="${px(top + 12)}">at most ${most}</text>`;
}

function drawAxis(layout: Layout, view: View): string {
  const { lanesBottom: bottom, queueTop, x } = layout;
  const times = ticks({ ...view, width: view.width - layout.left - layout.right });
  const lines = times.map((ms) => `M${px(x(ms))} ${px(queueTop)}V${px(bottom + 5)}`).join("");
  const labels = times.map((ms) =>
    `<text class="m" x="${px(x(ms))}" y="${px(bottom + 20)}">${tickText(ms, view)}</text>`
  ).join("");
  return `<path class="g" d="${lines}M${px(layout.left)} ${px(bottom)}H${
    px(x(view.to))
  }"/>${labels}`;
}

/** Draws the part of a timeline that is in view. */
function drawTimeline(timeline: Timeline, view: View): string {
  // With more bars than this, those that are too narrow to be read are drawn as plain slivers, so
  // that the picture stays small.
  const MANY = 1500;
  const layout = layoutOf(timeline, view);
  const { width } = view;
  const height = px(layout.height);
  const fills = colours().map(([fill, text], i) => `.f${i}{fill:${fill}}.t${i}{fill:${text}}`);
  const style = "text{font:11px system-ui,sans-serif;fill:#333}.h{font-size:16px;font-weight:600}" +
    ".n{text-anchor:end}.m{text-anchor:middle;fill:#666}.l{pointer-events:none}" +
    ".p1{opacity:.75}.p2{opacity:.55}.p3{opacity:.35}" +
    ".life{fill:#eceff1}.busy{fill:#90a4ae}.q{fill:#cfd8dc;stroke:#78909c;stroke-width:1}" +
    ".g{stroke:#dfe3e6;fill:none}.bad{fill:#d62728}.x{stroke:#d62728;stroke-width:2;fill:none}" +
    fills.join("");
  const { from, to } = view;
  // If there are many lanes, each is drawn more coarsely.
  const leastMs = layout.msPerPixel * Math.max(1, timeline.lanes.length / 32);
  const bars = timeline.lanes.map((lane) => barsBetween(lane.bars, from, to, leastMs, 3 * leastMs));
  const isCrowded = bars.reduce((sum, { length }) => sum + length, 0) > MANY;
  const lanes = timeline.lanes.map((lane, i) =>
    drawLane(lane, i, bars[i], isCrowded, timeline, view, layout)
  );
  const empty = timeline.lanes.length > 0
    ? ""
    : `<text x="${px(layout.left)}" y="${
      px(layout.lanesTop + 16)
    }">No worker has been started</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img"><title>${escapeText(timeline.title)}</title>` +
    `<style>${style}</style><rect width="100%" height="100%" fill="#fff"/>${drawHead(timeline)}` +
    `${drawLegend(timeline, layout, view)}${drawAxis(layout, view)}` +
    `${drawQueue(timeline, layout, view)}${lanes.join("")}${empty}</svg>`;
}

/** The functions, as source text, that a page must include in order to draw. */
export const DRAWING: readonly string[] = [
  escapeText,
  widthOf,
  clip,
  px,
  durationText,
  nameText,
  colours,
  joinBars,
  barsBetween,
  barText,
  barClass,
  drawBar,
  drawSlivers,
  drawLane,
  ticks,
  tickText,
  layoutOf,
  drawHead,
  legendOf,
  drawLegend,
  drawQueue,
  drawAxis,
  drawTimeline,
].map(String);

export { drawTimeline };
