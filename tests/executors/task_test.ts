import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  AsyncExecutor,
  NotShareableError,
  ProcessPoolExecutor,
  task,
  tasks,
  ThreadPoolExecutor,
  transfer,
} from "../../executors/mod.ts";
import { test } from "../_support/leaks.ts";
import { runProgram } from "../_support/run.ts";
import { outcomesOf } from "../contracts/suite.ts";
import { square } from "../contracts/tasks.ts";
import {
  alike,
  fill,
  fillAndKeep,
  lengthOfKept,
  makeHidden,
  makeNamesake,
  makePort,
  part,
  renamed,
  sum,
  unmarked,
  unnamed,
  unsendableIfOdd,
} from "./fixtures/helpers.ts";

const WORK = import.meta.resolve("./fixtures/work.ts");
const work = tasks<typeof import("./fixtures/work.ts")>(WORK);

function makePool(): ThreadPoolExecutor {
  return new ThreadPoolExecutor({ maxWorkers: 1 });
}

function makeProcesses(): ProcessPoolExecutor {
  return new ProcessPoolExecutor({ maxWorkers: 1 });
}

// task

test("task() returns the same function, callable in place", () => {
  const fn = (n: number): number => n + 1;
  assertStrictEquals(task(import.meta, fn), fn);
  assertEquals(fn(1), 2);
  assertEquals(square(7), 49);
});

test("task() takes a name, and does without one", async () => {
  await using pool = makePool();
  assertEquals(await pool.submit(renamed, 1), 2);
  const [first, second] = unnamed;
  assertEquals(await pool.submit(second, 1), 21);
  assertEquals(await pool.submit(first, 1), 11);
});

test("task() tells functions of one name apart, of which the module exports none", async () => {
  await using pool = makePool();
  const [, , first, second] = unnamed;
  assertEquals(await pool.submit(second, 1), 41);
  assertEquals(await pool.submit(first, 1), 31);
});

for (const [kind, make] of [["threads", makePool], ["processes", makeProcesses]] as const) {
  test(`task() tells functions of one text apart by the order in which they are marked: ${kind}`, async () => {
    await using pool = make();
    assertEquals(await pool.submit(alike.remove, "a"), "removed a");
    assertEquals(await pool.submit(alike.thumb, "a"), "thumb of a");
    assertEquals(await pool.map(alike.remove, ["b", "c"]).toArray(), ["removed b", "removed c"]);
    const [two, three] = alike.bound;
    assertEquals(await pool.submit(three, 1), 3);
    assertEquals(await pool.submit(two, 1), 2);
  });
}

test("task() of a function that only has the name of one that its module exports fails the future", async () => {
  await using pool = makePool();
  const text = "has another function of that name; mark each with a name of its own";
  await assertRejects(() => pool.submit(makeNamesake(), 1).result(), NotShareableError, text);
  const url = import.meta.resolve("./fixtures/helpers.ts");
  assertEquals(await pool.submit(task({ url }, unmarked), 1), -1);
});

for (const [kind, make] of [["threads", makePool], ["processes", makeProcesses]] as const) {
  test(`task() of a function that was renamed here, as esbuild does, finds it in the module: ${kind}`, async () => {
    const helpers = import.meta.resolve("./fixtures/helpers.ts");
    await using pool = make();
    const compiled = { url: `${helpers}?compiled=${kind}` };
    const sum2 = task(compiled, function sum2(_: Float64Array): number {
      return -1;
    });
    assertEquals(await pool.submit(sum2, new Float64Array([1, 2])), 3);

    // Here, the shorter name is another function's.
    const numbered = { url: `${helpers}?numbered=${kind}` };
    task(numbered, function sum() {});
    const other = task(numbered, function sum2() {});
    const text = 'has no export "sum2" that is a function; export the task under the name of its';
    await assertRejects(() => pool.submit(other).result(), NotShareableError, text);
  });
}

test("task() without import.meta, or without a function, says so", () => {
  const loose = task as unknown as (...args: unknown[]) => void;
  assertThrows(() => loose(square), TypeError, 'expected import.meta, got function "square"');
  assertThrows(() => loose(import.meta, "square"), TypeError, 'expected a function, got "square"');
});

