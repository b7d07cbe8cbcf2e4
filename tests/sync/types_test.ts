import { assertEquals, assertMatch } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  type Barrier,
  type BoundedSemaphore,
  type Condition,
  debugLocks,
  type Event,
  type Guard,
  type Handle,
  type Lock,
  type LockState,
  type RLock,
  type Semaphore,
  Value,
} from "../../sync/mod.ts";
import { typeErrorsOf } from "../_support/compile.ts";
import { test } from "../_support/leaks.ts";
import { ROOT } from "../_support/scratch.ts";

/** Checked and never called: only the types count. */
function values(): void {
  const i32 = new Value("i32");
  assertType<IsExact<typeof i32, Value<"i32">>>(true);
  assertType<IsExact<typeof i32.value, number>>(true);
  assertType<IsExact<typeof i32.type, "i32">>(true);
  const i64 = new Value("i64", 1n, { name: "total" });
  assertType<IsExact<typeof i64.value, bigint>>(true);
  const sum = i64.add(1n);
  assertType<IsExact<typeof sum, bigint>>(true);
  assertType<IsExact<Value<"f64">["value"], number>>(true);
  assertType<IsExact<Value<"u32">["value"], number>>(true);
  const lock = i64.getLock();
  assertType<IsExact<typeof lock, RLock>>(true);
  const view = Value.from<"i64">(i64.handle);
  assertType<IsExact<typeof view, Value<"i64">>>(true);
}

/** Checked and never called. */
async function running(locks: readonly (Lock | RLock | Condition | Semaphore)[]): Promise<void> {
  for (const lock of locks) {
    const one = await lock.run(() => 1);
    assertType<IsExact<typeof one, number>>(true);
    const later = await lock.run(async () => await Promise.resolve("text"));
    assertType<IsExact<typeof later, string>>(true);
    const nothing = await lock.run(() => {}, { timeout: null });
    assertType<IsExact<typeof nothing, void>>(true);
    const sync = lock.runSync(() => ({ n: 1 }), { timeout: 5 });
    assertType<IsExact<typeof sync, { n: number }>>(true);
    const promise = lock.runSync(() => Promise.resolve(1));
    assertType<IsExact<typeof promise, Promise<number>>>(true);
    const guard = await lock.hold({ timeout: 5, signal: new AbortController().signal });
    assertType<IsExact<typeof guard, Guard>>(true);
    const held = lock.holdSync();
    assertType<IsExact<typeof held, Guard>>(true);
    const acquired = lock.acquire({ blocking: false });
    assertType<IsExact<typeof acquired, Promise<boolean>>>(true);
    const acquiredSync = lock.acquireSync({ timeout: null });
    assertType<IsExact<typeof acquiredSync, boolean>>(true);
    assertType<IsExact<typeof lock.handle, Handle>>(true);
  }
}

/** Checked and never called. */
async function waiting(
  condition: Condition,
  event: Event,
  barrier: Barrier,
  bounded: BoundedSemaphore,
): Promise<void> {
  const found = await condition.waitFor(() => ["a"].at(0));
  assertType<IsExact<typeof found, string | undefined>>(true);
  const foundSync = condition.waitForSync(() => 7 as number | false, { timeout: 5 });
  assertType<IsExact<typeof foundSync, number | false>>(true);
  assertType<IsExact<typeof condition.lock, Lock | RLock>>(true);
  const isSet = await event.wait({ timeout: 5 });
  assertType<IsExact<typeof isSet, boolean>>(true);
  const index = await barrier.wait();
  assertType<IsExact<typeof index, number>>(true);
  const indexSync = barrier.waitSync({ timeout: 5 });
  assertType<IsExact<typeof indexSync, number>>(true);
  assertType<IsExact<typeof bounded.name, string | undefined>>(true);
  const semaphore: Semaphore = bounded;
  assertEquals(semaphore, bounded);
  const states = debugLocks();
  assertType<IsExact<typeof states, LockState[]>>(true);
}

test("types of sync objects follow from what they are made with and what they run", () => {
  const checked = [values, running, waiting];
  assertEquals(checked.map((each) => typeof each), ["function", "function", "function"]);
});

const HEAD = `
import {
  Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore, Value, ThreadPoolExecutor,
} from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
const signal = new AbortController().signal;
`;

test("wrong uses of sync objects do not compile", { timeout: 60_000 }, async () => {
  const wrong = {
    "a lock's unknown option": 'new Lock({ nmae: "a" });',
    "a name that is no string": "new RLock({ name: 5 });",
    "a timeout that is no number": 'new Lock().acquire({ timeout: "5" });',
    "blocking that is no boolean": 'new Lock().acquireSync({ blocking: "no" });',
    "an unknown option of acquire": "new Lock().acquire({ timeOut: 5 });",
    "a signal in a blocking acquire": "new Lock().acquireSync({ signal });",
    "a signal in a blocking hold": "new RLock().holdSync({ signal });",
    "a signal in a blocking run": "new RLock().runSync(() => 1, { signal });",
    "a signal in a blocking permit": "new Semaphore().acquireSync({ signal });",
    "a signal in a blocking wait": "new Event().waitSync({ signal });",
    "a signal at a blocking barrier": "new Barrier(2).waitSync({ signal });",
    "a signal in a blocking waitFor": "new Condition().waitForSync(() => 1, { signal });",
    "blocking: false in hold": "new Lock().hold({ blocking: false });",
    "a condition over a semaphore": "new Condition(new Semaphore());",
    "a condition over options": 'new Condition({ name: "a" });',
    "the wrong result of run": "const text: Promise<string> = new Lock().run(() => 1);",
    "a boolean of a barrier": "const through: boolean = new Barrier(2).waitSync();",
    "no parties": "new Barrier();",
    "options for parties": "new Barrier({ parties: 2 });",
    "a value without a type": "new Value();",
    "an unknown type of value": 'new Value("i8");',
    "a number for a bigint": 'new Value("i64", 1);',
    "a bigint for a number": 'new Value("i32", 1n);',
    "an assigned number for a bigint": 'new Value("i64").value = 1;',
    "an added bigint to a number": 'new Value("f64").add(1n);',
    "the lock itself for its handle": "Lock.from(new Lock());",
    "a lock where another kind is needed": "const lock: RLock = new Lock();",
    "an assigned name": 'new Lock().name = "a";',
    "an assigned number of parties": "new Barrier(2).parties = 3;",
    "a task for another object":
      "new ThreadPoolExecutor().submit((lock: Lock) => lock.locked(), new Event());",
  };
  const right = {
    "all of it right": `
      using _a = new Lock({ name: "a" }).holdSync({ timeout: null });
      using _b = await new RLock().hold({ timeout: 5, signal });
      const text: Promise<string> = new Condition(new Lock()).run(async () => "text");
      const bounded: Semaphore = new BoundedSemaphore(2, { name: "permits" });
      const value: bigint = new Value("i64", 1n).add(2n);
      new Barrier(2, { action: async () => {}, timeout: null }).action = undefined;
      const lock: Lock = Lock.from(new Lock().handle);
      new Semaphore().release(2);
    `,
  };
  const sources = Object.entries({ ...wrong, ...right }).map(([name, code]) => [name, HEAD + code]);
  const errors = await typeErrorsOf(Object.fromEntries(sources) as Record<string, string>);
  for (const name of Object.keys(wrong)) assertMatch(errors[name].join("\n"), /^TS\d+: /, name);
  for (const name of Object.keys(right)) assertEquals(errors[name], [], name);
});
