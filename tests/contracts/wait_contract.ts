import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  ALL_COMPLETED,
  asCompleted,
  AsyncExecutor,
  type CompletedFutures,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type Future,
  TimeoutError,
  wait,
} from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { Gate } from "./signals.ts";
import { type Suite, turn } from "./suite.ts";
import * as tasks from "./tasks.ts";

/**
 * Yields functions that return the futures: TypeScript takes the variable of `for await` to be what
 * the future resolves to.
 */
async function* itself<T>(completed: CompletedFutures<T>): AsyncGenerator<() => Future<T>> {
  const iterator = completed[Symbol.asyncIterator]();
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    const future = next.value;
    yield () => future;
  }
}

export function waitContract({ name, make }: Suite): void {
  test(`${name}: wait() waits for all futures, failed and cancelled ones included`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const failed = executor.submit(tasks.failAtGate, gate.parts);
    const cancelled = executor.submit(tasks.pass, gate.parts, 3);
    await gate.entered();
    cancelled.cancel();
    const waiting = wait([held, failed, cancelled], { returnWhen: ALL_COMPLETED });
    gate.open();
    const { done, notDone } = await waiting;
    assertEquals([...done], [held, failed, cancelled]);
    assertEquals(notDone.size, 0);
  });

  test(`${name}: wait() gives a pair of sets that can be taken apart`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 2);
    const result = await wait([future]);
    const [done, notDone] = result;
    assertStrictEquals(done, result.done);
    assertStrictEquals(notDone, result.notDone);
  });

  test(`${name}: wait() takes duplicates, generators and nothing`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 2);
    const generate = function* (): Generator<Future<number>> {
      yield future;
      yield future;
    };
    assertEquals((await wait(generate())).done.size, 1);
    assertEquals((await wait([future, future])).done.size, 1);
    for (const returnWhen of [ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION] as const) {
      const { done, notDone } = await wait([], { returnWhen });
      assertEquals([done.size, notDone.size], [0, 0]);
    }
  });

  test(`${name}: wait(FIRST_COMPLETED) returns once one is done, whatever its outcome`, async () => {
    await using executor = make({ maxWorkers: 2 });
    using gate = new Gate();
    using other = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const failing = executor.submit(tasks.failAtGate, other.parts);
    const waiting = wait([held, failing], { returnWhen: FIRST_COMPLETED });
    other.open();
    const { done, notDone } = await waiting;
    assertEquals([[...done], [...notDone]], [[failing], [held]]);
    // A future that is done already is enough.
    const again = await wait([held, failing], { returnWhen: FIRST_COMPLETED });
    assertEquals([[...again.done], [...again.notDone]], [[failing], [held]]);
  });

  test(`${name}: wait(FIRST_EXCEPTION) returns once one has failed`, async () => {
    await using executor = make({ maxWorkers: 2 });
    using gate = new Gate();
    using other = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const finished = executor.submit(tasks.square, 2);
    await finished;
    const failing = executor.submit(tasks.failAtGate, other.parts);
    const waiting = wait([held, finished, failing], { returnWhen: FIRST_EXCEPTION });
    other.open();
    const { done, notDone } = await waiting;
    assertEquals([[...done], [...notDone]], [[finished, failing], [held]]);
    const again = await wait([held, failing], { returnWhen: FIRST_EXCEPTION });
    assertEquals([[...again.done], [...again.notDone]], [[failing], [held]]);
  });

  test(`${name}: wait(FIRST_EXCEPTION) waits for all when none fails; a cancelled one is no failure`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    await gate.entered();
    let isOver = false;
    const waiting = wait([held, queued], { returnWhen: FIRST_EXCEPTION });
    waiting.then(() => isOver = true);
    queued.cancel();
    await turn();
    assertEquals(isOver, false);
    gate.open();
    assertEquals((await waiting).done.size, 2);
  });

  test(`${name}: wait() counts a cancelled future as done at once`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 2);
    await gate.entered();
    const waiting = wait([held, queued], { returnWhen: FIRST_COMPLETED });
    queued.cancel();
    assertEquals([...(await waiting).done], [queued]);
  });

  test(`${name}: wait() gives a snapshot when its time is up, and cancels nothing`, async () => {
    await using executor = make({ maxWorkers: 2 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const finished = executor.submit(tasks.square, 2);
    await finished;
    for (const timeout of [0, 20]) {
      const { done, notDone } = await wait([held, finished], { timeout });
      assertEquals([[...done], [...notDone]], [[finished], [held]]);
    }
    const waiting = wait([held, finished], { timeout: null });
    gate.open();
    assertEquals((await waiting).notDone.size, 0);
    assertEquals(await held, 1);
  });

  test(`${name}: wait() refuses bad timeouts and an unknown returnWhen`, async () => {
    await using executor = make({ maxWorkers: 1 });
    const future = executor.submit(tasks.square, 2);
    await assertRejects(() => wait([future], { timeout: -1 }), RangeError);
    await assertRejects(() => wait([future], { timeout: NaN }), RangeError);
    await assertRejects(
      () => wait([future], { returnWhen: "ANY" as never }),
      RangeError,
      'unknown returnWhen "ANY"',
    );
    assertEquals(await future, 4);
  });

  test(`${name}: a signal ends wait()`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = wait([held], { signal }).catch((error) => error);
    const reason = new Error("enough");
    controller.abort(reason);
    assertStrictEquals(await waiting, reason);
    assertStrictEquals(await wait([held], { signal }).catch((error) => error), reason);
    gate.open();
    assertEquals(await held, 1);
  });

  test(`${name}: wait() and asCompleted() mix futures of several executors`, async () => {
    await using executor = make({ maxWorkers: 1 });
    await using other = new AsyncExecutor({ maxWorkers: 1 });
    const futures = [executor.submit(tasks.square, 2), other.submit(tasks.square, 3)];
    assertEquals((await wait(futures)).done, new Set(futures));
    const seen = new Set<number>();
    const more = [executor.submit(tasks.square, 4), other.submit(tasks.square, 5)];
    for await (const future of asCompleted(more)) seen.add(await future);
    assertEquals(seen, new Set([16, 25]));
  });

  test(`${name}: asCompleted() gives done futures first, then each as it is done`, async () => {
    await using executor = make({ maxWorkers: 2 });
    using first = new Gate();
    using second = new Gate();
    const a = executor.submit(tasks.pass, first.parts, "a");
    const b = executor.submit(tasks.pass, second.parts, "b");
    await second.entered();
    const done = new AsyncExecutor().submit(tasks.echo, "done");
    await done;
    const seen: Future<unknown>[] = [];
    for await (const future of itself(asCompleted<Future<unknown>>([a, b, done]))) {
      seen.push(future());
      if (future() === done) second.open();
      if (future() === b) first.open();
    }
    assertEquals(seen.map((future) => [done, b, a].indexOf(future as Future<string>)), [0, 1, 2]);
  });

  test(`${name}: asCompleted() gives each future once, failed and cancelled ones too`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const failed = executor.submit(tasks.fail, "failed");
    const cancelled = executor.submit(tasks.square, 2);
    await gate.entered();
    const completed = asCompleted<Future<number>>([held, failed, cancelled, held, failed]);
    cancelled.cancel();
    gate.open();
    const seen: Future<number>[] = [];
    for await (const future of itself(completed)) seen.push(future());
    assertEquals(seen.length, 3);
    assertEquals(new Set(seen), new Set<Future<number>>([held, failed, cancelled]));
    assertStrictEquals(seen[0], cancelled);
    for await (const future of itself(asCompleted<Future<number>>([]))) seen.push(future());
    assertEquals(seen.length, 3);
  });

  test(`${name}: asCompleted() throws when time is up, is over then, and leaves the futures alone`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const done = executor.submit(tasks.square, 2);
    await done;
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const queued = executor.submit(tasks.square, 3);
    for (const timeout of [0, 20]) {
      const iterator = asCompleted([done, held, queued], { timeout })[Symbol.asyncIterator]();
      assertStrictEquals((await iterator.next()).value, done);
      await assertRejects(
        async () => void await iterator.next(),
        TimeoutError,
        "2 (of 3) futures unfinished",
      );
      assertEquals((await iterator.next()).done, true);
    }
    gate.open();
    assertEquals([await held, await queued], [1, 9]);
  });

  test(`${name}: asCompleted() refuses bad timeouts at the call, where its clock starts`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    assertThrows(() => asCompleted([held], { timeout: -1 }), RangeError);
    assertThrows(() => asCompleted([held], { timeout: NaN }), RangeError);
    const timeout = 200;
    const iterator = asCompleted([held], { timeout })[Symbol.asyncIterator]();
    await new Promise((resolve) => setTimeout(resolve, timeout + 10));
    const late = assertRejects(async () => void await iterator.next(), TimeoutError);
    const waited = new Promise((resolve) => setTimeout(resolve, timeout / 2, "it waited"));
    assertInstanceOf(await Promise.race([late, waited]), TimeoutError);
    await waited;
  });

  test(`${name}: leaving asCompleted() early leaves the futures alone`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const done = executor.submit(tasks.square, 2);
    await done;
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const completed = asCompleted([done, held]);
    let seen = 0;
    for await (const _ of completed) {
      seen++;
      break;
    }
    for await (const _ of completed) seen++;
    assertEquals(seen, 1);
    gate.open();
    assertEquals(await held, 1);
  });

  test(`${name}: a signal ends asCompleted()`, async () => {
    await using executor = make({ maxWorkers: 1 });
    using gate = new Gate();
    const held = executor.submit(tasks.pass, gate.parts, 1);
    const controller = new AbortController();
    const iterator = asCompleted([held], { signal: controller.signal })[Symbol.asyncIterator]();
    const next = iterator.next().catch((error) => error);
    const reason = new Error("enough");
    controller.abort(reason);
    assertStrictEquals(await next, reason);
    assertEquals((await iterator.next()).done, true);
    gate.open();
    assertEquals(await held, 1);
  });
}
