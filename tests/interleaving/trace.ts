/**
 * A schedule as text: its name, and what happened in it.
 *
 * @module
 */

import { LOG, OP } from "./control_layout.ts";
import { PRIVATE } from "./shared_buffers.ts";
import type { Schedule, Stage } from "./stage.ts";

/** The name of the schedule without a switch. */
const NO_SWITCHES = "none";

/** How many steps are shown at the beginning and at the end of a long trace. */
const SHOWN_STEPS = 200;

/** Formats a schedule: `12:1 40:0` means that at step 12 thread 1 goes on, at step 40 thread 0. */
export function formatSchedule(schedule: Schedule): string {
  const switches: string[] = [];
  for (let i = 0; i < schedule.length; i += 2) switches.push(`${schedule[i]}:${schedule[i + 1]}`);
  return switches.join(" ") || NO_SWITCHES;
}

/** Parses what {@linkcode formatSchedule} has written. */
export function parseSchedule(text: string): Schedule {
  if (text === NO_SWITCHES) return [];
  return text.trim().split(/\s+/).flatMap((part) => {
    const match = /^(\d+):(\d+)$/.exec(part);
    if (match === null) throw new RangeError(`Cannot read schedule: "${part}" is no switch`);
    return [Number(match[1]), Number(match[2])];
  });
}

/** The steps of the schedule that was run last, one per line. */
export function formatTrace(stage: Stage): string {
  const letters = new Map(
    stage.buffers.map(({ number }, i) => [number, String.fromCharCode(65 + i)]),
  );
  const lines = stage.buffers.map(({ number, path, buffer }) =>
    `${letters.get(number)}: ${path || "shared"}, ${buffer.byteLength / 4} words`
  );
  for (let step = 0; step < stage.steps; step++) {
    if (step === SHOWN_STEPS && stage.steps > 2 * SHOWN_STEPS) {
      step = stage.steps - SHOWN_STEPS;
      lines.push("   ...");
    }
    const letter = letters.get(stage.at(step, LOG.BUFFER)) ?? "?";
    lines.push(`${String(step).padStart(6)}  ${line(stage, step, letter)}`);
  }
  return lines.join("\n");
}

function line(stage: Stage, step: number, letter: string): string {
  const at = (field: number): number => stage.at(step, field);
  const first = at(LOG.FIRST);
  const second = at(LOG.SECOND);
  const result = at(LOG.RESULT);
  const word = at(LOG.BUFFER) === PRIVATE ? "a private word" : `${letter}[${at(LOG.INDEX)}]`;
  const next = first < 0 ? "nobody can go on" : `T${first} goes on`;
  const text = ((): string => {
    switch (at(LOG.OP)) {
      case OP.START:
        return `all threads are ready; ${next}`;
      case OP.LOAD:
        return `load      ${word} is ${result}`;
      case OP.STORE:
        return `store     ${word} = ${first}`;
      case OP.ADD:
        return `add       ${word} += ${first}, was ${result}`;
      case OP.EXCHANGE:
        return `exchange  ${word} = ${first}, was ${result}`;
      case OP.REPLACE:
        return `replace   ${word} ${first} -> ${second}: ${
          result === 1 ? "done" : "holds another"
        }`;
      case OP.NOTIFY:
        return `notify    ${word}: ${result} woken`;
      case OP.WAIT:
        return `wait      ${word} while ${first}: ${result === first ? "sleeps" : `is ${result}`}`;
      case OP.PAUSE:
        return `pause     ${next}`;
      case OP.POINT:
        return `point ${first}`;
      case OP.PREEMPTED:
        return `    is preempted; ${next}`;
      case OP.SLEEP:
        return `    sleeps; ${next}`;
      case OP.WAKE:
        return `    ${first === 1 ? "times out" : "is awake"}`;
      case OP.END:
        return `    ends; ${next}`;
      default:
        throw new Error(`Cannot format step ${step}: operation ${at(LOG.OP)}`);
    }
  })();
  const indent = "    ".repeat(at(LOG.THREAD));
  return `${indent}T${at(LOG.THREAD)}  ${text}`;
}
