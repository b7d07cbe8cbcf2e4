import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import {
  Barrier,
  type BarrierOptions,
  BrokenBarrierError,
  type Handle,
  Lock,
  RuntimeError,
} from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { BAD_WAITS, SHORT_MS } from "../contracts/lock_suite.ts";
import { readCell } from "../contracts/parts.ts";
import {
  gateOf,
  jsonCopy,
  queued,
  rejectionOf,
  stateOf,
  throughChannel,
  turns,
  until,
  waitersOf,
} from "./_support.ts";
import * as tasks from "./fixtures/sync_tasks.ts";

shareProcesses(1, 2);

const IN_VAIN = "Cannot wait at Barrier: it was broken or reset while 3 parties gathered";
const TOO_LATE =
  "Cannot wait at Barrier: the other parties did not come in time; the barrier is broken";
const IS_BROKEN = "Cannot wait at Barrier: it is broken; reset() repairs it";

const MEETINGS = [tasks.meet, tasks.meetSync] as (typeof tasks.meet)[];

/** Fails unless nobody waits and rounds can be completed. */
async function assertSound(barrier: Barrier): Promise<void> {
  assertEquals([barrier.broken, barrier.nWaiting, waitersOf(barrier)], [false, 0, 0]);
  for (let round = 0; round < 2; round++) {
    const waits = Array.from({ length: barrier.parties }, () => barrier.wait());
    assertEquals(await Promise.all(waits), waits.map((_, i) => i));
  }
  assertEquals([barrier.broken, barrier.nWaiting, waitersOf(barrier)], [false, 0, 0]);
}

/** Fails unless every wait fails because the barrier is broken; then repairs it. */
async function assertBroken(barrier: Barrier): Promise<void> {
  assertEquals([barrier.broken, barrier.nWaiting, waitersOf(barrier)], [true, 0, 0]);
  for (const options of [undefined, { timeout: 0 }, { timeout: SHORT_MS }]) {
    await assertRejects(() => barrier.wait(options), BrokenBarrierError, IS_BROKEN);
    assertThrows(() => barrier.waitSync(options), BrokenBarrierError, IS_BROKEN);
  }
  barrier.reset();
  await assertSound(barrier);
}

/** A barrier, of two parties by default, whose action waits until `letGoOn` is called. */
function makeHeldUp(options: BarrierOptions = {}, parties = 2) {
  const state = { letGoOn: (_error?: Error): void => {}, runs: 0 };
  const action = () =>
    new Promise<void>((resolve, reject) => {
      state.runs++;
      state.letGoOn = (error) => error === undefined ? resolve() : reject(error);
    });
  return { barrier: new Barrier(parties, { ...options, action }), state };
}

// Making

test("Barrier() has its parties, waits for them, and is not broken", async () => {
  const barrier = new Barrier(3, { name: "start" });
  assertEquals([barrier.parties, barrier.nWaiting, barrier.broken], [3, 0, false]);
  assertEquals([barrier.name, Barrier.from(barrier.handle).name], ["start", "start"]);
  assertEquals([new Barrier(1).name, new Barrier(1).action], [undefined, undefined]);
  await assertSound(barrier);
});

