/**
 * A contestant's process: `run.mjs MODULE KIND CASES quick|full` runs the cases and prints a line of JSON for each.
 */

import process from "node:process";
import { cases } from "./cases.mjs";

const [module, kind, names, mode] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const nowMs = () => performance.timeOrigin + performance.now();

process.on("unhandledRejection", (error) => {
  say({ failed: String(error?.message ?? error) });
  process.exit(1);
});

// Some contestants do not keep the program alive while they have tasks; others are not to be measured by that.
const alive = setInterval(() => {}, 2 ** 30);

// As an address, so that who checks this file does not look for the packages.
const { start, own } = await import(
  new URL(`contestants/${module}.mjs`, import.meta.url).href
);
const subject = {
  start: (workers) => start(workers, kind),
  own,
  quick: mode === "quick",
  heapBytes: () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
  endsNow() {
    clearInterval(alive);
    say({ endsAtMs: nowMs() });
  },
};
for (const name of names.split(",")) {
  say({ begins: name });
  try {
    say({ case: name, figures: await cases[name].run(subject) });
  } catch (error) {
    say({
      case: name,
      figures: error?.figures,
      failed: String(error?.message ?? error),
    });
  }
}
say({ over: true });
