/**
 * A trace's timeline as a page of its own: the picture, which can be zoomed, and two tables. The
 * page loads nothing from elsewhere.
 *
 * @module
 */

import type { Lane, Timeline } from "./_timeline.ts";
import { durationText, escapeText, nameText } from "./_drawing_text.ts";
import { barsBetween } from "./_timeline_bars.ts";
import { DRAWING } from "./_timeline_svg.ts";

/**
 * The lanes of a page are thinned out until they have no more bars than this. A lane keeps one at
 * least, so this must be more than there are lanes.
 */
const MOST_BARS = 10_000;

/** The most lines of a table. */
const MOST_LINES = 100;

const STYLE = `
body { font: 13px system-ui, sans-serif; color: #333; background: #fff; margin: 16px; }
#chart { cursor: crosshair; user-select: none; overflow-x: hidden; }
#chart g:hover > rect { filter: brightness(0.88); }
#tip { position: fixed; display: none; max-width: 420px; padding: 6px 9px; white-space: pre-wrap;
  overflow-wrap: anywhere; background: #263238; color: #fff; border-radius: 4px; pointer-events: none; }
#mark { position: absolute; display: none; background: #1976d233; pointer-events: none; }
button { font: inherit; min-width: 30px; }
p { color: #666; margin: 4px 16px; }
table { border-collapse: collapse; margin: 20px 16px; display: inline-table; vertical-align: top; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
th, td { text-align: right; padding: 3px 12px; border-bottom: 1px solid #eceff1; }
th:first-child, td:first-child { text-align: left; padding-left: 0; max-width: 360px; overflow-wrap: anywhere; }
`;

/** Draws what is in view, and lets the mouse and the keyboard change the view. */
const BEHAVIOUR = `
const timeline = JSON.parse(document.getElementById("data").textContent);
const [chart, tip, mark] = ["chart", "tip", "mark"].map((id) => document.getElementById(id));
const all = timeline.durationMs;
let from = 0;
let to = all;
let isDue = false;
let layout;

function draw() {
  isDue = false;
  const view = { from, to, width: Math.max(640, Math.floor(chart.clientWidth)) };
  layout = layoutOf(timeline, view);
  layout.width = view.width;
  chart.innerHTML = drawTimeline(timeline, view);
  for (const title of chart.querySelectorAll("g > title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
}

function show(first, last) {
  const span = Math.min(all, Math.max(all * 1e-6, last - first));
  from = Math.min(all - span, Math.max(0, first));
  to = from + span;
  if (!isDue) requestAnimationFrame(draw);
  isDue = true;
}

const timeAt = (event) => {
  const { left } = chart.getBoundingClientRect();
  const share = (event.clientX - left - layout.left) / (layout.width - layout.left - layout.right);
  return from + Math.min(1, Math.max(0, share)) * (to - from);
};
const zoom = (factor, at) => show(at - (at - from) * factor, at + (to - at) * factor);
const pan = (share) => show(from + share * (to - from), to + share * (to - from));
const acts = {
  in: () => zoom(0.5, (from + to) / 2),
  out: () => zoom(2, (from + to) / 2),
  left: () => pan(-0.3),
  right: () => pan(0.3),
  all: () => show(0, all),
};
for (const button of document.querySelectorAll("button")) {
  button.onclick = acts[button.dataset.act];
}
const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all" };
addEventListener("keydown", (event) => {
  if (event.key in keys && !event.ctrlKey && !event.metaKey) acts[keys[event.key]]();
});
addEventListener("resize", () => show(from, to));
chart.addEventListener("dblclick", acts.all);
chart.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoom(Math.exp(event.deltaY / 300), timeAt(event));
}, { passive: false });

let dragged;
chart.addEventListener("pointerdown", (event) => {
  dragged = { x: event.clientX, ms: timeAt(event) };
});
addEventListener("pointermove", (event) => {
  if (dragged !== undefined) {
    const { top } = chart.getBoundingClientRect();
    Object.assign(mark.style, {
      display: "block",
      left: scrollX + Math.min(dragged.x, event.clientX) + "px",
      width: Math.abs(event.clientX - dragged.x) + "px",
      top: scrollY + top + layout.queueTop + "px",
      height: layout.lanesBottom - layout.queueTop + "px",
    });
  }
  const told = event.target.closest?.("[data-tip]");
  tip.style.display = told && dragged === undefined ? "block" : "none";
  if (!told) return;
  tip.textContent = told.dataset.tip;
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
});
addEventListener("pointerup", (event) => {
  if (dragged === undefined) return;
  const { x, ms } = dragged;
  dragged = undefined;
  mark.style.display = "none";
  const end = timeAt(event);
  if (Math.abs(event.clientX - x) > 4) show(Math.min(ms, end), Math.max(ms, end));
});
draw();
`;

