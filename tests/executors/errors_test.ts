import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  BrokenExecutor,
  BrokenThreadPool,
  CancelledError,
  InvalidStateError,
  NotShareableError,
  registerError,
  RuntimeError,
  ThreadPoolExecutor,
  TimeoutError,
} from "../../executors/mod.ts";
import * as copy from "../../executors/errors.ts?copy";
import * as syncCopy from "../../sync/errors.ts?copy";
import { test } from "../_support/leaks.ts";
import { throwValue } from "../contracts/tasks.ts";

const CLASSES = {
  BrokenExecutor,
  BrokenThreadPool,
  CancelledError,
  InvalidStateError,
  NotShareableError,
  RuntimeError,
  TimeoutError,
};
const COPIES = {
  ...copy,
  NotShareableError: syncCopy.NotShareableError,
  RuntimeError: syncCopy.RuntimeError,
  TimeoutError: syncCopy.TimeoutError,
};
type Name = keyof typeof CLASSES;
const NAMES = Object.keys(CLASSES) as Name[];

/** The classes of which each class is a subclass. */
const PARENTS: Partial<Record<Name, Name[]>> = {
  BrokenExecutor: ["RuntimeError"],
  BrokenThreadPool: ["BrokenExecutor", "RuntimeError"],
};

test("error classes have their name, message and cause, and are errors", () => {
  for (const name of NAMES) {
    const error = new CLASSES[name]("what happened", { cause: 1 });
    assertInstanceOf(error, Error);
    assertEquals([error.name, error.message, error.cause], [name, "what happened", 1]);
    assertEquals(String(error), `${name}: what happened`);
    assert(error.stack?.includes("what happened"));
  }
  assertInstanceOf(new NotShareableError(), TypeError);
});

test("is() of an error class is true for its own errors and those of its subclasses", () => {
  for (const name of NAMES) {
    const error = new CLASSES[name]("");
    const known = NAMES.filter((other) => CLASSES[other].is(error));
    assertEquals(new Set(known), new Set([name, ...PARENTS[name] ?? []]), name);
  }
});

test("is() of an error class is true for errors of a second copy of the package", () => {
  for (const name of NAMES) {
    assert(COPIES[name] !== CLASSES[name] as unknown, `${name} is no copy`);
    const foreign = new COPIES[name]("");
    assert(!(foreign instanceof CLASSES[name]));
    assert(CLASSES[name].is(foreign), name);
    assert(COPIES[name].is(new CLASSES[name]("")), name);
    for (const parent of PARENTS[name] ?? []) assert(CLASSES[parent].is(foreign), name);
  }
});

test("is() of an error class is false for anything else", () => {
  const others = [null, undefined, 1, "CancelledError", {}, { name: "CancelledError" }, () => {}];
  for (const name of NAMES) {
    for (const other of [...others, new Error(name), new TypeError(), new RangeError()]) {
      assertEquals(CLASSES[name].is(other), false);
    }
    const imitation = new Error("");
    imitation.name = name;
    assertEquals(CLASSES[name].is(imitation), false);
  }
});

test("is() of an error class is true for what a worker threw", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  for (const name of NAMES) {
    const thrown = new CLASSES[name]("from a worker", { cause: new RangeError("inner") });
    const error = await pool.submit(throwValue, thrown).exception();
    assert(CLASSES[name].is(error), name);
    assertEquals([error.name, error.message], [name, "from a worker"]);
  }
});

/** An error class that workers do not know. */
class HereOnlyError extends RangeError {
  override readonly name = "HereOnlyError";
  constructor(readonly code: number) {
    super(`code ${code}`);
  }
}
registerError(HereOnlyError);

test("an error comes back as what it was from a worker that does not know its class", async () => {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
  const thrown = new Error("outer", { cause: new HereOnlyError(7) });
  const { cause } = await pool.submit(throwValue, thrown).exception() as Error;
  assertInstanceOf(cause, HereOnlyError);
  assertEquals([cause.name, cause.message, cause.code], ["HereOnlyError", "code 7", 7]);
});