test("Barrier() refuses bad numbers of parties", () => {
  for (const parties of [0, -0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
    assertThrows(
      () => new Barrier(parties),
      RangeError,
      `Cannot make Barrier: parties must be a whole number from 1 to 2147483647, got ${parties}`,
    );
  }
  for (const parties of ["2", null, undefined, {}, 2n]) {
    assertThrows(
      () => new Barrier(parties as never),
      TypeError,
      `Cannot make Barrier: parties must be a number, got ${describe(parties)}`,
    );
  }
});

test("Barrier() refuses bad options", () => {
  for (const [options, error, text] of BAD_WAITS) {
    assertThrows(() => new Barrier(2, options as never), error, text);
  }
  for (const action of [null, 5, "run", {}]) {
    assertThrows(
      () => new Barrier(2, { action: action as never }),
      TypeError,
      `Cannot make Barrier: action must be a function, got ${describe(action)}`,
    );
  }
  assertThrows(
    () => new Barrier(2, { name: 5 as never }),
    TypeError,
    "Cannot name object: expected a string, got 5",
  );
});

// Rounds

test("Barrier.wait() waits until all have come, and gives the order of arrival", async () => {
  const barrier = new Barrier(3);
  for (let round = 0; round < 3; round++) {
    const first = barrier.wait();
    assertEquals(barrier.nWaiting, 1);
    const second = barrier.wait({ timeout: 10_000 });
    assertEquals(barrier.nWaiting, 2);
    assertEquals(await stateOf(Promise.race([first, second])), "pending");
    const last = round % 2 === 0 ? barrier.waitSync() : await barrier.wait();
    assertEquals(barrier.nWaiting, 0);
    assertEquals([await first, await second, last], [0, 1, 2]);
  }
  await assertSound(barrier);
});

test("Barrier.wait() and waitSync() of one party alone never wait", async () => {
  let runs = 0;
  for (const barrier of [new Barrier(1), new Barrier(1, { action: () => runs++, timeout: 0 })]) {
    assertEquals([await barrier.wait(), barrier.waitSync()], [0, 0]);
    assertEquals([await barrier.wait({ timeout: 0 }), barrier.waitSync({ timeout: 0 })], [0, 0]);
    await assertSound(barrier);
  }
  assertEquals(runs, 6);
});

test("Barrier.wait(): parties of the next round are not taken for those of this one", async () => {
  const barrier = new Barrier(2);
  const log: string[] = [];
  const party = async (name: string) => {
    for (let round = 0; round < 20; round++) {
      log.push(`${round}`);
      await barrier.wait();
    }
    return name;
  };
  await Promise.all([party("a"), party("b")]);
  assertEquals(log, Array.from({ length: 40 }, (_, i) => `${i >> 1}`));
  await assertSound(barrier);
});

test("Barrier.wait(): more tasks than parties go through in groups", async () => {
  const barrier = new Barrier(3);
  const waits = Array.from({ length: 9 }, () => barrier.wait());
  assertEquals(await Promise.all(waits), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
  await assertSound(barrier);
});

test("Barrier.wait() and waitSync() refuse bad timeouts and change nothing", async () => {
  const barrier = new Barrier(2);
  for (const [options, error, text] of BAD_WAITS) {
    await assertRejects(() => barrier.wait(options as never), error, text);
    assertThrows(() => barrier.waitSync(options as never), error, text);
  }
  await assertSound(barrier);
});

// Breaking

test("Barrier.wait(): one party's timeout breaks the barrier for all, also for who comes later", async () => {
  const barrier = new Barrier(3);
  const patient = rejectionOf(barrier.wait());
  const startMs = performance.now();
  await assertRejects(() => barrier.wait({ timeout: SHORT_MS }), BrokenBarrierError, TOO_LATE);
  assert(performance.now() - startMs >= SHORT_MS);
  const error = await patient;
  assert(BrokenBarrierError.is(error));
  assertEquals(error.message, IN_VAIN);
  await assertBroken(barrier);
  const other = rejectionOf(barrier.wait());
  assertThrows(() => barrier.waitSync({ timeout: SHORT_MS }), BrokenBarrierError, TOO_LATE);
  assert(BrokenBarrierError.is(await other));
  await assertBroken(barrier);
});

test("Barrier.wait() with a timeout of 0 breaks the barrier, unless all the others have come", async () => {
  const barrier = new Barrier(2);
  await assertRejects(() => barrier.wait({ timeout: 0 }), BrokenBarrierError, TOO_LATE);
  await assertBroken(barrier);
  assertThrows(() => barrier.waitSync({ timeout: 0 }), BrokenBarrierError, TOO_LATE);
  await assertBroken(barrier);
  const first = barrier.wait();
  assertEquals([await barrier.wait({ timeout: 0 }), await first], [1, 0]);
  const again = barrier.wait();
  assertEquals([barrier.waitSync({ timeout: 0 }), await again], [1, 0]);
  await assertSound(barrier);
});

test("Barrier.wait() without a timeout takes the barrier's own", async () => {
  const barrier = new Barrier(2, { timeout: SHORT_MS });
  for (const options of [undefined, {}, { timeout: undefined }, { timeout: null }]) {
    const startMs = performance.now();
    await assertRejects(() => barrier.wait(options), BrokenBarrierError, TOO_LATE);
    assert(performance.now() - startMs >= SHORT_MS);
    barrier.reset();
    assertThrows(() => barrier.waitSync(options), BrokenBarrierError, TOO_LATE);
    barrier.reset();
  }
  const view = Barrier.from(barrier.handle);
  await assertRejects(() => view.wait(), BrokenBarrierError, TOO_LATE);
  barrier.reset();
  const patient = barrier.wait({ timeout: 10_000 });
  const endless = barrier.wait({ timeout: Infinity });
  assertEquals([await patient, await endless], [0, 1]);
  const alone = barrier.wait({ timeout: Infinity });
  const waited = new Promise((resolve) => setTimeout(resolve, 2 * SHORT_MS));
  await waited;
  assertEquals([await stateOf(alone), barrier.broken], ["pending", false]);
  assertEquals([await barrier.wait(), await alone], [1, 0]);
  await assertSound(new Barrier(2, { timeout: null }));
});

test("Barrier.wait() rejects with the reason of a signal that aborts, which breaks the barrier", async () => {
  const barrier = new Barrier(3);
  const controller = new AbortController();
  const reason = new RangeError("enough");
  const waiting = rejectionOf(barrier.wait({ signal: controller.signal }));
  const other = rejectionOf(barrier.wait());
  controller.abort(reason);
  assertEquals([barrier.broken, barrier.nWaiting], [true, 0]);
  assertStrictEquals(await waiting, reason);
  assertEquals((await other as Error).message, IN_VAIN);
  await assertBroken(barrier);
});

test("Barrier.wait(): a signal that has aborted rejects before anything is touched", async () => {
  const barrier = new Barrier(2);
  const reason = new Error("enough");
  const first = barrier.wait();
  const late = barrier.wait({ signal: AbortSignal.abort(reason) });
  assertStrictEquals(await rejectionOf(late), reason);
  assertEquals([barrier.broken, barrier.nWaiting], [false, 1]);
  assertEquals([await barrier.wait(), await first], [1, 0]);
  await assertSound(barrier);
});

test("Barrier.wait(): a signal that aborts after the round changes nothing", async () => {
  const barrier = new Barrier(2);
  const controller = new AbortController();
  const first = barrier.wait({ signal: controller.signal });
  const second = barrier.wait({ signal: controller.signal });
  controller.abort("enough");
  assertEquals([await first, await second], [0, 1]);
  await assertSound(barrier);
});

test("Barrier.abort() breaks the barrier until reset()", async () => {
  const barrier = new Barrier(3);
  const waits = [barrier.wait(), barrier.wait({ timeout: 10_000 })].map(rejectionOf);
  barrier.abort();
  barrier.abort();
  for (const wait of waits) {
    const error = await wait;
    assert(BrokenBarrierError.is(error));
    assertEquals(error.message, IN_VAIN);
  }
  await assertBroken(barrier);
  barrier.abort();
  await assertBroken(barrier);
});

test("Barrier.reset() fails those who wait, and leaves the barrier as new", async () => {
  const barrier = new Barrier(3);
  barrier.reset();
  await assertSound(barrier);
  const waits = [barrier.wait(), barrier.wait()].map(rejectionOf);
  barrier.reset();
  assertEquals([barrier.broken, barrier.nWaiting], [false, 0]);
  const next = [barrier.wait(), barrier.wait(), barrier.wait()];
  for (const wait of waits) assert(BrokenBarrierError.is(await wait));
  assertEquals(await Promise.all(next), [0, 1, 2]);
  await assertSound(barrier);
});

test("BrokenBarrierError of a barrier with a name tells it", async () => {
  const barrier = new Barrier(2, { name: "start" });
  const waiting = barrier.wait();
  barrier.abort();
  const text = 'Cannot wait at Barrier "start": it was broken or reset while 2 parties gathered';
  await assertRejects(() => waiting, BrokenBarrierError, text);
  assertThrows(() => barrier.waitSync(), RuntimeError, 'Cannot wait at Barrier "start": it is');
});

// Actions

test("Barrier.action may be a subclass's own", async () => {
  const runs: string[] = [];
  class Own extends Barrier {
    override get action() {
      return () => runs.push("subclass");
    }
  }
  await new Own(1, { action: () => runs.push("option") }).wait();
  assertEquals(runs, ["subclass"]);
});

test("Barrier.action runs once a round, by the last party, before any goes on", async () => {
  const log: string[] = [];
  const barrier = new Barrier(3, { action: () => log.push("action") });
  for (let round = 0; round < 2; round++) {
    log.length = 0;
    const party = async (name: string) => {
      log.push(`${name} comes`);
      const index = await barrier.wait();
      log.push(`${name} goes`);
      return index;
    };
    assertEquals(await Promise.all(["a", "b", "c"].map(party)), [0, 1, 2]);
    assertEquals(log.slice(0, 4), ["a comes", "b comes", "c comes", "action"]);
    assertEquals(log.length, 7);
  }
  const first = barrier.wait();
  const second = barrier.wait();
  log.length = 0;
  assertEquals(barrier.waitSync(), 2);
  assertEquals([log, await first, await second], [["action"], 0, 1]);
});

test("Barrier.action may be async: all wait for it", async () => {
  const { barrier, state } = makeHeldUp();
  const waits = [barrier.wait(), barrier.wait()];
  assertEquals(await stateOf(Promise.race(waits)), "pending");
  assertEquals([state.runs, barrier.broken], [1, false]);
  state.letGoOn();
  assertEquals(await Promise.all(waits), [0, 1]);
  assertEquals([barrier.broken, waitersOf(barrier)], [false, 0]);
});

test("Barrier.action that throws fails the last party with its error, and breaks the barrier", async () => {
  const reason = new RangeError("of the action");
  const failing = [() => {
    throw reason;
  }, () => Promise.reject(reason)];
  for (const action of failing) {
    const barrier = new Barrier(3, { action });
    const others = [barrier.wait(), barrier.wait()].map(rejectionOf);
    assertStrictEquals(await rejectionOf(barrier.wait()), reason);
    for (const other of others) {
      const error = await other;
      assert(BrokenBarrierError.is(error));
      assertEquals(error.message, IN_VAIN);
    }
    barrier.action = () => {};
    await assertBroken(barrier);
  }
  const barrier = new Barrier(2, { action: failing[0] });
  const other = rejectionOf(barrier.wait());
  assertThrows(() => barrier.waitSync(), RangeError, "of the action");
  assert(BrokenBarrierError.is(await other));
  assertEquals(barrier.broken, true);
});

test("Barrier.waitSync() with an async action throws RuntimeError and breaks the barrier", async () => {
  const barrier = new Barrier(2, { action: () => Promise.resolve() });
  const other = rejectionOf(barrier.wait());
  assertThrows(
    () => barrier.waitSync(),
    RuntimeError,
    "Cannot wait at Barrier: its action is async, and the thread is blocked; await wait() instead",
  );
  assert(BrokenBarrierError.is(await other));
  await assertBroken(barrier);
});

test("Barrier.action can be replaced; removed, it fails the last party and breaks the barrier", async () => {
  let runs = 0;
  const barrier = new Barrier(2, { action: () => 1 });
  barrier.action = () => runs++;
  await Promise.all([barrier.wait(), barrier.wait()]);
  assertEquals(runs, 1);
  barrier.action = undefined;
  const other = rejectionOf(barrier.wait());
  await assertRejects(
    () => barrier.wait(),
    RuntimeError,
    "Cannot run the action of Barrier: it is not here; set barrier.action in each thread that waits",
  );
  assert(BrokenBarrierError.is(await other));
  barrier.action = () => runs++;
  await assertBroken(barrier);
});

test("Barrier.wait(): only waiting for the others is timed, not the action", async () => {
  const { barrier, state } = makeHeldUp();
  const first = barrier.wait({ timeout: SHORT_MS });
  const second = barrier.wait({ timeout: 0 });
  await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_MS));
  assertEquals([barrier.broken, state.runs], [false, 1]);
  state.letGoOn();
  assertEquals([await first, await second], [0, 1]);
});

