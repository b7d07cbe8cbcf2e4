/** The package in Chromium, as plain modules that a server sends. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ISOLATION, type PageServer, servePages } from "../../tools/page_server.ts";
import { ROOT } from "../_support/scratch.ts";
import { browserTest, openPage, type TestPage, useChromium, within } from "./_chromium.ts";

const PAGE = "tests/browser/page/index.html";

let isolated: PageServer;
let bare: PageServer;
/** Another host, which lets pages of all other hosts load its modules. */
let elsewhere: PageServer;
/**
 * The page of each server. Loading the package takes longer than a check, so all checks of one kind
 * share a page.
 */
const pages = new Map<PageServer, TestPage>();

useChromium(() => {
  isolated = servePages({ root: ROOT, headers: ISOLATION });
  bare = servePages({ root: ROOT, headers: {} });
  elsewhere = servePages({ root: ROOT, headers: { "access-control-allow-origin": "*" } });
}, async () => {
  await Promise.all([isolated.close(), bare.close(), elsewhere.close()]);
});

/** Runs a check in a page, and returns its result. */
async function run(server: PageServer, file: string, name: string): Promise<unknown> {
  let opened = pages.get(server);
  if (opened === undefined) {
    pages.set(server, opened = await openPage(server.url + PAGE, { isShared: true }));
  }
  const result = await within(
    opened.page.evaluate(async ([file, name]) => {
      const checks = await import(`/tests/browser/page/${file}`);
      return await checks[name]();
    }, [file, name]),
    `check "${name}"`,
  );
  assertEquals(opened.errors.splice(0), []);
  return result;
}

type Checks = typeof import("./page/checks.ts");
type BareChecks = typeof import("./page/bare.ts");

async function check<K extends keyof Checks>(name: K): Promise<Awaited<ReturnType<Checks[K]>>> {
  return await run(isolated, "checks.ts", name) as Awaited<ReturnType<Checks[K]>>;
}

async function bareCheck<K extends keyof BareChecks>(
  name: K,
): Promise<Awaited<ReturnType<BareChecks[K]>>> {
  return await run(bare, "bare.ts", name) as Awaited<ReturnType<BareChecks[K]>>;
}

browserTest("In Chromium, ThreadPoolExecutor runs functions from their source text", async () => {
  const { product, later, squares, names, captured } = await check("inlineFunctions");
  assertEquals(product, 42);
  assertEquals(later, "later");
  assertEquals(squares, Array.from({ length: 100 }, (_, n) => n * n));
  assertEquals(names.map((name) => name.replace(/.*_/, "")), ["0", "1"]);
  assertStringIncludes(captured, 'uses "messageOf" from around it');
});

browserTest("In Chromium, ThreadPoolExecutor runs tasks of modules", async () => {
  assertEquals(await check("moduleTasks"), {
    seen: [1, 9, 12],
    reference: 6,
    notDone: 0,
    mapped: [4, 3],
  });
});

browserTest("In Chromium, errors arrive whole", async () => {
  const { mapped, elsewhere, ...rest } = await check("errors");
  assertEquals(rest, { isRangeError: true, message: "too far", cause: "a cause" });
  assertMatch(mapped, /^NotShareableError: Cannot load task "one".*; workers have no import map: /);
  assertMatch(
    elsewhere,
    /^NotShareableError: Cannot load task "one".*; if it is on another host, /,
  );
});

browserTest("In Chromium, large, shared and transferred values arrive, in order", async () => {
  assertEquals(await check("largeValues"), {
    sum: (2 ** 20 - 1) * 2 ** 19,
    length: 2 ** 20,
    text: "ä😀".repeat(1000),
    shared: 5,
    blob: "in a blob",
    image: [4 * 16 ** 2, 4 * 100 ** 2],
    order: [1, "2", 3],
    port: "by port",
  });
});

browserTest("In Chromium, a value that a worker cannot have fails its task or thread", async () => {
  const { task, next, thread } = await check("objectsOfPages");
  for (const error of [task, thread]) {
    assertMatch(error, /^NotShareableError: Cannot receive value: .*this kind of thread cannot/);
  }
  assertEquals(next, 2);
});

