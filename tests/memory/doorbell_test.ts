import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { NEVER, nowMs } from "../../_platform/clock.ts";
import { Spinner } from "../../_platform/park.ts";
import { clock } from "../../_platform/timers.ts";
import { Doorbell } from "../../_memory/doorbell.ts";
import { AWAKE, SLEEPING } from "../../_memory/thread_table.ts";
import { test } from "../_support/leaks.ts";
import { turn } from "../contracts/suite.ts";

/** The time limit of a wait for a thread to be asleep. */
const SLEEPS = { timeout: 5_000 };

test("Spinner.look() ends where all clocks are stopped", { timeout: 5_000 }, () => {
  const { now } = clock;
  clock.now = () => 0;
  try {
    assertEquals(new Spinner().look(() => false), false);
  } finally {
    clock.now = now;
  }
});

test("Spinner.look() lasts twice as long as waits took lately, if they were short", () => {
  const { now } = clock;
  let nowMs = 0;
  clock.now = () => nowMs;
  const spinner = new Spinner();
  /** How long the spinner looks for something that comes after `ms`. */
  const spinMs = (ms: number, longestMs?: number): number => {
    const startMs = nowMs;
    spinner.look(() => {
      nowMs += 0.0001;
      return nowMs - startMs >= ms;
    }, longestMs);
    return Math.round((nowMs - startMs) * 1_000) / 1_000;
  };
  const sleep = (ms: number, times: number): void => {
    for (let i = 0; i < times; i++) spinner.waited(ms);
  };
  try {
    assertAlmostEquals(spinMs(Infinity, 0.2), 0.02, 0.003);
    sleep(0.06, 50);
    assertAlmostEquals(spinMs(Infinity, 0.2), 0.12, 0.003);
    assertAlmostEquals(spinMs(Infinity, 0.05), 0.05, 0.003);
    assertAlmostEquals(spinMs(Infinity), 0.02, 0.003);
    // Waits that end while it spins count too.
    for (let i = 0; i < 50; i++) spinMs(0.03, 0.2);
    assertAlmostEquals(spinMs(Infinity, 0.2), 0.06, 0.005);
    sleep(0.15, 50);
    assertAlmostEquals(spinMs(Infinity, 0.2), 0.2, 0.003);
    sleep(10, 3);
    assertAlmostEquals(spinMs(Infinity, 0.2), 0.02, 0.003);
    sleep(0.05, 10);
    assert(spinMs(Infinity, 0.2) > 0.09, "a few long waits count for too much");
  } finally {
    clock.now = now;
  }
});

/** A doorbell with one source. */
class Setting {
  words = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly bell = new Doorbell(this.words, 0);
  /** How much is in the source. */
  left = 0;
  /** How much is added to the source at each drain. */
  readonly next: number[] = [];
  taken = 0;

  constructor() {
    this.bell.add({
      deadlineMs: NEVER,
      ready: () => this.left > 0,
      drain: () => {
        const found = this.left > 0;
        this.taken += this.left;
        this.left = this.next.shift() ?? 0;
        return found;
      },
      expire() {},
      sleeping() {},
    });
  }

  async asleep(): Promise<void> {
    while (Atomics.load(this.words, 0) !== SLEEPING) await turn();
  }

  /** Adds something to the source, as another thread does. */
  leave(): void {
    this.left++;
    if (Atomics.compareExchange(this.words, 0, SLEEPING, AWAKE) === SLEEPING) {
      Atomics.notify(this.words, 0);
    }
  }
}

test(
  "Doorbell.rest() sleeps once nothing is left, though something came just before",
  SLEEPS,
  async () => {
    for (const coming of [[], [1], [1, 1], [0, 1]]) {
      const setting = new Setting();
      setting.left = 1;
      setting.next.push(...coming);
      setting.bell.rest();
      await setting.asleep();
      assertEquals(setting.left, 0);
      // It is heard when the bell rings, also when more comes while the first is taken in.
      for (let i = 0; i < 3; i++) {
        const before = setting.taken;
        setting.next.push(1);
        setting.leave();
        while (setting.taken < before + 2) await turn();
        await setting.asleep();
      }
    }
  },
);

test(
  "Doorbell.adopt(): who slept as a promise, and was blocked since, sleeps by the new word and hears",
  SLEEPS,
  async () => {
    const setting = new Setting();
    setting.bell.rest();
    await setting.asleep();
    setting.bell.waitSync(() => false, nowMs() + 1);
    setting.words = new Int32Array(setting.words.buffer.slice(0));
    setting.bell.adopt(setting.words, 0, () => true);
    setting.bell.expect();
    await setting.asleep();
    setting.leave();
    while (setting.taken === 0) await turn();
    setting.bell.arrived(1);
  },
);

test("Doorbell.waitSync() takes nothing in once what it waits for has come", () => {
  const setting = new Setting();
  let drained = 0;
  setting.bell.add({ ready: () => true, drain: () => ++drained > 0 });
  setting.left = 1;
  assertEquals(setting.bell.waitSync(() => setting.taken > 0, NEVER), true);
  assertEquals(drained, 0);
});
