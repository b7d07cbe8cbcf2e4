/**
 * A worker parses a long log line by line, for a loop that has seen enough long before the log's
 * end.
 *
 *   deno run -A examples/stream.ts
 *
 * In the worker, a generator function yields a record for each line. Here, a loop takes one record
 * after the other, and ends when an address has failed to log in five times in a row. That closes
 * the generator in the worker: its `finally` block runs there before the statement after the loop
 * runs here. Until then the generator was ahead of the loop by at most `buffersize` records.
 *
 * It prints:
 *
 *   Line 537417: 10.0.0.152 has failed to log in 5 times in a row
 *   The worker has closed the log, of 1000000 lines
 *   It was at most 64 records ahead: true
 *
 * @module
 */

import { task, ThreadPoolExecutor, Value } from "@concurrent/futures";

const LINES = 1_000_000;
const AHEAD = 64;
const FAILURES = 5;

/** What a line of the log records. */
interface Attempt {
  readonly line: number;
  readonly address: string;
  readonly hasFailed: boolean;
}

/** Yields the lines of a log. They are made up, the same ones each time. */
function* readLines(): Generator<string> {
  let state = 1;
  for (let line = 0; line < LINES; line++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    const address = `10.0.0.${(state >> 8) % 200}`;
    const outcome = (state >> 16) % 10 === 0 ? "failed" : "ok";
    yield `second ${line} address ${address} login ${outcome}`;
  }
}

/** Parses the log, in a worker, and counts in `linesRead` the lines that it has read. */
export const attempts = task(
  import.meta,
  function* attempts(linesRead: Value<"i32">): Generator<Attempt> {
    try {
      for (const text of readLines()) {
        const [, , , address, , outcome] = text.split(" ");
        yield { line: linesRead.add(1), address, hasFailed: outcome === "failed" };
      }
    } finally {
      console.log(`The worker has closed the log, of ${LINES} lines`);
    }
  },
);

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const linesRead = new Value("i32");
  const records = pool.with({ buffersize: AHEAD }).stream(attempts, linesRead);
  const failures = new Map<string, number>();
  let linesSeen = 0;
  for await (const { line, address, hasFailed } of records) {
    linesSeen = line;
    const inARow = hasFailed ? (failures.get(address) ?? 0) + 1 : 0;
    failures.set(address, inARow);
    if (inARow < FAILURES) continue;
    console.log(`Line ${line}: ${address} has failed to log in ${inARow} times in a row`);
    break;
  }
  console.log(`It was at most ${AHEAD} records ahead: ${linesRead.value - linesSeen <= AHEAD}`);
}