browserTest("In Chromium, events are refused, and images of frames arrive as such", async () => {
  const { events, ...rest } = await check("nativeObjects");
  assertMatch(events[0], /^NotShareableError: .*: CustomEvent at \[0\]\.deep cannot be cloned$/);
  assertMatch(events[1], /^NotShareableError: .*: MessageEvent at \[0\]\.deep cannot be cloned$/);
  assertEquals(rest, { image: [true, 2, 3], extended: { count: 1 } });
});

browserTest("In Chromium, a lock excludes workers that block and a page that awaits", async () => {
  assertEquals(await check("locks"), { count: 4200, name: "made in a worker", locked: true });
});

browserTest(
  "In Chromium, events, barriers, semaphores and conditions work between threads",
  async () => {
    assertEquals(await check("otherSyncObjects"), {
      event: true,
      arrivals: [0, 1, 2],
      total: 200,
      condition: true,
    });
  },
);

browserTest("In Chromium, queues carry each item once between workers and the page", async () => {
  assertEquals(await check("queues"), { count: 100, sum: 338350 });
});

browserTest("In Chromium, tasks are cancelled, told to stop, and given up", async () => {
  const { told, ...rest } = await check("cancelled");
  assertStringIncludes(told, "enough");
  assertEquals(rest, {
    wasCancelled: true,
    cancelled: true,
    timedOut: true,
    after: 2,
    isAbandoned: true,
  });
});

browserTest("In Chromium, a thread that is given up leaves no latch taken", async () => {
  assertEquals(await check("stoppedInside"), 8);
});

browserTest(
  "In Chromium, a lost worker breaks the pool or is replaced, however it was lost",
  async () => {
    const { broken, refused, ways, after } = await check("lostWorkers");
    assert(broken);
    assertStringIncludes(refused, "called close()");
    assertEquals(ways.map((way) => way.replace(/.*was lost: /, "")), [
      "it called close()",
      "it threw an error that nobody caught",
      "it had a promise rejected that nobody handled",
      "its thread ended without a word",
    ]);
    assertEquals(after, 2);
  },
);

browserTest(
  "In Chromium, an idle pool ends its workers in time, or keeps them at hand",
  async () => {
    assertEquals(await check("idlePool"), { again: 3, later: 3, workers: 1 });
  },
);

browserTest("In Chromium, the blocking forms work in workers, or say why they cannot", async () => {
  const { ownPool, reentrant, madeThere, join } = await check("blockingInWorkers");
  assertEquals(ownPool, 11);
  assertEquals(reentrant, 5);
  assertMatch(
    madeThere.early,
    /^Cannot block: no worker of .* runs yet, .* await an outcome first$/,
  );
  assertEquals(madeThere.inTime, "12");
  assertMatch(
    madeThere.late,
    /^Cannot block: an outcome has come by a message, .* await the future$/,
  );
  assertEquals(madeThere.text, "text");
  assertMatch(join, /^Cannot join thread: it does not run yet, .* await its started first$/);
});

browserTest(
  "In Chromium, the blocking forms throw on the main thread, unless they need not wait",
  async () => {
    const { refused, polls, result } = await check("blockingOnMain");
    for (const [form, error] of Object.entries(refused)) {
      assertMatch(
        error,
        /^RuntimeError: Cannot .*this thread must not (wait|block); (a|A)wait/i,
        form,
      );
    }
    assertEquals(polls, { acquired: true, again: false, event: false });
    assertEquals(result, 2);
  },
);

browserTest(
  "In Chromium, threads and timers run, start others, and tell their errors",
  async () => {
    assertEquals(await check("threads"), {
      numbers: [3, 2, 1],
      words: ["inner", "outer", "rang"],
      caught: ["RangeError: in a thread"],
      isAlive: false,
    });
  },
);

browserTest(
  "In Chromium, a run of an RLock is not entered again, and contexts last until an await",
  async () => {
    const { nested, lateContext, ...rest } = await check("asyncContexts");
    assertMatch(
      nested,
      /^RuntimeError: Cannot acquire RLock: it is held by a run\(\) around this code/,
    );
    assertMatch(lateContext, /^RuntimeError: Cannot read task context: .*before its first await$/);
    assertEquals(rest, { notified: [true, false], isFree: true, ids: [0, 1], inChunks: [1, 2, 3] });
  },
);