test("task() of a function that its module neither marks at import nor exports fails the future", async () => {
  await using pool = makePool();
  const future = pool.submit(makeHidden(), 1);
  await assertRejects(() => future.result(), NotShareableError, 'no export "absent"');
  assertEquals(await pool.submit(square, 3), 9);
});

// tasks

test("tasks() refers to a module without loading it", async () => {
  await using pool = makePool();
  assertEquals(await pool.submit(work.cube, 3), 27);
  assertEquals(await pool.submit(work.cubeLater, 3), 27);
  assertEquals(await pool.map(work.cube, [1, 2, 3]).toArray(), [1, 8, 27]);
  assertEquals((globalThis as { workModuleLoaded?: boolean }).workModuleLoaded, undefined);
});

test("tasks() can be awaited", async () => {
  assertStrictEquals(await work, work);
});

test("tasks() gives the same reference each time, which has its name and cannot be called", () => {
  assertStrictEquals(work.cube, work.cube);
  assertEquals(work.cube.name, "cube");
  assertThrows(() => work.cube(3), NotShareableError, 'Cannot call "cube" here');
  assertEquals((work as unknown as { [Symbol.iterator]?: unknown })[Symbol.iterator], undefined);
});

test("tasks() works in an AsyncExecutor, which loads the module", async () => {
  await using executor = new AsyncExecutor();
  // A module of its own, as the one above must not be loaded here.
  const url = `${WORK}?async`;
  const own = tasks<typeof import("./fixtures/work.ts")>(url);
  assertEquals(await executor.submit(own.cube, 3), 27);
  assertEquals(await executor.map(own.cubeLater, [1, 2]).toArray(), [1, 8]);
  delete (globalThis as { workModuleLoaded?: boolean }).workModuleLoaded;
});

test("tasks(): a missing export, one that is no function and a module that fails to import fail the future", async () => {
  const broken = tasks<{ run(): void }>(import.meta.resolve("./fixtures/broken.ts"));
  const absent = tasks<{ run(): void }>(import.meta.resolve("./fixtures/absent.ts"));
  const wrong = tasks<{ missing(): void; notAFunction(): void }>(`${WORK}?wrong`);
  for (const make of [makePool, () => new AsyncExecutor()]) {
    await using executor = make();
    const expected: [() => void, string][] = [
      [broken.run, "broken on purpose"],
      [absent.run, "failed to import"],
      [wrong.missing, 'no export "missing"'],
      [wrong.notAFunction, 'no export "notAFunction" that is a function'],
    ];
    for (const [reference, text] of expected) {
      await assertRejects(() => executor.submit(reference).result(), NotShareableError, text);
    }
    assertEquals(await executor.submit(square, 3), 9);
  }
  delete (globalThis as { workModuleLoaded?: boolean }).workModuleLoaded;
});

// Functions as source text

test("inline functions of all kinds cross as their source text", async () => {
  await using pool = makePool();
  const object = {
    method(n: number): number {
      return n + 1;
    },
    async later(n: number): Promise<number> {
      return await Promise.resolve(n + 1);
    },
    ["computed name"](n: number): number {
      return n + 1;
    },
    [Symbol.for("symbol")](n: number): number {
      return n + 1;
    },
    async(n: number): number {
      return n + 1;
    },
    arrow: (n: number) => n + 1,
  };
  class Counter {
    static next(n: number): number {
      return n + 1;
    }
  }
  function declared(n: number): number {
    return n + 1;
  }
  const functions: ((n: number) => number | Promise<number>)[] = [
    (n) => n + 1,
    (n) => {
      return n + 1;
    },
    async (n) => await Promise.resolve(n + 1),
    function (n) {
      return n + 1;
    },
    async function named(n) {
      return await Promise.resolve(n + 1);
    },
    declared,
    object.method,
    object.later,
    object["computed name"],
    object[Symbol.for("symbol") as unknown as "method"],
    object.async,
    object.arrow,
    Counter.next,
  ];
  for (const fn of functions) assertEquals(await pool.submit(fn, 1), 2, fn.toString());
  function factorial(n: number): number {
    return n <= 1 ? 1 : n * factorial(n - 1);
  }
  assertEquals(await pool.submit(factorial, 5), 120);
  assertEquals(await pool.submit((...rest: number[]) => rest.length, 1, 2, 3), 3);
  assertEquals(await pool.submit(({ a }: { a: number }) => a, { a: 4 }), 4);
});

