/**
 * The explorer's program: walks models and prints a table, or replays one schedule of one.
 *
 *     deno task explore [--model NAME] [--extra PREEMPTIONS] [--seconds LIMIT] [--all]
 *     deno task explore --model NAME --schedule "12:1 40:0"
 *
 * `--all` also follows choices that lead to nothing new. Without `--model` all models of `models/`
 * are walked; by name those of `self_test/` are found too. The exit code is 1 if a schedule went
 * wrong.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { explore, replay, type Walk } from "./explorer.ts";
import { findModels, type FoundModel } from "./models.ts";
import { formatSchedule, parseSchedule } from "./trace.ts";

const COLUMNS = [32, 8, 12, 10, 10, 12, 8];

function row(...cells: readonly string[]): string {
  return cells.map((cell, i) => i === 0 ? cell.padEnd(COLUMNS[i]) : cell.padStart(COLUMNS[i]))
    .join("").trimEnd();
}

function walkRow(walk: Walk): string {
  return row(
    walk.name,
    String(walk.threads),
    String(walk.preemptions),
    String(walk.schedules),
    String(walk.different),
    String(walk.steps),
    walk.seconds.toFixed(1),
  ) + (walk.isComplete || walk.violation !== undefined ? "" : "  not all: time was up");
}

async function select(name: string | undefined): Promise<readonly FoundModel[]> {
  const own = await findModels("models");
  if (name === undefined) return own;
  const all = [...own, ...await findModels("self_test")];
  const found = all.filter(({ model }) => model.name === name);
  if (found.length > 0) return found;
  const names = all.map(({ model }) => model.name).join(", ");
  throw new RangeError(`Cannot find model "${name}": there are ${names}`);
}

/** Reads a number of the command line. Without this check, a typing error would walk nothing. */
function parseNumber(name: string, text: string, pattern: RegExp): number {
  if (pattern.test(text)) return Number(text);
  throw new RangeError(`Cannot explore: --${name} is "${text}"; give a number`);
}

/** Returns the exit code. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      schedule: { type: "string" },
      extra: { type: "string", default: "0" },
      seconds: { type: "string", default: "Infinity" },
      all: { type: "boolean", default: false },
    },
  });
  if (values.schedule !== undefined && values.model === undefined) {
    throw new TypeError("Cannot replay schedule: --model is not given; name the model");
  }
  const bounds = {
    extra: parseNumber("extra", values.extra, /^-?\d+$/),
    seconds: parseNumber("seconds", values.seconds, /^(\d*\.?\d+|Infinity)$/),
    isExhaustive: values.all,
  };
  const models = await select(values.model);
  if (values.schedule !== undefined) {
    const { reason, trace } = await replay(models[0], parseSchedule(values.schedule));
    console.log(trace);
    console.log(reason === undefined ? "no violation" : `violation: ${reason}`);
    return reason === undefined ? 0 : 1;
  }
  let code = 0;
  console.log(row("model", "threads", "preemptions", "schedules", "different", "steps", "seconds"));
  for (const found of models) {
    const walk = await explore(found, bounds);
    console.log(walkRow(walk));
    if (walk.violation === undefined) continue;
    code = 1;
    const { reason, schedule, trace } = walk.violation;
    console.log(`violation in model "${walk.name}": ${reason}`);
    console.log(`replay: --model "${walk.name}" --schedule "${formatSchedule(schedule)}"`);
    console.log(trace);
  }
  return code;
}

// Also ends threads that a violation has left behind.
if (import.meta.main) Deno.exit(await main());
