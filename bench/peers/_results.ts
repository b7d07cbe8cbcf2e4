/**
 * The results: tables for people, and a record.
 *
 * @module
 */

import { median } from "../_measure.ts";
import {
  type CaseName,
  caseOf,
  type Contestant,
  type Measure,
  type Runtime,
} from "./_contestants.ts";
import type { Outcome } from "./_process.ts";

/** The results of one contestant in one case. */
interface Entry {
  readonly contestant: Contestant;
  /** The figure of each round, by the measure's name. */
  readonly figures: Map<string, number[]>;
  failed?: string;
}

/** The median of some rounds, and their extremes. */
export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

function summaryOf(values: readonly number[]): Summary {
  return {
    median: median(values),
    least: Math.min(...values),
    most: Math.max(...values),
  };
}

/** Formats a number with as many digits as are meaningful. */
export function written(value: number): string {
  if (Math.abs(value) >= 1e6) {
    return `${(value / 1e6).toFixed(value >= 1e8 ? 0 : 2)} M`;
  }
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** Formats a figure with its unit. */
export function withUnit(value: number, { unit }: Measure): string {
  return unit === "/s" || unit === "x"
    ? `${written(value)}${unit === "x" ? " x" : unit}`
    : `${written(value)} ${unit}`;
}

const RUNTIMES: Record<Runtime, string> = {
  deno: "Deno",
  node: "Node",
  python: "Python",
};

/** The most characters of an error's text in a note. */
const MOST_TEXT = 80;

/** All figures of a run. */
export class Results {
  readonly #cases: readonly CaseName[];
  readonly #contestants: readonly Contestant[];
  readonly #how: { readonly quick: boolean; readonly rounds: number };
  readonly #entries = new Map<CaseName, Map<Contestant, Entry>>();

  constructor(
    cases: readonly CaseName[],
    contestants: readonly Contestant[],
    how: { quick: boolean; rounds: number },
  ) {
    this.#cases = cases;
    this.#contestants = contestants;
    this.#how = how;
  }

  /** Adds the outcome of a case in one round. */
  add(
    contestant: Contestant,
    { case: name, figures = {}, failed }: Outcome,
  ): void {
    const entries = this.#entries.get(name) ?? new Map<Contestant, Entry>();
    this.#entries.set(name, entries);
    const entry: Entry = entries.get(contestant) ??
      { contestant, figures: new Map() };
    entries.set(contestant, entry);
    entry.failed ??= failed;
    for (const [measure, value] of Object.entries(figures)) {
      if (!Number.isFinite(value)) continue;
      entry.figures.set(measure, [...entry.figures.get(measure) ?? [], value]);
    }
  }

  /** Returns the figures of a measure on some runtimes, in the order of the contestants. */
  of(
    name: CaseName,
    measure: string,
    runtimes: readonly Runtime[],
  ): [contestant: Contestant, summary: Summary][] {
    return this.#contestants.filter(({ runtime }) => runtimes.includes(runtime))
      .flatMap((contestant): [Contestant, Summary][] => {
        const values = this.#entries.get(name)?.get(contestant)?.figures.get(
          measure,
        );
        return values === undefined ? [] : [[contestant, summaryOf(values)]];
      });
  }

  /**
   * Returns a table in Markdown for each case and runtime; Python's figures are in the tables of
   * Deno.
   */
  tables(): string {
    const parts = this.#cases.flatMap((name) =>
      ([["deno", "python"], ["node"]] as const).map((runtimes) => this.#table(name, runtimes))
    );
    return parts.filter((part) => part !== "").join("\n\n");
  }

  #table(name: CaseName, runtimes: readonly Runtime[]): string {
    const entries = [...this.#entries.get(name)?.values() ?? []]
      .filter(({ contestant }) => runtimes.includes(contestant.runtime))
      .sort((a, b) =>
        this.#contestants.indexOf(a.contestant) -
        this.#contestants.indexOf(b.contestant)
      );
    if (entries.length === 0) return "";
    const { title, measures } = caseOf(name);
    const rows = entries.filter(({ figures }) => figures.size > 0).map((
      { contestant, figures },
    ) => [
      contestant.label,
      ...Object.entries(measures).map(([key, measure]) => cell(figures.get(key), measure)),
    ]);
    const labels = Object.values(measures).map(({ label, unit }) => label === "" ? unit : label);
    const notes = entries.filter(({ failed }) => failed !== undefined)
      .map(({ contestant, failed }) => `- ${contestant.label}: ${shortened(failed!)}`);
    const heading = `### ${title} (${RUNTIMES[runtimes[0]]}; \`${name}\`)`;
    const table = rows.length === 0 ? [] : [markdown(["", ...labels], rows)];
    return [
      heading,
      ...table,
      ...(notes.length === 0 ? [] : [notes.join("\n")]),
    ].join("\n\n");
  }

  /** Returns the tables as a page of the documentation. */
  page(): string {
    const { rounds } = this.#how;
    const cores = navigator.hardwareConcurrency;
    return `# Beside other packages

\`deno task bench:peers\` has written this page: the same functions, called by this package, by other packages, and by hand.
Each case runs in a process of its own, ${rounds} times, and all contestants take turns. A figure is the median of the rounds,
behind it how far a round was from that at most. It was Deno ${Deno.version.deno} on ${cores} cores, at ${
      new Date().toISOString().slice(0, 10)
    }. Rows of
\`postMessage\` are calls by hand, with an id for each: to a Web Worker, to one of \`node:worker_threads\`, and 64 to a message.
Whoever failed in a case, or took longer than its limit, is named below the table.

${this.tables()}
`;
  }

  /** Returns all results, for a file. */
  record(): unknown {
    return {
      at: new Date().toISOString(),
      machine: {
        cores: navigator.hardwareConcurrency,
        system: `${Deno.build.os} ${Deno.osRelease()}`,
      },
      deno: Deno.version.deno,
      ...this.#how,
      cases: Object.fromEntries(
        [...this.#entries].map(([name, entries]) => [
          name,
          [...entries.values()].map(({ contestant, figures, failed }) => ({
            contestant: contestant.name,
            runtime: contestant.runtime,
            figures: Object.fromEntries(figures),
            failed,
          })),
        ]),
      ),
    };
  }
}

/**
 * Returns the end of an error's text: some texts begin with the source of what could not be sent.
 */
function shortened(text: string): string {
  return text.length <= MOST_TEXT ? text : `... ${text.slice(-MOST_TEXT)}`;
}

/** Formats the median, and how far at most a round lies from it. */
function cell(values: readonly number[] | undefined, measure: Measure): string {
  if (values === undefined) return "–";
  const { median, least, most } = summaryOf(values);
  const text = withUnit(median, measure);
  if (values.length === 1 || median === 0) return text;
  return `${text} ±${Math.round(Math.max(most - median, median - least) / median * 100)} %`;
}

/** Makes a table in Markdown whose columns are also aligned when read as plain text. */
function markdown(head: readonly string[], rows: readonly string[][]): string {
  const widths = head.map((text, i) =>
    Math.max(3, text.length, ...rows.map((row) => row[i].length))
  );
  const line = (cells: readonly string[]): string =>
    `| ${
      cells.map((text, i) => i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])).join(
        " | ",
      )
    } |`;
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}