test("a function that a transpiler has keep names crosses as its source text", async () => {
  await using pool = makePool();
  // The code that esbuild makes of `{ const sum = (m) => m + n; ... }`.
  const body =
    'const sum = /* @__PURE__ */ __name((m) => m + n, "sum"); return `${sum.name} ${sum(1)}`;';
  const fn = new Function("n", body) as (n: number) => string;
  assertEquals(await pool.submit(fn, 2), "sum 3");
});

test("a function that captures a variable fails with a NotShareableError that names it", async () => {
  await using pool = makePool();
  const factor = 2;
  const multiply = (n: number): number => n * factor;
  await assertRejects(() => pool.submit(multiply, 1).result(), NotShareableError, '"factor"');
  await assertRejects(() => pool.submit(multiply, 1).result(), NotShareableError, "task(");
  const later = async (n: number): Promise<number> => await Promise.resolve(n * factor);
  await assertRejects(() => pool.submit(later, 1).result(), NotShareableError, '"factor"');
  const sometimes = (n: number): number => n === 2 ? factor : n;
  const outcomes = await outcomesOf(pool.map(sometimes, [1, 2, 3], { chunksize: 3 }));
  assertEquals(outcomes.map(([kind]) => kind), ["value", "error", "value"]);
  assert(String(outcomes[1][1]).includes('"factor"'));
  await assertRejects(
    () => pool.submit(() => prompt("name?")).result(),
    NotShareableError,
    'it uses "prompt" from around it, which does not cross to a worker (nor does a global that only',
  );
});

test("native, bound and class functions fail the future and do not throw", async () => {
  await using pool = makePool();
  class Point {}
  const refused: [(...args: never[]) => unknown, string][] = [
    [Math.max, "native"],
    [square.bind(null), "bound"],
    [Point as never, "class"],
  ];
  for (const [fn, text] of refused) {
    const future = pool.submit(fn as () => unknown);
    assert(future.done());
    await assertRejects(() => future.result(), NotShareableError, text);
  }
  assertEquals(await pool.submit(square, 3), 9);
});

test("generator functions fail the future with a text that says so", async () => {
  await using pool = makePool();
  const generators: (() => unknown)[] = [
    function* () {
      yield 1;
    },
    async function* () {
      yield await Promise.resolve(1);
    },
    { *method() {} }.method,
  ];
  for (const fn of generators) {
    const future = pool.submit(fn);
    assert(future.done());
    await assertRejects(() => future.result(), NotShareableError, "return an array");
  }
  assertEquals(await pool.submit(square, 3), 9);
});

test("a private method fails the future with a text that says what to do", async () => {
  class Secret {
    static #hidden(): number {
      return 1;
    }
    static get hidden(): () => number {
      return Secret.#hidden;
    }
  }
  await using pool = makePool();
  const future = pool.submit(Secret.hidden);
  await assertRejects(() => future.result(), NotShareableError, "export it from a module");
});

test("a function whose source text is not enough fails with the reason", async () => {
  const key = "method";
  class Secret {
    static #key = 1;
    static method(): number {
      return Secret.#key;
    }
    static readonly arrow = () => Secret.#key;
    static readonly named = function () {
      return Secret.#key;
    };
    static #hidden(): void {}
    static readonly hidden = Secret.#hidden;
  }
  const { method } = {
    [key](): number {
      return 1;
    },
  };
  await using pool = makePool();
  await assertRejects(() => pool.submit(method).result(), NotShareableError, "key is not defined");
  for (const fn of [Secret.method, Secret.arrow, Secret.named, Secret.hidden]) {
    const error = await assertRejects(() => pool.submit<unknown[], unknown>(fn).result());
    assert(/private/i.test((error as Error).message), String(error));
  }
});