test("Barrier.wait(): a signal that aborts during the action is too late", async () => {
  const { barrier, state } = makeHeldUp();
  const controller = new AbortController();
  const { signal } = controller;
  const waits = [barrier.wait({ signal }), barrier.wait({ signal })];
  await turns();
  controller.abort("enough");
  state.letGoOn();
  assertEquals(await Promise.all(waits), [0, 1]);
  assertEquals(barrier.broken, false);
});

test("Barrier.wait(): who comes during an action belongs to the next round, and its time counts from then", async () => {
  const { barrier, state } = makeHeldUp();
  const round = [barrier.wait(), barrier.wait()];
  const next = [barrier.wait({ timeout: 10_000 }), barrier.wait({ timeout: SHORT_MS })];
  await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_MS));
  assertEquals([state.runs, gateOf(barrier)], [1, 2]);
  assertEquals(await stateOf(Promise.race([...round, ...next])), "pending");
  state.letGoOn();
  assertEquals(await Promise.all(round), [0, 1]);
  await until(() => state.runs === 2);
  state.letGoOn();
  assertEquals(await Promise.all(next), [0, 1]);
  const last = [barrier.wait(), barrier.wait()];
  const late = rejectionOf(barrier.wait({ timeout: SHORT_MS }));
  await turns();
  state.letGoOn();
  assertEquals(await Promise.all(last), [0, 1]);
  assertEquals((await late as Error).message, TOO_LATE);
  assertEquals(barrier.broken, true);
});

