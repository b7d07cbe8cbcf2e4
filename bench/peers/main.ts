/**
 * What does a task cost with this package, and with others? Runs the same cases with other
 * packages, with calls by hand, and with Python.
 *
 * `deno task bench:peers` runs all, prints a table for each case, and writes `docs/peers.md`,
 * `docs/peers.svg` and `bench/peers/record.json`:
 *
 *   --case NAME         only this case; may be given several times
 *   --contestant NAME   only this contestant; may be given several times
 *   --runtime NAME      only on `deno`, `node` or `python`; may be given several times
 *   --rounds NUMBER     how often all are run; default: 3
 *   --quick             only see whether everything works: the figures mean nothing, and neither
 *                       page nor picture is written
 *   --record FILE       where the record goes
 *   --page FILE         where the tables go; if only a part is run, nowhere unless this is given
 *   --picture FILE      where the picture goes; likewise
 *
 * Each contestant runs each case in a process of its own, and all of them take turns. A contestant
 * that is missing, fails, or exceeds the limit is noted below the table.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type CaseName, CASES, type Contestant, CONTESTANTS, ranOn } from "./_contestants.ts";
import { runContestant } from "./_process.ts";
import { Results } from "./_results.ts";

const FOLDER = new URL("./", import.meta.url);
const ROUNDS = 3;

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    case: { type: "string", multiple: true },
    contestant: { type: "string", multiple: true },
    runtime: { type: "string", multiple: true },
    rounds: { type: "string", default: String(ROUNDS) },
    quick: { type: "boolean", default: false },
    record: {
      type: "string",
      default: fileURLToPath(new URL("record.json", FOLDER)),
    },
    page: { type: "string" },
    picture: { type: "string" },
  },
});

/** Where a page or picture goes. Those of the repository show all: a part must not replace them. */
function placeOf(asked: string | undefined, own: string): string | undefined {
  if (options.quick) return undefined;
  const isPart = [options.case, options.contestant, options.runtime].some((one) =>
    one !== undefined
  );
  return asked ?? (isPart ? undefined : fileURLToPath(new URL(own, FOLDER)));
}

const page = placeOf(options.page, "../../docs/peers.md");
const picture = placeOf(options.picture, "../../docs/peers.svg");

/** Returns the items whose names were asked for; all, if none were. */
function chosen<T>(
  what: string,
  all: readonly T[],
  nameOf: (one: T) => string,
  asked?: string[],
) {
  for (const name of asked ?? []) {
    if (all.some((one) => nameOf(one) === name)) continue;
    const known = [...new Set(all.map(nameOf))].join(", ");
    console.error(
      `Cannot run ${what} "${name}": there is none; give one of ${known}`,
    );
    Deno.exit(2);
  }
  return all.filter((one) => asked === undefined || asked.includes(nameOf(one)));
}

/** Installs the packages of this folder, unless they are there already. */
async function install(contestants: readonly Contestant[]): Promise<void> {
  const needed = contestants.map(({ package: name }) => name).filter((name) => name !== undefined);
  if (picture !== undefined) needed.push("vega", "vega-lite");
  const isThere = await Promise.all(
    needed.map((name) =>
      Deno.stat(new URL(`node_modules/${name}/package.json`, FOLDER)).then(
        () => true,
        () => false,
      )
    ),
  );
  if (isThere.every(Boolean)) return;
  console.error("Installing the packages of bench/peers ...");
  const args = [
    "install",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--loglevel=error",
  ];
  let success = false;
  try {
    ({ success } = await new Deno.Command("npm", { args, cwd: FOLDER, stdout: "null" }).output());
  } catch {
    // There is no npm.
  }
  if (!success) {
    console.error(
      "npm install failed: packages that are not there will be missing",
    );
  }
}

const cases = chosen("case", CASES, (name) => name, options.case) as CaseName[];
const named = chosen("contestant", CONTESTANTS, ({ name }) => name, options.contestant);
const contestants = chosen(
  "on",
  CONTESTANTS,
  ({ runtime }) => runtime,
  options.runtime,
)
  .filter((one) => named.includes(one));
const rounds = options.quick ? 1 : Number(options.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(
    `Cannot run ${options.rounds} rounds: give a whole number from 1`,
  );
  Deno.exit(2);
}

const startMs = performance.now();
await install(contestants);
if (
  contestants.some(({ module, runtime }) => module === "ours" && runtime === "node")
) {
  console.error("Building the package for Node ...");
  const args = ["task", "--quiet", "npm:pack"];
  const cwd = new URL("../../", FOLDER);
  await new Deno.Command(Deno.execPath(), { args, cwd, stdout: "null" })
    .output();
}

/**
 * The contestants that hung without ever having given a figure, and the cases in which others hung:
 * none of these is run again.
 */
const hung = new Set<string>();
const answered = new Set<Contestant>();
const keyOf = ({ name, runtime }: Contestant, which = ""): string => `${runtime} ${name} ${which}`;

const results = new Results(cases, contestants, {
  quick: options.quick,
  rounds,
});
for (let round = 0; round < rounds; round++) {
  // In quick mode all cases share a process, except the one that must have its own.
  const groups = options.quick
    ? [
      cases.filter((name) => name !== "end"),
      cases.filter((name) => name === "end"),
    ]
    : cases.map((name) => [name]);
  for (const group of groups) {
    for (let i = 0; i < contestants.length; i++) {
      // Each round begins with another contestant.
      const contestant = contestants[(i + round) % contestants.length];
      const own = group.filter((name) =>
        ranOn(contestant, name, options.quick) &&
        !hung.has(keyOf(contestant)) &&
        !hung.has(keyOf(contestant, name))
      );
      if (own.length === 0) continue;
      console.error(
        `round ${round + 1} of ${rounds}: ${contestant.label}: ${own.join(", ")}`,
      );
      for await (
        const outcome of runContestant(contestant, own, options.quick)
      ) {
        results.add(contestant, outcome);
        if (outcome.figures !== undefined) answered.add(contestant);
        if (!outcome.hangs) continue;
        hung.add(keyOf(contestant, outcome.case));
        if (!answered.has(contestant) || options.quick) {
          hung.add(keyOf(contestant));
        }
      }
    }
  }
}

console.log(results.tables());
console.error(`${Math.round((performance.now() - startMs) / 1000)} s`);
await Deno.writeTextFile(
  options.record,
  `${JSON.stringify(results.record(), null, 2)}\n`,
);
if (picture !== undefined) {
  const { drawPicture } = await import("./_picture.ts");
  await Deno.writeTextFile(picture, await drawPicture(results));
}
if (page !== undefined) {
  await Deno.writeTextFile(page, results.page());
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", page] }).output();
}