test("map() with a function that cannot cross fails each item, however many", async () => {
  await using pool = makePool();
  const items = Array.from({ length: 20_000 }, (_, i) => i);
  let failed = 0;
  const iterator = pool.map(Math.sqrt, items)[Symbol.asyncIterator]();
  for (;;) {
    try {
      if ((await iterator.next()).done) break;
    } catch (error) {
      assert(NotShareableError.is(error), String(error));
      failed++;
    }
  }
  assertEquals(failed, items.length);
});

test("map() fails only the items of a chunk that cannot be sent, either way", async () => {
  await using pool = makePool();
  const items = [1, () => {}, 3];
  const sent = await outcomesOf(pool.map((n: unknown) => typeof n, items, { chunksize: 3 }));
  assertEquals(sent.map(([kind]) => kind), ["value", "error", "value"]);
  const returned = await outcomesOf(pool.map(unsendableIfOdd, [0, 1, 2, 3], { chunksize: 4 }));
  assertEquals(returned.map(([kind]) => kind), ["value", "error", "value", "error"]);
});

// transfer

test("transfer() moves an argument instead of copying it", async () => {
  await using pool = makePool();
  const values = new Float64Array(1000).fill(0.5);
  const future = pool.submit(sum, transfer(values, [values.buffer]));
  assertEquals(values.length, 0);
  assertEquals(await future, 500);
});

for (const bytes of [100, 100_000, 1_000_000]) {
  test(`transfer() takes a buffer of ${bytes} bytes from the sender, and it arrives as it was`, async () => {
    await using pool = makePool();
    const buffer = new ArrayBuffer(bytes, { maxByteLength: 2 * bytes });
    const [front, back] = [new Uint8Array(buffer, 0, 10).fill(1), new Uint8Array(buffer, 10)];
    const future = pool.submit(
      (first: Uint8Array<ArrayBuffer>, second: Uint8Array) => {
        const isOne = first.buffer === second.buffer;
        first.buffer.resize(first.buffer.maxByteLength);
        return [isOne, first[9], second.length];
      },
      transfer(front, [buffer]),
      back,
    );
    assertEquals([buffer.byteLength, front.length, back.length], [0, 0, 0]);
    assertEquals(await future, [true, 1, 2 * bytes - 10]);
    assertEquals((await pool.submit(fillAndKeep, bytes)).length, bytes);
    assertEquals(await pool.submit(lengthOfKept), 0);
  });
}

for (const makePart of [makePool, makeProcesses]) {
  for (const bytes of [1000, 100_000, 200_000]) {
    test(`transfer() of a small view of ${bytes} bytes takes all of them along, ${makePart.name}`, async () => {
      await using pool = makePart();
      const all = new Uint8Array(bytes).fill(7);
      const view = all.subarray(16, 32);
      const future = pool.submit(
        (part: Uint8Array) => new Uint8Array(part.buffer).filter((byte) => byte === 7).length,
        transfer(view, [all.buffer]),
      );
      assertEquals(all.length, 0);
      assertEquals(await future, bytes);
      const { buffer, byteOffset, length } = await pool.submit(part, bytes);
      assertEquals([buffer.byteLength, byteOffset, length], [bytes, 16, 10]);
    });
  }
}

test("transfer() of a small buffer beside a port takes both from the sender", async () => {
  await using pool = makePool();
  const { port1, port2 } = new MessageChannel();
  const buffer = new ArrayBuffer(100);
  const future = pool.submit(
    (sent: { buffer: ArrayBuffer; port: MessagePort }) => {
      sent.port.close();
      return sent.buffer.byteLength;
    },
    transfer({ buffer, port: port2 }, [buffer, port2]),
  );
  port1.close();
  assertEquals(buffer.byteLength, 0);
  assertEquals(await future, 100);
});

test("transfer() marks a value for one sending", async () => {
  await using pool = makePool();
  const port = new MessageChannel();
  port.port1.close();
  port.port2.close();
  const holder = { values: new Float64Array(4).fill(1) };
  transfer(holder, [holder.values.buffer]);
  assertEquals(await pool.submit(({ values }: typeof holder) => values.length, holder), 4);
  assertEquals(holder.values.length, 0);
  holder.values = new Float64Array(3);
  assertEquals(await pool.submit(({ values }: typeof holder) => values.length, holder), 3);
  assertEquals(holder.values.length, 3);
});

