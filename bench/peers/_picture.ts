/**
 * The picture: bars for the main figure of each case, drawn by Vega-Lite, which needs no browser.
 *
 * @module
 */

import { type CaseName, caseOf } from "./_contestants.ts";
import { type Results, withUnit } from "./_results.ts";

/** The panels: a case, one of its figures, and the title above it. */
const PANELS: readonly [name: CaseName, measure: string, title: string][] = [
  ["burst", "rate", "20,000 tasks at once, tasks a second"],
  ["flight", "of64", "64 tasks in flight, tasks a second"],
  ["single", "p50", "One task after another, µs"],
  ["map", "rate", "map of 1,000,000 numbers, items a second"],
  ["objects", "small", "Objects of 100 B there and back, a second"],
  ["mebibyte", "copied", "1 MiB copied into a worker, µs"],
  ["gcd", "warm", "gcd on 2 workers, times a plain loop"],
  ["added", "of5", "Added to a task of 5 ms, ms"],
  ["start", "later", "From nothing to the first result, ms"],
  ["memory", "worker", "Memory of a worker, MB"],
  ["lock", "blocking", "Lock: acquire and release, ns"],
  ["queue", "blocking", "Queue from worker to worker, items a second"],
];

const OURS = "this package";
const BARE = "by hand";
const PEERS = "others";
const COLORS = ["#0969da", "#6e7781", "#b6bfc9"];
const FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";
const BAR_WIDTH = 260;
/** How much wider than the longest bar a panel is, for the figure after the bar. */
const HEADROOM = 1.3;

/**
 * The part of Vega and Vega-Lite that is used here; neither is installed when types are checked.
 */
interface Vega {
  View: new (
    runtime: unknown,
    options: { renderer: "none" },
  ) => { toSVG(): Promise<string> };
  parse(spec: unknown): unknown;
}
interface VegaLite {
  compile(spec: unknown): { spec: unknown };
}

const load = (name: string): Promise<unknown> => import(name);

/** Draws a picture of the medians, as SVG. */
export async function drawPicture(results: Results): Promise<string> {
  const vega = await load("vega") as Vega;
  const vegaLite = await load("vega-lite") as VegaLite;
  const panels = PANELS.map((panel) => drawPanel(results, ...panel)).filter((
    one,
  ) => one !== undefined);
  const { spec } = vegaLite.compile({
    background: "white",
    padding: 16,
    columns: 2,
    // The bounds are those of the bars alone: labels and titles lie in between.
    bounds: "flush",
    spacing: { row: 70, column: 250 },
    concat: panels,
    config: {
      font: FONT,
      view: { stroke: null },
      axis: {
        domain: false,
        ticks: false,
        grid: false,
        labelColor: "#24292f",
        labelFontSize: 11,
        labelLimit: 260,
      },
      title: {
        anchor: "start",
        frame: "group",
        fontSize: 14,
        color: "#24292f",
      },
      legend: {
        orient: "top",
        title: null,
        labelFontSize: 12,
        symbolType: "square",
      },
    },
  });
  return `${await new vega.View(vega.parse(spec), { renderer: "none" })
    .toSVG()}\n`;
}

function drawPanel(
  results: Results,
  name: CaseName,
  key: string,
  title: string,
): unknown {
  const measure = caseOf(name).measures[key];
  const values = results.of(name, key, ["deno", "python"]).map((
    [{ label, module }, summary],
  ) => ({
    label,
    who: module === "ours" ? OURS : module === "raw" ? BARE : PEERS,
    figure: summary.median,
    text: withUnit(summary.median, measure),
  }));
  if (values.length === 0) return undefined;
  values.sort((a, b) => measure.isMoreBetter ? b.figure - a.figure : a.figure - b.figure);
  const most = Math.max(...values.map(({ figure }) => figure)) * HEADROOM;
  const y = {
    field: "label",
    type: "nominal",
    title: null,
    sort: null,
    axis: { minExtent: 200, labelLimit: 200 },
  };
  const x = {
    field: "figure",
    type: "quantitative",
    axis: null,
    scale: { domain: [0, most] },
  };
  return {
    title: {
      text: title,
      subtitle: measure.isMoreBetter ? "more is better" : "less is better",
    },
    width: BAR_WIDTH,
    height: { step: 19 },
    data: { values },
    layer: [
      {
        mark: { type: "bar", height: 13, cornerRadiusEnd: 2 },
        encoding: {
          y,
          x,
          color: {
            field: "who",
            type: "nominal",
            scale: { domain: [OURS, BARE, PEERS], range: COLORS },
          },
        },
      },
      {
        mark: {
          type: "text",
          align: "left",
          dx: 4,
          fontSize: 11,
          color: "#57606a",
        },
        encoding: { y, x, text: { field: "text" } },
      },
    ],
  };
}