test("Barrier.wait(): who comes during an action and is aborted takes no part in the next round", async () => {
  const { barrier, state } = makeHeldUp();
  const round = [barrier.wait(), barrier.wait()];
  const controller = new AbortController();
  const aborted = rejectionOf(barrier.wait({ signal: controller.signal }));
  controller.abort("enough");
  await turns();
  state.letGoOn();
  assertEquals(await Promise.all(round), [0, 1]);
  assertEquals(await aborted, "enough");
  assertEquals([barrier.broken, barrier.nWaiting, gateOf(barrier)], [false, 0, 0]);
});

test("Barrier.abort() during an action ends the round at once, for all", async () => {
  const { barrier, state } = makeHeldUp({}, 3);
  const others = [barrier.wait(), barrier.wait()].map(rejectionOf);
  const last = barrier.wait();
  const newcomer = rejectionOf(barrier.wait());
  await turns();
  barrier.abort();
  for (const other of others) assertEquals((await other as Error).message, IN_VAIN);
  assertEquals((await newcomer as Error).message, IS_BROKEN);
  assertEquals([await stateOf(last), barrier.broken], ["pending", true]);
  state.letGoOn();
  await assertRejects(() => last, BrokenBarrierError, IN_VAIN);
  assertEquals([barrier.broken, waitersOf(barrier), gateOf(barrier)], [true, 0, 0]);
  barrier.action = () => {};
  await assertBroken(barrier);
});