test("transfer() marks a value for one submit, also for one that fails", async () => {
  await using pool = makePool();
  const values = new Float64Array(4);
  const aborted = pool.with({ signal: AbortSignal.abort() });
  const closed = makePool();
  await closed.shutdown();
  const submits = [
    () => aborted.submit(sum, transfer(values, [values.buffer])),
    () => closed.submit(sum, transfer(values, [values.buffer])),
    () => pool.submit(Math.max as never, transfer(values, [values.buffer])),
  ];
  for (const submit of submits) {
    await assertRejects(async () => void await submit());
    assertEquals(await pool.submit(sum, values), 0);
    assertEquals(values.length, 4);
  }
});

test("what was moved away is refused, and not sent as empty", async () => {
  await using pool = makePool();
  const values = new Float64Array(1000);
  const length = (sent: { values: Float64Array }): number => sent.values.length;
  assertEquals(await pool.submit(length, transfer({ values }, [values.buffer])), 1000);
  const error = await pool.submit(length, { values }).exception();
  assert(NotShareableError.is(error));
  assertStringIncludes(error.message, "detached ArrayBuffer at [0].values.buffer cannot be cloned");
});

test("iterators are refused, wherever they are", async () => {
  await using pool = makePool();
  for (const iterator of [new Map().keys(), [1].values(), "ab".matchAll(/a/g)]) {
    const error = await pool.submit((sent: unknown[]) => sent.length, [iterator]).exception();
    assert(NotShareableError.is(error), String(error));
    assertStringIncludes(error.message, "cannot be cloned");
  }
});

test("transfer() moves a result", async () => {
  await using pool = makePool();
  const values = await pool.submit(fill, 100_000, 0.5);
  assertEquals([values.length, values[99_999]], [100_000, 0.5]);
});

test("transfer() moves the results of map, as it does those of submit", async () => {
  await using pool = makePool();
  const parts = await pool.map(part, [1000, 100_000, 200_000]).toArray();
  assertEquals(parts.map(({ buffer }) => buffer.byteLength), [1000, 100_000, 200_000]);
  const ports = await pool.map(makePort, [1, 2, 3], { chunksize: 3 }).toArray();
  for (const { port } of ports) port.close();
  assertEquals(ports.length, 3);
});

test("transfer() moves the items of map, also those beside one that cannot be sent", async () => {
  await using pool = makePool();
  const size = ({ length }: Float64Array): number => length;
  for (const chunksize of [1, 3]) {
    const items = [1, 20_000, 3].map((length) => new Float64Array(length));
    const inputs = items.map((item) => transfer(item, [item.buffer]));
    const refused = (() => 1) as unknown as Float64Array;
    const results = pool.map(size, [...inputs, refused], { chunksize })[Symbol.asyncIterator]();
    for (const length of [1, 20_000, 3]) assertEquals((await results.next()).value, length);
    await assertRejects(() => results.next(), NotShareableError);
    assertEquals(items.map(({ length }) => length), [0, 0, 0]);
  }
});

/**
 * Runs statements in the callback of a timer, in a program that has received no message yet: Deno
 * runs microtasks there when it loads what receives messages. Returns what is printed.
 */
async function printedByFirstReceiver(statements: string): Promise<string[]> {
  const { code, stdout, stderr } = await runProgram(`
    import { task, ThreadPoolExecutor, transfer } from "@concurrent/futures";
    export const make = task(import.meta, function make(length) {
      const bytes = new Uint8Array(length);
      return transfer(bytes, [bytes.buffer]);
    });
    if (import.meta.main) {
      const pool = new ThreadPoolExecutor({ maxWorkers: 1 });
      await pool.submit(make, 10);
      setTimeout(async () => {
        ${statements}
        await pool.shutdown();
      });
    }
  `);
  assertEquals([code, stderr], [0, ""]);
  return stdout.trim().split("\n");
}

