/**
 * Errors, handles and refusals: what structured clone does not do, or does worse.
 *
 * Structured clone is no oracle here: it loses classes, own properties and the errors of an
 * AggregateError, so each test states what it expects.
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import { runInNewContext } from "node:vm";
import { Decoder } from "../../_memory/decoder.ts";
import { Encoder } from "../../_memory/encoder.ts";
import * as tags from "../../_memory/tags.ts";
import { registerErrorClass } from "../../_memory/errors.ts";
import { HANDLE, type Handle, registerHandle } from "../../_memory/handle.ts";

const ROOM = 1 << 14;
const words = new Int32Array(new SharedArrayBuffer(ROOM * 4));
const bytes = new Uint8Array(words.buffer);
const encoder = new Encoder();
const decoder = new Decoder();

function send<T>(value: T, room = ROOM): T {
  const next = encoder.encode(value, words, bytes, 0, room);
  if (next >= 0) return decoder.decode(words, bytes, 0) as T;
  encoder.copyTo(words, bytes, 0);
  const externBase = ((encoder.spillWords + 1) & ~1) * 4;
  return decoder.decode(words, bytes, 0, externBase, [...encoder.extras]) as T;
}

function refusal(value: unknown): string {
  const error = assertThrows(() => encoder.encode(value, words, bytes, 0, ROOM), DOMException);
  assertEquals(error.name, "DataCloneError");
  assertEquals(encoder.extras, []);
  assertEquals(encoder.externs, []);
  assertEquals(encoder.busy, false);
  assertEquals(send([1, { a: "b" }]), [1, { a: "b" }]);
  return error.message;
}

class HttpError extends Error {
  constructor(readonly status: number, readonly headers: Map<string, string>) {
    if (!(headers instanceof Map)) throw new TypeError("constructor was called");
    super(`status ${status}`);
  }
  override name = "HttpError";
  get isServer(): boolean {
    return this.status >= 500;
  }
}
registerErrorClass(HttpError);

Deno.test("Encoder/Decoder: built-in errors keep class, message and stack", () => {
  const classes = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError];
  for (const Class of classes) {
    for (const room of [ROOM, 10]) {
      const error = new Class("gone wrong");
      const copy = send(error, room);
      assert(copy instanceof Class && Error.isError(copy));
      assertStrictEquals(Object.getPrototypeOf(copy), Class.prototype);
      assertEquals(copy.message, "gone wrong");
      assertEquals(copy.name, Class.name);
      assertEquals(copy.stack, error.stack);
      assertEquals(Object.keys(copy), []);
      assertEquals(Object.hasOwn(copy, "name"), false);
      assertEquals(Object.hasOwn(copy, "cause"), false);
    }
  }
  assertEquals(Object.hasOwn(send(new Error()), "message"), false);
});

Deno.test("Encoder/Decoder: causes and own properties of errors arrive", () => {
  const error = Object.assign(new Error("outer", { cause: new RangeError("inner") }), {
    code: "E_OUT",
    details: { list: [1, 2] },
  });
  const copy = send(error);
  assert(copy.cause instanceof RangeError);
  assertEquals(copy.cause.message, "inner");
  assertEquals(copy.code, "E_OUT");
  assertEquals(copy.details, { list: [1, 2] });
  assertEquals(Object.keys(copy), ["code", "details"]);
  assertEquals(send(new Error("x", { cause: undefined })).cause, undefined);
  assert(Object.hasOwn(send(new Error("x", { cause: undefined })), "cause"));
});

Deno.test("Encoder/Decoder: an error that is its own cause arrives so", () => {
  const error: Error & { self?: Error } = new Error("round");
  error.cause = error;
  error.self = error;
  const copy = send([error, error]);
  assertStrictEquals(copy[0], copy[1]);
  assertStrictEquals(copy[0].cause, copy[0]);
  assertStrictEquals(copy[0].self, copy[0]);
});

Deno.test("Encoder/Decoder: an AggregateError keeps its errors", () => {
  const error = new AggregateError([new TypeError("a"), "b", () => {}], "several");
  const copy = send(error);
  assert(copy instanceof AggregateError);
  assert(copy.errors[0] instanceof TypeError);
  assertEquals(copy.errors.slice(1), ["b", "anonymous function"]);
  assertEquals(Object.keys(copy), []);
});

Deno.test("Encoder/Decoder: registered classes are rebuilt without their constructor", () => {
  const error = new HttpError(503, new Map([["a", "b"]]));
  const copy = send(error);
  assert(copy instanceof HttpError && Error.isError(copy));
  assertEquals(copy.status, 503);
  assertEquals(copy.headers, new Map([["a", "b"]]));
  assertEquals(copy.isServer, true);
  assertEquals(copy.name, "HttpError");
  assertEquals(copy.stack, error.stack);
});

Deno.test("Encoder/Decoder: unregistered classes arrive as the nearest registered one", () => {
  class Unknown extends HttpError {}
  class Odd extends TypeError {
    override name = "Odd";
  }
  assertStrictEquals(
    Object.getPrototypeOf(send(new Unknown(404, new Map()))),
    HttpError.prototype,
  );
  const odd = send(new Odd("o"));
  assertStrictEquals(Object.getPrototypeOf(odd), TypeError.prototype);
  assertEquals(odd.name, "Odd");
  assertEquals(odd.message, "o");
});

Deno.test("registerErrorClass() refuses the name of a built-in class, and what is no class of errors", () => {
  class Error2 extends Error {}
  assertThrows(() => registerErrorClass(Error2, "TypeError"), TypeError, "built in");
  // deno-lint-ignore no-explicit-any
  const loose = registerErrorClass as any;
  const text = "Cannot register error class: expected a class of errors, got ";
  assertThrows(() => loose(5), TypeError, `${text}5`);
  assertThrows(() => loose(undefined), TypeError, `${text}undefined`);
  assertThrows(() => loose("E"), TypeError, `${text}"E"`);
  assertThrows(() => loose(class Job {}), TypeError, `${text}function "Job"`);
  assertThrows(() => loose(() => {}), TypeError, text);
  loose(class extends runInNewContext("Error") {}, "ErrorOfAnotherRealm");
});

Deno.test("Encoder/Decoder: what cannot be cloned in an error becomes text", () => {
  const error = Object.assign(new Error("kept", { cause: { deep: [function cb() {}] } }), {
    before: { a: { b: 1 }, big: new Uint8Array(2000) },
    symbol: Symbol("s"),
    pending: [new Uint8Array(4000), { a: { b: 2 } }, Promise.resolve()],
    after: { a: { b: 3 }, big: new Uint8Array(3000).fill(1) },
  });
  Object.defineProperty(error, "broken", {
    enumerable: true,
    get: () => {
      throw new Error("no");
    },
  });
  for (const room of [ROOM, 3, 20, 60]) {
    const copy = send(error, room) as typeof error;
    assertEquals(Object.keys(copy).at(-1), "broken");
    assertEquals(copy.message, "kept");
    assertEquals(copy.cause, 'Object with function "cb"');
    assertEquals(copy.before.a, { b: 1 });
    assertEquals(copy.symbol as unknown, "Symbol(s)");
    assertEquals(copy.pending as unknown, "Array with Promise");
    assertEquals(copy.after.a, { b: 3 });
    assertEquals(copy.after.big, error.after.big);
  }
});

Deno.test("Encoder/Decoder: what is met again after a part that became text is the same object", () => {
  // Few objects are numbered in another way than many, and met again in yet another.
  for (const count of [0, 1, 10, 11, 12, 13, 40]) {
    for (const again of [false, true]) {
      const early = Array.from({ length: count }, (_, i) => ({ i }));
      const seen = again ? [...early] : [];
      const late = Array.from({ length: 30 }, (_, i) => ({ i, late: true }));
      const buffer = new ArrayBuffer(8);
      const kept = new Uint8Array(new ArrayBuffer(8));
      const bad = (...values: unknown[]) => {
        const views = [new Uint8Array(buffer), new Int32Array(buffer), new Int8Array(kept.buffer)];
        const part = [...early, ...late, ...views, ...values, () => {}];
        return Object.assign(new Error("odd"), { part, late: late[0] });
      };
      const value = {
        early,
        seen,
        kept,
        errors: [bad(), bad(late[1]), bad()],
        late: [...late, ...late, ...early],
        views: [new Uint8Array(buffer), new Int8Array(kept.buffer), new Int32Array(buffer)],
        more: [bad(), ...late],
      };
      for (const room of [ROOM, 50]) {
        const copy = send(value, room);
        assertEquals(copy.errors.map(({ part }) => part as unknown), [
          "Array with anonymous function",
          "Array with anonymous function",
          "Array with anonymous function",
        ]);
        assertEquals(copy.early, early);
        const many = copy.late.slice(0, 30);
        assertEquals(many, late);
        const expected = [...many, ...many, ...copy.early];
        expected.forEach((object, i) => assertStrictEquals(copy.late[i], object));
        copy.seen.forEach((object, i) => assertStrictEquals(object, copy.early[i]));
        many.forEach((object, i) => assertStrictEquals(copy.more[i + 1], object));
        for (const error of copy.errors) assertStrictEquals(error.late, many[0]);
        const [first, onKept, second] = copy.views;
        assertStrictEquals(first.buffer, second.buffer);
        assertStrictEquals(onKept.buffer, copy.kept.buffer);
        assert(first.buffer !== onKept.buffer);
      }
    }
  }
});

Deno.test("Encoder/Decoder: functions among the own properties of an error are left out", () => {
  const error = Object.assign(new TypeError("kept"), {
    before: { a: 1 },
    toString(): string {
      return "own";
    },
    after: { a: 2 },
  });
  Object.defineProperty(error, "computed", { enumerable: true, get: () => () => {} });
  for (const room of [ROOM, 3, 20]) {
    const copy = send(error, room);
    assertEquals(Object.keys(copy), ["before", "after"]);
    assertEquals([copy.before, copy.after], [{ a: 1 }, { a: 2 }]);
    assertEquals(String(copy), "TypeError: kept");
  }
  const stopped = Object.assign(new DOMException("stopped", "AbortError"), { toString: () => "" });
  assertEquals(Object.keys(send(stopped)), []);
  assertEquals(String(send(stopped)), "AbortError: stopped");
  assertEquals(Object.keys(send(Object.assign(new Error(), { only: () => {} }))), []);
});

Deno.test("Encoder/Decoder: a Node-compat error can be made a string where it arrives", () => {
  const error = assertThrows(() => Buffer.alloc("x" as unknown as number), TypeError);
  assert(Object.hasOwn(error, "toString"));
  const copy = send(error);
  assertEquals((copy as { code?: string }).code, "ERR_INVALID_ARG_TYPE");
  assert(String(copy).includes(error.message));
});

Deno.test("Encoder/Decoder: a callable own property of an error that has a handle arrives", () => {
  registerHandle("Callable", (data) => ({ data }));
  const callable = Object.assign(() => {}, {
    [HANDLE]: (): Handle => ({ kind: "Callable", data: 5 }),
  });
  const copy = send(Object.assign(new Error("kept"), { callable }));
  assertEquals(copy.callable as unknown, { data: 5 });
});

Deno.test("Encoder/Decoder: a DOMException arrives as one", () => {
  const error = new DOMException("stopped", "AbortError");
  const copy = send({ error }).error;
  assert(copy instanceof DOMException);
  assertEquals([copy.name, copy.message, copy.code], ["AbortError", "stopped", 20]);
  assertEquals(copy.stack, error.stack);
});

Deno.test("Encoder/Decoder: an error of another realm arrives as one of this", () => {
  const foreign = runInNewContext("Object.assign(new TypeError('far'), { code: 1 })");
  assert(!(foreign instanceof Error));
  const copy = send({ foreign }).foreign;
  assert(copy instanceof TypeError);
  assertEquals([copy.message, (copy as { code?: number }).code], ["far", 1]);
});

Deno.test("Encoder: a refusal names the value and its place", () => {
  const options = { cb: function cb() {} };
  assertEquals(
    refusal([{ options }]),
    'Cannot send value: function "cb" at [0].options.cb cannot be cloned',
  );
  assertEquals(refusal(options.cb), 'Cannot send value: function "cb" cannot be cloned');
  const cases: [value: unknown, text: string][] = [
    [{ "a b": [1, Symbol("id")] }, 'Symbol(id) at ["a b"][1]'],
    [[[() => {}]], "anonymous function at [0][0]"],
    [{ map: new Map([["k", { p: Promise.resolve() }]]) }, 'Promise at map.get("k").p'],
    [new Set([new WeakMap()]), "WeakMap at .values()"],
    [[new WeakSet()], "WeakSet at [0]"],
    [{ ref: new WeakRef({}) }, "WeakRef at ref"],
    [{
      run: (function* (): Generator {})(),
    }, "Generator at run"],
    [{ a: class Point {} }, 'function "Point" at a'],
    [[Object(Symbol("boxed"))], "Symbol at [0]"],
  ];
  for (const [value, text] of cases) {
    assertEquals(refusal(value), `Cannot send value: ${text} cannot be cloned`);
  }
});

Deno.test("Encoder/Decoder: errors of the runtime keep their class", () => {
  const errors = [
    new Deno.errors.NotFound("no file"),
    new WebAssembly.CompileError("no module"),
    Object.assign(new Deno.errors.PermissionDenied("no"), { code: "EACCES" }),
  ];
  for (const error of errors) {
    const copy = send(error);
    assertStrictEquals(Object.getPrototypeOf(copy), Object.getPrototypeOf(error));
    const { name, message, code } = error as { name: string; message: string; code?: string };
    assertEquals([copy.name, copy.message, (copy as { code?: string }).code], [
      name,
      message,
      code,
    ]);
  }
});

Deno.test("Encoder/Decoder: a SuppressedError keeps both errors", () => {
  const made = new SuppressedError(new RangeError("at the end"), new TypeError("before"), "both");
  const copy = send(made);
  assert(copy instanceof SuppressedError && copy.error instanceof RangeError);
  assert(copy.suppressed instanceof TypeError);
  assertEquals([copy.message, copy.error.message, copy.suppressed.message], [
    "both",
    "at the end",
    "before",
  ]);
});

Deno.test("Encoder/Decoder: an error of a class that extends DOMException is one", () => {
  class QuotaError extends DOMException {
    get [Symbol.toStringTag](): string {
      return "QuotaError";
    }
  }
  const copy = send(new QuotaError("full", "QuotaExceededError"));
  assert(copy instanceof DOMException);
  assertEquals([copy.name, copy.message], ["QuotaExceededError", "full"]);
});

Deno.test("Encoder/Decoder: an object of a class that extends one of the runtime is plain, with all that it has", () => {
  const shared = { deep: true };
  class Store extends EventTarget {
    items = [shared];
    error = Object.assign(new Error("kept"), { code: 7 });
    tail = new Uint8Array(1_000_000).subarray(0, 3);
  }
  const { store, again } = send({ store: new Store(), again: shared });
  assertStrictEquals(Object.getPrototypeOf(store), Object.prototype);
  assertStrictEquals(store.items[0], again);
  assertEquals([store.error.code, store.tail.buffer.byteLength], [7, 3]);
  assertEquals(
    refusal(Object.assign(new Store(), { call: () => {} })),
    'Cannot send value: function "call" at call cannot be cloned',
  );
  assertEquals(
    refusal({ deep: [new EventTarget()] }),
    "Cannot send value: EventTarget at deep[0] cannot be cloned",
  );
});

Deno.test("Encoder: what only looks plain is refused: a Proxy of a Map, of a Date", () => {
  for (const target of [new Map([[1, 2]]), new Set([1]), new Date()]) {
    assertEquals(
      refusal({ state: new Proxy<object>(target, {}) }).endsWith(" at state cannot be cloned"),
      true,
    );
  }
  assertEquals(send({ state: new Proxy({ a: [1] }, {}) }), { state: { a: [1] } });
  class Empty {}
  assertEquals(send([new Empty(), Object.create(null), {}]), [{}, {}, {}]);
});

Deno.test("Encoder: what stands for a file, a database, a command is refused", () => {
  using file = Deno.openSync("deno.json");
  using watcher = Deno.watchFs("docs");
  using database = new DatabaseSync(":memory:");
  class Session implements AsyncDisposable {
    async [Symbol.asyncDispose](): Promise<void> {}
  }
  const statement = database.prepare("select 1");
  const command = new Deno.Command("true");
  for (const value of [file, watcher, database, statement, command, new Session()]) {
    assertEquals(
      refusal({ open: [value] }),
      `Cannot send value: ${value.constructor.name} at open[0] belongs to this thread; ` +
        "send what it was made of, such as a path or an address, and make it again there",
    );
  }
  class Command {}
  const foreign: object = runInNewContext("new (class Command {})()");
  const fake: object = Object.create(Date.prototype);
  assertEquals(send([new Command(), foreign, fake, runInNewContext("({})")]), [{}, {}, {}, {}]);
  assertEquals(send<object>(Object.assign(new Session(), { id: 7 })), { id: 7 });
});

Deno.test("Encoder: a refusal leaves nothing of a spilled value behind", () => {
  const big = new Uint8Array(5000);
  const shared = new SharedArrayBuffer(8);
  refusal([big, shared, "x".repeat(100_000), () => {}]);
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  assertEquals(refusal(detached), "Cannot send value: detached ArrayBuffer cannot be cloned");
  const view = new Uint8Array(8);
  structuredClone(view, { transfer: [view.buffer] });
  assertEquals(
    refusal({ frames: [view] }),
    "Cannot send value: detached ArrayBuffer at frames[0].buffer cannot be cloned",
  );
});

Deno.test("Encoder: what a getter throws is thrown, and the encoder goes on", () => {
  const value = {
    first: new Uint8Array(5000),
    get bad(): never {
      throw new RangeError("from getter");
    },
  };
  assertThrows(() => encoder.encode(value, words, bytes, 0, ROOM), RangeError, "from getter");
  assertEquals(encoder.externs, []);
  assertEquals(send([value.first]), [value.first]);
});

Deno.test("Encoder: a getter that encodes finds the encoder busy", () => {
  let busy = false;
  const value = {
    a: "before",
    get b(): number {
      busy = encoder.busy;
      return new Encoder().encode([1, 2], new Int32Array(10), new Uint8Array(40), 0, 10);
    },
    get c(): string {
      try {
        encoder.encode(1, words, bytes, 0, ROOM);
      } catch (error) {
        return (error as Error).message.slice(0, 37);
      }
      return "none";
    },
    d: [{ e: 1 }],
  };
  const expected = { a: "before", b: 3, c: "Cannot encode: the encoder is busy wi", d: [{ e: 1 }] };
  assertEquals(send(value) as unknown, expected);
  assertEquals(busy, true);
});

class Counter {
  constructor(readonly memory: SharedArrayBuffer) {}
  [HANDLE](): Handle {
    return { kind: "Counter", data: { memory: this.memory } };
  }
}
registerHandle("Counter", (data) => new Counter((data as Counter).memory));

Deno.test("Encoder/Decoder: an object with a handle is rebuilt from it", () => {
  const counter = new Counter(new SharedArrayBuffer(8));
  const [first, { second }, memory] = send([counter, { second: counter }, counter.memory] as const);
  assert(first instanceof Counter && first !== counter);
  assertStrictEquals(first, second);
  assertStrictEquals(first.memory, memory);
});

Deno.test("Decoder: a handle of unknown kind says what to import", () => {
  const lock = { [HANDLE]: (): Handle => ({ kind: "Gate", data: null }) };
  const error = assertThrows(() => send([1, lock]), Error);
  assertEquals(
    error.message,
    'Cannot receive "Gate": its module is not loaded here; ' +
      'mark the task with task(import.meta, ...), and import "@concurrent/futures" in its module',
  );
  assertEquals(send([1, { a: 2 }]), [1, { a: 2 }]);
});

Deno.test("Decoder: a handle of unknown kind in an error is text, and the error arrives", () => {
  const lock = { [HANDLE]: (): Handle => ({ kind: "Gate", data: { a: [1] } }) };
  const cause = Object.assign(new DOMException("inner", "AbortError"), { lock });
  const error = Object.assign(new RangeError("outer", { cause }), { list: [lock, lock] });
  const [copy, beside] = send([error, { c: 3 }] as const);
  const text = 'Cannot receive "Gate": its module is not loaded here; ' +
    'mark the task with task(import.meta, ...), and import "@concurrent/futures" in its module';
  assert(copy instanceof RangeError && copy.cause instanceof DOMException);
  assertEquals((copy.cause as typeof cause).lock as unknown, text);
  assertEquals([copy.list as unknown, beside], [[text, text], { c: 3 }]);
  // Besides the error, nothing here may be replaced.
  assertThrows(() => send([error, lock]), Error, "Cannot receive");
  assertEquals(send([1, { a: 2 }]), [1, { a: 2 }]);
});

Deno.test("Decoder: what it is to put for handles is in its hands", () => {
  const { words, bytes } = { words: new Int32Array(100), bytes: new Uint8Array(0) };
  const gate = { [HANDLE]: (): Handle => ({ kind: "Gate", data: 5 }) };
  new Encoder().encode([gate, 1, gate], words, new Uint8Array(words.buffer), 0, 100);
  const named = new Decoder(({ kind, data }) => `${kind} ${data}`);
  assertEquals(named.decode(words, bytes, 0), ["Gate 5", 1, "Gate 5"]);
});

Deno.test("Encoder/Decoder: an error arrives though parts of it cannot be read", () => {
  for (const part of ["name", "message", "stack", "cause", "errors", "code"]) {
    const error = new RangeError("gone wrong");
    Object.defineProperty(error, part, {
      enumerable: part === "code",
      get() {
        throw new Error("not readable");
      },
    });
    const copy = send(error);
    assert(copy instanceof RangeError);
    if (part !== "message") assertEquals(copy.message, "gone wrong");
  }
});

Deno.test("Encoder/Decoder: a message that is no text arrives as text", () => {
  const refuse = () => {
    throw new Error("not readable");
  };
  const cases: [message: unknown, text: string][] = [
    [404, "404"],
    [null, "null"],
    [["a", "b"], "a,b"],
    [{ status: 500 }, "[object Object]"],
    [Symbol("text"), "Symbol(text)"],
    [{ toString: refuse }, "Object"],
    [undefined, ""],
  ];
  for (const [message, text] of cases) {
    const copy = send(Object.assign(new RangeError("odd"), { message }));
    assert(copy instanceof RangeError);
    assertStrictEquals(copy.message as unknown, text);
  }
});

Deno.test("Encoder/Decoder: a Map is one, whatever its class is called, also where extras are refused", () => {
  class Registry extends Map<string, number> {
    override get [Symbol.toStringTag](): string {
      return "Registry";
    }
  }
  const strict = new Encoder();
  strict.refusalOf = () => () => new Error("no extras");
  strict.encode(new Registry([["a", 1]]), words, bytes, 0, ROOM);
  assertEquals(decoder.decode(words, bytes, 0), new Map([["a", 1]]));
});

Deno.test("Encoder: a refusal names a place outside of errors, whose parts are replaced by text", () => {
  const f = (): void => {};
  const value = [Object.assign(new Error("x"), { f }), { g: { f } }];
  assertThrows(
    () => new Encoder().encode(value, words, bytes, 0, ROOM),
    DOMException,
    'function "f" at [1].g.f cannot be cloned',
  );
});

Deno.test("Encoder: where extras are refused, the error says so, and in errors there is text", () => {
  const strict = new Encoder();
  strict.refusalOf = (extra) => (place) =>
    new RangeError(`no ${extra.constructor.name}${place} here`);
  const memory = new SharedArrayBuffer(8);
  const value = Object.assign(new Error("kept"), {
    memory,
    deep: { words: new Int32Array(memory) },
  });
  assertThrows(
    () => strict.encode([{ memory }], words, bytes, 0, ROOM),
    RangeError,
    "no SharedArrayBuffer at [0].memory here",
  );
  const next = strict.encode(value, words, bytes, 0, ROOM);
  assert(next > 0);
  const copy = decoder.decode(words, bytes, 0) as typeof value;
  assertEquals(copy.memory as unknown, "no SharedArrayBuffer here");
  assertEquals(copy.deep as unknown, "Object with SharedArrayBuffer: no SharedArrayBuffer here");
});

Deno.test("Decoder: rebuilding a handle may decode with the same decoder", () => {
  const inner = new Int32Array(64);
  new Encoder().encode({ inner: [{ a: 1 }] }, inner, new Uint8Array(inner.buffer), 0, 64);
  registerHandle("Nested", () => {
    return decoder.decode(inner, new Uint8Array(inner.buffer), 0) as object;
  });
  const nested = { [HANDLE]: (): Handle => ({ kind: "Nested", data: 1 }) };
  const shared = { x: 1 };
  const copy = send([shared, nested, shared, nested] as unknown[]);
  assertEquals(copy, [{ x: 1 }, { inner: [{ a: 1 }] }, { x: 1 }, { inner: [{ a: 1 }] }]);
  assertStrictEquals(copy[0], copy[2]);
  assertStrictEquals(copy[1], copy[3]);
});

Deno.test("Encoder/Decoder: an error that a runtime has made otherwise arrives as an error, with its code", () => {
  /** Like the errors of a failed import on Bun. */
  class ResolveMessage extends Error {
    get [Symbol.toStringTag](): string {
      return "ResolveMessage";
    }
    get code(): string {
      return "ERR_MODULE_NOT_FOUND";
    }
    override get name(): string {
      return "ResolveMessage";
    }
    override get message(): string {
      return "Cannot find module";
    }
    override get stack(): string {
      return "where it was";
    }
  }
  const sent: ResolveMessage = Object.create(ResolveMessage.prototype);
  assertEquals(Error.isError(sent), false);
  const got = send(sent);
  assertEquals([got.name, got.message, got.code, got.stack, Object.keys(got)], [
    "ResolveMessage",
    "Cannot find module",
    "ERR_MODULE_NOT_FOUND",
    "where it was",
    ["code"],
  ]);
  assertEquals(Object.hasOwn(send(new DOMException("no", "AbortError")), "code"), false);
});