test("Barrier.reset() during an action ends the round, and lets newcomers into the next", async () => {
  const { barrier, state } = makeHeldUp({}, 3);
  const others = [barrier.wait(), barrier.wait()].map(rejectionOf);
  const last = rejectionOf(barrier.wait());
  const newcomers = [barrier.wait(), barrier.wait()];
  await turns();
  barrier.reset();
  for (const other of others) assertEquals((await other as Error).message, IN_VAIN);
  await queued(barrier, 2);
  assertEquals([barrier.broken, barrier.nWaiting], [false, 2]);
  const letOldGoOn = state.letGoOn;
  const third = barrier.wait();
  await turns();
  assertEquals(state.runs, 2);
  letOldGoOn(new RangeError("of the old action"));
  const error = await last;
  assert(error instanceof RangeError, `${error}`);
  state.letGoOn();
  assertEquals([...await Promise.all(newcomers), await third], [0, 1, 2]);
  assertEquals(barrier.broken, false);
});

// Handles

test("Barrier.from() gives a view of the same state, without the action", async () => {
  const barrier = new Barrier(2, { action: () => {}, name: "start" });
  for (const handle of [barrier.handle, await throughChannel(barrier.handle)]) {
    const view = Barrier.from(handle);
    assertEquals([view.parties, view.name, view.action], [2, "start", undefined]);
    const waiting = view.wait();
    assertEquals([barrier.nWaiting, view.nWaiting], [1, 1]);
    assertEquals([await barrier.wait(), await waiting], [1, 0]);
    view.abort();
    assertEquals(barrier.broken, true);
    barrier.reset();
    assertEquals(view.broken, false);
  }
});

