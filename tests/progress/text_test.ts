import { assert, assertEquals } from "@std/assert";
import { barLine, logLine, type Reading } from "../../progress/_text.ts";
import { test } from "../_support/leaks.ts";

/** A reading with some parts replaced. */
function reading(parts: Partial<Reading> = {}): Reading {
  return {
    label: "photos",
    done: 450,
    work: 450,
    total: 1000,
    elapsedMs: 5_000,
    ending: undefined,
    ...parts,
  };
}

/** A bar that is drawn with ASCII characters only. */
function bar(fraction: number, columns: number): string {
  return "#".repeat(Math.round(fraction * columns)).padEnd(columns, "-");
}

const line = (parts: Partial<Reading>, columns = 60): string =>
  barLine(reading(parts), columns, bar);

test("logLine() says label, number done, percentage, rate, time and remaining time", () => {
  assertEquals(
    logLine(reading()),
    "photos: 450/1000 (45%), 90.0/s, 0:05 elapsed, 0:06 remaining",
  );
});

test("logLine() leaves out what is not known", () => {
  assertEquals(logLine(reading({ total: undefined })), "photos: 450, 90.0/s, 0:05 elapsed");
  assertEquals(
    logLine(reading({ label: "", done: 0, work: 0 })),
    "0/1000 (0%), ?/s, 0:05 elapsed",
  );
  assertEquals(
    logLine(reading({ elapsedMs: 0 })),
    "photos: 450/1000 (45%), ?/s, 0:00 elapsed, 0:00 remaining",
  );
});

test("logLine() says how it ended, and then nothing of the remaining time", () => {
  const whole = { done: 1000, work: 1000 };
  assertEquals(
    logLine(reading({ ...whole, ending: "complete" })),
    "photos: 1000/1000 (100%), 200/s, 0:05 elapsed",
  );
  for (const ending of ["stopped", "failed"] as const) {
    assertEquals(
      logLine(reading({ ending })),
      `photos: 450/1000 (45%), 90.0/s, 0:05 elapsed, ${ending}`,
    );
  }
});

test("rate and times are given in what suits them", () => {
  const rate = (work: number, elapsedMs: number) =>
    logLine(reading({ done: 0, work, total: undefined, elapsedMs })).split(", ").slice(1);
  assertEquals(rate(1, 4_000), ["4.0 s each", "0:04 elapsed"]);
  assertEquals(rate(0.5, 4_000), ["8.0 s each", "0:04 elapsed"]);
  assertEquals(rate(99, 1_000), ["99.0/s", "0:01 elapsed"]);
  assertEquals(rate(12_345, 1_000), ["12345/s", "0:01 elapsed"]);
  assertEquals(rate(3_723, 3_723_000), ["1.0/s", "1:02:03 elapsed"]);
  assertEquals(rate(599.4, 599_400), ["1.0/s", "9:59 elapsed"]);
  assertEquals(rate(599.6, 599_600), ["1.0/s", "10:00 elapsed"]);
});

test("the percentage counts what unfinished tasks report, and is 100 only when all are done", () => {
  const percent = (done: number, work: number, total: number) =>
    /\((\d+)%\)/.exec(logLine(reading({ done, work, total })))?.[1];
  assertEquals(percent(0, 1, 4), "25");
  assertEquals(percent(1, 1.5, 4), "37");
  assertEquals([29, 57, 58].map((n) => percent(n, n, 100)), ["29", "57", "58"]);
  assertEquals(percent(999, 999, 1000), "99");
  assertEquals(percent(0, 4, 4), "99");
  assertEquals(percent(4, 4, 4), "100");
  assertEquals(percent(0, 0, 0), "100");
});

test("barLine() draws a bar in the room that the figures leave", () => {
  assertEquals(line({}), "photos:  45%|########---------| 450/1000 [0:05<0:06, 90.0/s]");
  assertEquals(line({}).length, 60);
  // The bar does not grow without limit.
  assertEquals(/\|(.*)\|/.exec(line({}, 500))![1], "#".repeat(18) + "-".repeat(22));
});

test("barLine() has no bar where there is no room or no total, and never is too long", () => {
  assertEquals(line({}, 45), "photos:  45% 450/1000 [0:05<0:06, 90.0/s]");
  assertEquals(line({ total: undefined }), "photos: 450 [0:05, 90.0/s]");
  assertEquals(line({}, 20), "photos:  45% 450/100");
  for (let columns = 0; columns < 120; columns++) assert(line({}, columns).length <= columns);
});

test("barLine() says how it ended", () => {
  assertEquals(line({ total: undefined, ending: "complete" }), "photos: 450 [0:05, 90.0/s]");
  assertEquals(line({ total: undefined, ending: "failed" }), "photos: 450 [0:05, 90.0/s, failed]");
});