Deno.test("an error's stack stays hidden where errors inherit an accessor for it", () => {
  const Native = globalThis.Error;
  const { prototype } = Native;
  const sent = new RangeError("no");
  globalThis.Error = function (): Error {
    const error = new Native();
    delete error.stack;
    return error;
  } as unknown as ErrorConstructor;
  Object.defineProperty(prototype, "stack", {
    configurable: true,
    get: () => "",
    set(value) {
      Object.defineProperty(this, "stack", { value, enumerable: true, configurable: true });
    },
  });
  let got: Error;
  try {
    got = send(sent);
  } finally {
    globalThis.Error = Native;
    delete prototype.stack;
  }
  assertEquals([got.message, got.stack, Object.keys(got)], ["no", sent.stack, []]);
});

Deno.test("lists in lists that count the same words are refused", () => {
  const size = 1000;
  const words = Int32Array.from({ length: size }, (_, at) => tags.ARRAY | (size - at - 1) << 8);
  assertThrows(
    () => decoder.decode(words, new Uint8Array(words.buffer), 0),
    RangeError,
    `a length of ${size - 2} is more than there is`,
  );
  const nested = Array.from({ length: 30 }).reduce((list: unknown) => [list, [], 1], []);
  assertEquals(send(nested), nested);
});

Deno.test("lengths that are more than there is are refused", () => {
  const counted = [
    "ARRAY",
    "ARRAY_LOOSE",
    "ARRAY_INT32",
    "ARRAY_DOUBLE",
    "DICTIONARY",
    "MAP",
    "SET",
    "UTF16",
  ] as const;
  const most = 2 ** 32 - 1;
  const cases = counted.map((tag) => [tags[tag] | tags.LONG << 8, most]);
  cases.push(
    [tags.LATIN1 | 1_000_000 << 8],
    [tags.TYPED, -8],
    [tags.OBJECT | 1_000_000 << 8, 0, 1],
    [tags.OBJECT | 1 << 8, 0, -2],
    [tags.ARRAY_SPARSE, 0, tags.DICTIONARY | tags.LONG << 8, most],
  );
  for (const [i, forged] of cases.entries()) {
    const words = Int32Array.from({ length: 16 }, (_, at) => forged[at] ?? 0);
    assertThrows(
      () => decoder.decode(words, new Uint8Array(words.buffer), 0),
      RangeError,
      "is more than there is",
      `${counted[i] ?? forged}`,
    );
  }
});