test("Barrier.from() refuses what is no handle of a Barrier", () => {
  const barrier = new Barrier(2);
  const refused = (bad: unknown, text: string): void => {
    assertThrows(() => Barrier.from(bad as Handle), TypeError, `Cannot rebuild Barrier: ${text}`);
  };
  refused(null, 'expected a handle, got null; pass its "handle"');
  refused(undefined, "expected a handle, got undefined");
  refused({}, "expected a handle, got Object");
  refused(barrier, 'expected a handle, got the object itself; pass its "handle"');
  refused(new Lock().handle, 'expected a handle of kind "Barrier", got one of "Lock"');
  refused(jsonCopy(barrier.handle), "the handle holds no shared memory; was it copied as JSON?");
});

test("Barrier shows its kind in logs", () => {
  assertEquals(Object.prototype.toString.call(new Barrier(1)), "[object Barrier]");
});

// Threads

for (const meet of MEETINGS) {
  for (const elsewhere of ELSEWHERE) {
    test(`Barrier: ${meet.name} in ${elsewhere.names} and waits here meet, in order of arrival`, async () => {
      await using crew = elsewhere.crew(2);
      const barrier = new Barrier(3);
      for (let round = 0; round < 5; round++) {
        const remote = [crew.submit(meet, barrier)];
        await queued(barrier, 1);
        if (round % 2 === 0) {
          const here = barrier.wait();
          assertEquals(barrier.nWaiting, 2);
          remote.push(crew.submit(meet, barrier));
          assertEquals([await remote[0], await here, await remote[1]], [0, 1, 2]);
        } else {
          remote.push(crew.submit(meet, barrier));
          await queued(barrier, 2);
          assertEquals(barrier.waitSync(), 2);
          assertEquals([await remote[0], await remote[1]].sort(), [0, 1]);
        }
      }
      await assertSound(barrier);
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(`Barrier: ${meet.name} in ${elsewhere.name} whose time is up breaks it for the main thread`, async () => {
      await using crew = elsewhere.crew(1);
      const barrier = new Barrier(3);
      const waiting = rejectionOf(barrier.wait());
      const remote = crew.submit(meet, barrier, { timeout: SHORT_MS });
      await assertRejects(() => remote.result(), BrokenBarrierError, TOO_LATE);
      assertEquals((await waiting as Error).message, IN_VAIN);
      const late = crew.submit(meet, barrier);
      await assertRejects(() => late.result(), BrokenBarrierError, IS_BROKEN);
      await assertBroken(barrier);
    });
  }

  for (const elsewhere of ELSEWHERE) {
    test(`Barrier: ${meet.name} in ${elsewhere.name} hears of abort(), reset() and timeouts of the main thread`, async () => {
      await using crew = elsewhere.crew(1);
      const barrier = new Barrier(3);
      const ends = [
        () => barrier.abort(),
        () => barrier.reset(),
        () => barrier.wait({ timeout: 1 }).catch(() => {}),
      ];
      for (const end of ends) {
        const remote = crew.submit(meet, barrier);
        await queued(barrier);
        end();
        await assertRejects(() => remote.result(), BrokenBarrierError, IN_VAIN);
        barrier.reset();
        await assertSound(barrier);
      }
    });
  }
}

for (const elsewhere of ELSEWHERE) {
  test(`Barrier.waitSync() and wait() on the main thread hear of abort() and reset() by ${elsewhere.name}`, async () => {
    await using crew = elsewhere.crew(1);
    const barrier = new Barrier(3);
    for (const resets of [true, false]) {
      const moment = crew.whenWaiting(barrier, 2);
      const ending = crew.submit(tasks.endWhenWaiting, barrier, moment, resets);
      const other = rejectionOf(barrier.wait());
      assertThrows(() => barrier.waitSync(), BrokenBarrierError, IN_VAIN);
      assertEquals((await other as Error).message, IN_VAIN);
      await ending;
      assertEquals(barrier.broken, !resets);
    }
    await assertBroken(barrier);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Barrier: the main thread and two ${elsewhere.names} meet round after round, in both forms`, async () => {
    await using crew = elsewhere.crew(2);
    const count = elsewhere.rounds(60);
    for (const blocks of [true, false]) {
      const barrier = new Barrier(3);
      const rounds = elsewhere.cells(count);
      const remote = [1, 2].map((me) =>
        crew.submit(tasks.meetOften, barrier, rounds, me, me === 1)
      );
      const indices = [
        await tasks.meetOften(barrier, rounds, 0, blocks),
        ...await Promise.all(remote),
      ];
      for (let i = 0; i < count; i++) {
        assertEquals(indices.map((those) => those[i]).sort(), [0, 1, 2]);
      }
      await assertSound(barrier);
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Barrier: the action that is missing in ${elsewhere.name} fails it there, and breaks the barrier elsewhere`, async () => {
    await using crew = elsewhere.crew(1);
    for (const meet of MEETINGS) {
      const barrier = new Barrier(2, { action: () => {} });
      assertEquals(await crew.submit(tasks.describeBarrier, barrier), [2, 0, false, true]);
      const here = rejectionOf(barrier.wait());
      const remote = crew.submit(meet, barrier);
      await assertRejects(
        () => remote.result(),
        RuntimeError,
        "Cannot run the action of Barrier: it is not here",
      );
      assert(BrokenBarrierError.is(await here));
      await assertBroken(barrier);
      // The action is not missed where another party calls it.
      const first = crew.submit(meet, barrier);
      await queued(barrier);
      assertEquals([await barrier.wait(), await first], [1, 0]);
    }
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Barrier.action that is set in ${elsewhere.name} runs there when that one is last`, async () => {
    await using crew = elsewhere.crew(1);
    const [count] = elsewhere.cells(1);
    let runs = 0;
    const barrier = new Barrier(2, { action: () => runs++ });
    const waiting = barrier.wait();
    assertEquals(await crew.submit(tasks.meetWithAction, barrier, count), 1);
    assertEquals([await waiting, readCell(count), runs], [0, 1, 0]);
    const first = crew.submit(tasks.meetWithAction, barrier, count);
    await queued(barrier);
    assertEquals([barrier.waitSync(), await first, readCell(count), runs], [1, 0, 1, 1]);
  });
}

for (const elsewhere of ELSEWHERE) {
  test(`Barrier: a running action in ${elsewhere.name} holds up the main thread, in both forms`, async () => {
    await using crew = elsewhere.crew(1);
    using gate = elsewhere.gate();
    const barrier = new Barrier(2, { action: () => {} });
    const first = barrier.wait();
    const acting = crew.submit(tasks.meetActingAtGate, barrier, gate.pass);
    await gate.entered();
    const newcomer = barrier.wait();
    assertEquals(gateOf(barrier), 1);
    assertEquals(await stateOf(Promise.race([first, newcomer])), "pending");
    gate.open();
    assertEquals([await first, await acting], [0, 1]);
    await queued(barrier);
    assertEquals([barrier.waitSync(), await newcomer], [1, 0]);
    assertEquals(barrier.broken, false);
  });
}