test("transfer() moves results to a thread that blocks for the first, and awaits the second", async () => {
  const printed = await printedByFirstReceiver(`
    console.log(pool.submit(make, 200_000).resultSync().length);
    console.log((await pool.submit(make, 300_000).result({ timeout: 10_000 })).length);
  `);
  assertEquals(printed, ["200000", "300000"]);
});

test("transfer() moves a result to a thread, a microtask of which blocks while that is received", async () => {
  const printed = await printedByFirstReceiver(`
    Promise.resolve().then(() => console.log(pool.submit(make, 10).resultSync().length));
    console.log(pool.submit(make, 200_000).resultSync().length);
  `);
  assertEquals(printed, ["10", "200000"]);
});

test("transfer() leaves shared memory where it is", async () => {
  await using pool = makePool();
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const add = (counter: Int32Array): number => Atomics.add(counter, 0, 1);
  await pool.submit(add, transfer(shared, [shared.buffer]));
  await pool.with({ transfer: [shared.buffer, new ArrayBuffer(1)] }).submit(add, shared);
  assertEquals(shared[0], 2);
});

test("Executor.with({ transfer }) is refused by map, of which each chunk is a task", async () => {
  await using pool = makePool();
  const items = [new Float64Array(1), new Float64Array(2)];
  const view = pool.with({ transfer: items.map(({ buffer }) => buffer) });
  assertThrows(() => view.map(sum, items), TypeError, "mark each item instead");
  assertEquals(items.map(({ length }) => length), [1, 2]);
  const moved = items.map((item) => transfer(item, [item.buffer]));
  assertEquals(await pool.map(sum, moved).toArray(), [0, 0]);
});

test("transfer() refuses what is no object, and what is no array of buffers", () => {
  // deno-lint-ignore no-explicit-any
  const loose = transfer as any;
  assertThrows(() => loose(5, []), TypeError, "Cannot transfer: expected an object, got 5");
  assertThrows(() => loose(null, []), TypeError, "expected an object, got null");
  assertThrows(() => loose({}, 5), TypeError, "expected an array of buffers, got 5");
  const values = new Float64Array(1);
  assertThrows(() => loose(values), TypeError, "expected an array of buffers, got undefined");
  assertThrows(() => loose(values, values.buffer), TypeError, "got ArrayBuffer");
});

test("Executor.with({ transfer }) moves what it names", async () => {
  await using pool = makePool();
  const values = new Float64Array(1000).fill(0.5);
  const future = pool.with({ transfer: [values.buffer] }).submit(sum, values);
  assertEquals(values.length, 0);
  assertEquals(await future, 500);
});

test("transfer() leaves values alone in an AsyncExecutor", async () => {
  await using executor = new AsyncExecutor();
  const values = new Float64Array(4).fill(1);
  assertEquals(await executor.submit(sum, transfer(values, [values.buffer])), 4);
  assertEquals(values.length, 4);
});

test("task() and tasks() take a module's URL as an object too", async () => {
  const url = new URL(import.meta.resolve("./fixtures/helpers.ts"));
  const own = tasks<typeof import("./fixtures/work.ts")>(new URL(WORK));
  for (const make of [makePool, makeProcesses]) {
    await using pool = make();
    assertEquals(await pool.submit(task({ url }, unmarked), 1), -1);
    assertEquals(await pool.submit(own.cube, 3), 27);
  }
});

test("tasks() refuses an address that is not whole", () => {
  const error = assertThrows(() => tasks("./work.ts"), TypeError);
  assertStringIncludes(error.message, "expected a whole address, such as import.meta.resolve(");
});

test("task() refuses what is no import.meta, and what has no address is told when it is sent", async () => {
  const error = assertThrows(() => task(undefined as never, function half() {}), TypeError);
  assertEquals(error.message, 'Cannot mark task "half": expected import.meta, got undefined');
  const relative = { url: "work.ts" };
  assertThrows(() => task(relative, square), TypeError, 'with a whole address, got "work.ts"');
  await using pool = makePool();
  const half = task({} as ImportMeta, function half(n: number): number {
    return n / 2;
  });
  assertEquals(half(4), 2);
  const refused = await pool.submit(half, 4).exception();
  assertStringIncludes((refused as Error).message, "its module does not know its own address");
});