browserTest("In Chromium, pools of processes and processes refuse to be made", async () => {
  assertEquals(await check("processes"), {
    pool:
      "RuntimeError: Cannot make ProcessPoolExecutor: a browser or a compiled program cannot start processes; use threads",
    process:
      "RuntimeError: Cannot make Process: a browser or a compiled program cannot start processes; use threads",
  });
});

browserTest("In Chromium, the package may come from another host than the page", async () => {
  const opened = await openPage(isolated.url + PAGE);
  const { page, errors } = opened;
  const answers = page.evaluate(async (module) => {
    const { Lock, ThreadPoolExecutor } = await import(module) as typeof import("../../mod.ts");
    const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    const answers = [
      await pool.submit((n: number) => n * 2, 21),
      await pool.submit((lock: InstanceType<typeof Lock>) => lock.locked(), new Lock()),
    ];
    await pool.shutdown();
    return answers;
  }, `${elsewhere.url}mod.ts`);
  assertEquals(await within(answers, "the package of another host"), [42, false]);
  assertEquals(errors, []);
});

browserTest("In Chromium, a service worker is told that there are no workers", async () => {
  const { page } = await openPage(isolated.url + PAGE);
  const answer = page.evaluate(async (file) => {
    const { serviceWorker } = navigator;
    await serviceWorker.register(file, { type: "module" });
    const { active } = await serviceWorker.ready;
    return await new Promise((resolve) => {
      serviceWorker.onmessage = ({ data }) => resolve(data);
      serviceWorker.startMessages();
      active!.postMessage("go");
    });
  }, "service_worker.ts");
  const [sum, error] = await within(answer, "the service worker") as [number, string];
  assertEquals(sum, 3);
  assertStringIncludes(error, "Cannot start worker: there are none in this kind of thread");
});

browserTest(
  "In Chromium, a page that must not have the workers is told what it needs",
  async () => {
    const headers = { ...ISOLATION, "content-security-policy": "script-src 'self'" };
    const server = servePages({ root: ROOT, headers });
    try {
      const { page } = await openPage(server.url + PAGE);
      const told = page.evaluate(async (module) => {
        const { ThreadPoolExecutor } = await import(module) as typeof import("../../mod.ts");
        const error = await new ThreadPoolExecutor({ maxWorkers: 1 }).submit(() => {}).exception();
        return (error as Error).message;
      }, `${server.url}mod.ts`);
      assertStringIncludes(await within(told, "the page"), "it needs worker-src blob:");
    } finally {
      await server.close();
    }
  },
);

browserTest(
  "In Chromium, a Content-Security-Policy with worker-src blob: is enough for marked tasks",
  async () => {
    const policy = "script-src 'self'; worker-src blob:";
    const server = servePages({
      root: ROOT,
      headers: { ...ISOLATION, "content-security-policy": policy },
    });
    try {
      const { page, errors } = await openPage(server.url + PAGE);
      const answer = page.evaluate(async ([module, tasks]) => {
        const { ThreadPoolExecutor } = await import(module) as typeof import("../../mod.ts");
        const { gcd } = await import(tasks) as typeof import("./page/tasks.ts");
        const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
        const answer = await pool.submit(gcd, 12, 18);
        await pool.shutdown();
        return answer;
      }, [`${server.url}mod.ts`, `${server.url}tests/browser/page/tasks.ts`]);
      assertEquals(await within(answer, "the page"), 6);
      assertEquals(errors, []);
    } finally {
      await server.close();
    }
  },
);

browserTest(
  "In Chromium without isolation, whatever needs shared memory names both headers",
  async () => {
    const { isIsolated, errors } = await bareCheck("withoutSharedMemory");
    assertEquals(isIsolated, false);
    for (const [name, error] of Object.entries(errors)) {
      assertMatch(error, /^Cannot share memory between threads: this page is not isolated/, name);
      for (const [header, value] of Object.entries(ISOLATION)) {
        assertStringIncludes(error.toLowerCase(), `${header}: ${value}`, name);
      }
    }
  },
);

browserTest("In Chromium without isolation, AsyncExecutor works", async () => {
  assertEquals(await bareCheck("asyncExecutor"), {
    sum: 3,
    squares: [1, 4, 9],
    error: "thrown",
  });
});
