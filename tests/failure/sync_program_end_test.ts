/**
 * How programs end that wait for locks and their kin: not before the wait is over, and at once when
 * there is none.
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { assertEndedWell, PROMPT_MS, SHORT_MS } from "./_support.ts";
import { syncProgram } from "./_sync_support.ts";

/**
 * How long the other thread keeps a program waiting: long enough for a program to end that nothing
 * keeps running.
 */
const WAIT_MS = 300;

/**
 * How long a program sleeps while its processor time is measured, and how much of that it may use.
 */
const QUIET_MS = 2000;
const MOST_CPU_MS = 50;

/** Runs the body of a program, and asserts that it ends by itself with the given lines. */
async function assertPrints(body: string, lines: string[], leastMs = 0): Promise<void> {
  const ended = await runProgram(syncProgram(body));
  assertEndedWell(ended, lines);
  const { elapsedMs } = ended;
  assert(elapsedMs < SHORT_MS && elapsedMs >= leastMs, `It took ${Math.round(elapsedMs)} ms`);
}

/**
 * For each kind of object: how a program waits for it asynchronously, with `options` if there are
 * any.
 */
const WAITS: Record<string, { make: string; wait: (options: string) => string; owned?: boolean }> =
  {
    Lock: {
      make: "new Lock()",
      wait: (options) => `await object.acquire(${options})`,
      owned: true,
    },
    RLock: {
      make: "new RLock()",
      wait: (options) => `await object.acquire(${options})`,
      owned: true,
    },
    Semaphore: {
      make: "new Semaphore(0)",
      wait: (options) => `await object.acquire(${options})`,
    },
    BoundedSemaphore: {
      make:
        "(() => { const made = new futures.BoundedSemaphore(1); made.acquireSync(); return made; })()",
      wait: (options) => `await object.acquire(${options})`,
    },
    Event: {
      make: "new Event()",
      wait: (options) => `await object.wait(${options})`,
    },
    Condition: {
      make: "new Condition()",
      wait: (options) => `await object.run(() => object.wait(${options}))`,
    },
    Barrier: {
      make: "new Barrier(2)",
      wait: (options) => `await object.wait(${options})`,
    },
  };

for (const [kind, { make, wait, owned }] of Object.entries(WAITS)) {
  // The thread that ends the wait is a worker of an idle pool, which keeps nothing running.
  test(`A program that waits for a ${kind} as a promise ends when another thread has let it go on`, async () => {
    await assertPrints(
      `
      const object = ${make};
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      ${owned ? "await pool.submit(sync.own, [object]);" : ""}
      const startMs = performance.now();
      await pool.submit(sync.serveLater, [object], ${WAIT_MS});
      const result = ${wait("")};
      console.log(result === 0 ? true : result, performance.now() - startMs > ${WAIT_MS - 10});
    `,
      ["true true"],
    );
  });

  test(`A program that waits for a ${kind} and does not look at the promise does so too`, async () => {
    await assertPrints(
      `
      const object = ${make};
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      ${owned ? "await pool.submit(sync.own, [object]);" : ""}
      await pool.submit(sync.serveLater, [object], ${WAIT_MS});
      (async () => {
        ${wait("")};
        console.log("went on");
      })();
      console.log("end of main");
    `,
      ["end of main", "went on"],
    );
  });

  test(`A program that waits for a ${kind} with a timeout ends when time is up`, async () => {
    const broken = kind === "Barrier";
    await assertPrints(
      `
      const object = ${make};
      ${owned ? "object.acquireSync(); // Held here for good." : ""}
      const startMs = performance.now();
      try {
        console.log(${wait(`{ timeout: ${WAIT_MS} }`)});
      } catch (error) {
        console.log(error.name);
      }
      const elapsedMs = performance.now() - startMs;
      console.log(elapsedMs > ${WAIT_MS - 10} && elapsedMs < ${WAIT_MS + PROMPT_MS});
    `,
      [broken ? "BrokenBarrierError" : "false", "true"],
      WAIT_MS,
    );
  });

  test(`A program that waits for a ${kind} ends when the signal aborts`, async () => {
    await assertPrints(
      `
      const object = ${make};
      ${owned ? "object.acquireSync();" : ""}
      const controller = new AbortController();
      const waiting = (async () => {
        try {
          ${wait("{ signal: controller.signal }")};
        } catch (error) {
          console.log(error.message);
        }
      })();
      while (waitersOf(object) === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      controller.abort(new RangeError("enough"));
      await waiting;
      console.log(waitersOf(object));
    `,
      ["enough", "0"],
    );
  });
}

test("A program that waits for a Lock is held by nothing else than its wait", async () => {
  await assertPrints(
    `
    const lock = new Lock();
    lock.acquireSync();
    Deno.unrefTimer(setTimeout(() => lock.release(), ${WAIT_MS}));
    console.log(await lock.acquire());
  `,
    ["true"],
    WAIT_MS,
  );
});

test("A program ends at once with objects for which nobody waits, held or not", async () => {
  await assertPrints(
    `
    const [free, held, awaited] = [new Lock(), new Lock(), new Lock()];
    const [rlock, condition] = [new RLock(), new Condition()];
    const [semaphore, empty] = [new Semaphore(3), new Semaphore(0)];
    const [event, barrier, value] = [new Event(), new Barrier(2), new Value("f64")];
    held.acquireSync();
    await awaited.acquire();
    await rlock.acquire();
    condition.acquireSync();
    value.getLock().acquireSync();
    semaphore.acquireSync();
    console.log(await empty.acquire({ timeout: 1 }), await event.wait({ timeout: 1 }));
    const next = awaited.acquire();
    awaited.release();
    console.log(await next, free.locked());
  `,
    ["false false", "true false"],
  );
});