/** The timeline as a page. */
export function pageOf(timeline: Timeline): string {
  const data = JSON.stringify(thinOut(timeline)).replaceAll("<", "\\u003c");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeText(timeline.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<div id="chart"></div>
<p>
<button data-act="in" title="Zoom in (+)">+</button>
<button data-act="out" title="Zoom out (-)">−</button>
<button data-act="left" title="Earlier (left arrow)">◀</button>
<button data-act="right" title="Later (right arrow)">▶</button>
<button data-act="all" title="All of it (0)">all</button>
Drag over a stretch to enlarge it, double-click for all of it, Ctrl and wheel to zoom.
</p>
${functionTable(timeline)}
${workerTable(timeline)}
<div id="tip"></div>
<div id="mark"></div>
<noscript><p>The timeline is drawn by a script of this page, which this viewer does not run.</p></noscript>
<script type="application/json" id="data">${data}</script>
<script>
${DRAWING.join("\n")}
${BEHAVIOUR}</script>
</body>
</html>
`;
}

/**
 * The timeline with fewer bars, if there are very many: merges those that would be drawn as one
 * unless greatly enlarged.
 */
function thinOut(timeline: Timeline): Timeline {
  const { durationMs } = timeline;
  let { lanes } = timeline;
  let resolutionMs = durationMs / 2 ** 17;
  while (lanes.reduce((sum, { bars }) => sum + bars.length, 0) > MOST_BARS) {
    resolutionMs *= 2;
    const thin = ({ bars }: Lane) =>
      barsBetween(bars, 0, durationMs, resolutionMs, 4 * resolutionMs);
    lanes = lanes.map((lane) => ({ ...lane, bars: thin(lane) }));
  }
  return { ...timeline, lanes };
}

function table(
  caption: string,
  head: readonly string[],
  lines: readonly (readonly string[])[],
  total: number,
): string {
  const cells = (kind: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${kind}>${escapeText(text)}</${kind}>`).join("")}</tr>`;
  const more = total > MOST_LINES ? `, the first ${MOST_LINES} of ${total}` : "";
  return `<table><caption>${escapeText(caption + more)}</caption>${cells("th", head)}${
    lines.slice(0, MOST_LINES).map((line) => cells("td", line)).join("")
  }</table>`;
}

function functionTable({ functions, functionCount }: Timeline): string {
  const head = ["Function", "tasks", "calls", "in all", "mean a call", "longest task", "failed"];
  return table(
    "Functions",
    head,
    functions.map(({ name, tasks, calls, totalMs, maxMs, failed }) => [
      nameText(name),
      String(tasks),
      String(calls),
      durationText(totalMs),
      durationText(totalMs / Math.max(1, calls)),
      durationText(maxMs),
      String(failed),
    ]),
    functionCount,
  );
}

function workerTable({ lanes, workers }: Timeline): string {
  const head = ["Worker", "process", "tasks", "busy", "share of its life"];
  return table(
    "Workers",
    head,
    lanes.map(({ name, pid, tasks, busyMs, from, to }) => [
      name,
      pid === undefined ? "" : String(pid),
      String(tasks),
      durationText(busyMs),
      `${Math.round(100 * Math.min(1, busyMs / Math.max(to - from, 1e-6)))} %`,
    ]),
    workers,
  );
}