test("A program ends at once with held objects and an idle pool that knows them", async () => {
  await assertPrints(
    `
    const [here, there] = [new Lock(), new Lock()];
    const event = new Event();
    const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
    here.acquireSync();
    await pool.submit(sync.own, [there]);
    await Promise.all([pool.submit(sync.set, event), event.wait()]);
    console.log(here.locked(), there.locked(), event.isSet());
  `,
    ["true true true"],
  );
});

test("A program ends although an async task in an idle worker waits for ever", async () => {
  await assertPrints(
    `
    const lock = new Lock();
    lock.acquireSync();
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    await pool.submit((lock) => { lock.acquire(); }, lock);
    console.log(waitersOf(lock));
  `,
    ["1"],
  );
});

const BLOCKED = `
  const lock = new Lock();
  lock.acquireSync();
  const condition = new Condition();
  const objects = [lock, new Semaphore(0), new Event(), new Barrier(2), condition];
  const pool = new ThreadPoolExecutor({ maxWorkers: objects.length });
  const words = gate();
  const controller = new AbortController();
  for (const object of objects) {
    pool.with({ signal: controller.signal }).submit(sync.block, object, words);
  }
  while (!objects.every((object) => waitersOf(object) > 0)) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
`;

test("Deno.exit() ends a program at once whose workers are blocked", async () => {
  const { code, stdout, stderr, timedOut, elapsedMs } = await runProgram(syncProgram(`
    ${BLOCKED}
    console.log("blocked");
    Deno.exit(7);
  `));
  assertEquals({ code, stdout, stderr, timedOut }, {
    code: 7,
    stdout: "blocked\n",
    stderr: "",
    timedOut: false,
  });
  assert(elapsedMs < SHORT_MS);
});

test("A program ends by itself when its blocked workers were given up", async () => {
  await assertPrints(
    `
    ${BLOCKED}
    controller.abort();
    await pool.shutdown();
    console.log(pool.stats().abandoned, pool.stats().workers);
  `,
    ["5 0"],
  );
});

test("A program ends by itself when its blocked workers were given up and nobody shut the pool down", async () => {
  await assertPrints(
    `
    ${BLOCKED}
    controller.abort();
    console.log("given up");
  `,
    ["given up"],
  );
});

test("A program ends whose main throws while its workers are blocked", async () => {
  const { code, stderr, timedOut, elapsedMs } = await runProgram(syncProgram(`
    ${BLOCKED}
    throw new RangeError("main failed");
  `));
  assertEquals([code, timedOut], [1, false]);
  assert(stderr.includes("RangeError: main failed"));
  assert(elapsedMs < SHORT_MS);
});

test("A program ends whose main is blocked when a worker sets what it waits for", async () => {
  await assertPrints(
    `
    const event = new Event();
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    pool.submit(sync.set, event);
    console.log(event.waitSync());
  `,
    ["true"],
  );
});

// No thread polls

/**
 * Processor time of the whole process, in milliseconds; the kernel counts in hundredths of a
 * second.
 */
const CPU = `
  const cpuMs = () => {
    const [, rest] = Deno.readTextFileSync("/proc/self/stat").split(") ");
    const fields = rest.split(" ");
    return 10 * (Number(fields[11]) + Number(fields[12]));
  };
`;

const QUIET: Record<string, string> = {
  "a promise on the main thread": `
    await Promise.all([
      lock.acquire(limit),
      semaphore.acquire(limit),
      event.wait(limit),
      condition.run(() => condition.wait(limit)),
    ]);
  `,
  "a blocked main thread": `event.waitSync(limit);`,
  "blocked workers, and a promise on the main thread": `
    await Promise.all([
      pool.submit((lock, limit) => lock.acquireSync(limit), lock, limit),
      pool.submit((event, limit) => event.waitSync(limit), event, limit),
      semaphore.acquire(limit),
    ]);
  `,
  "workers that await, and a blocked main thread": `
    const futures = [
      pool.submit((lock, limit) => lock.acquire(limit), lock, limit),
      pool.submit((event, limit) => event.wait(limit), event, limit),
    ];
    semaphore.acquireSync(limit);
    await Promise.all(futures);
  `,
};

for (const [who, waits] of Object.entries(QUIET)) {
  test(`Waiting uses no processor: ${who}`, { ignore: Deno.build.os !== "linux" }, async () => {
    const ended = await runProgram(syncProgram(`
      ${CPU}
      const lock = new Lock();
      lock.acquireSync();
      const [semaphore, event, condition] = [new Semaphore(0), new Event(), new Condition()];
      const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
      const measured = async (limit) => {
        const beforeMs = cpuMs();
        ${waits}
        return cpuMs() - beforeMs;
      };
      // Threads are started, and code is loaded and compiled, in whichever of them gets it.
      for (let i = 0; i < 5; i++) await measured({ timeout: 50 });
      // What they leave behind may still be compiled or collected: that ends, and what polls does not.
      const used = [];
      do used.push(await measured({ timeout: ${QUIET_MS} }));
      while (used.at(-1) >= ${MOST_CPU_MS} && used.length < 4);
      console.log(used.at(-1) < ${MOST_CPU_MS} ? "quiet" : "used " + used.join(", ") + " ms");
    `));
    assertEndedWell(ended, ["quiet"]);
  });
}
