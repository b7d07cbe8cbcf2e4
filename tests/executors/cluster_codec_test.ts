import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { NotShareableError, registerError } from "../../executors/mod.ts";
import { decodeValue } from "../../executors/cluster/_value_reader.ts";
import { encodeValue } from "../../executors/cluster/_value_writer.ts";
import { PayloadTooLargeError, RemoteError } from "../../executors/cluster/errors.ts";
import { SimpleQueue } from "../../queue/mod.ts";
import { Lock } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";

function again(value: unknown): unknown {
  return decodeValue(encodeValue(value, "arguments"));
}

class Registered extends Error {
  override readonly name = "Registered";
  constructor(message: string, readonly code: number) {
    super(message);
  }
}
registerError(Registered);

class Unregistered extends TypeError {
  override readonly name = "Unregistered";
}

class Unknown extends Error {
  override readonly name = "Unknown";
  readonly detail = [1, new Date(5)];
}

test("the codec of a cluster writes what JSON has as JSON has it", () => {
  const value = { list: [1, -2.5, "a", true, null], nested: { "": "x" } };
  assertEquals(encodeValue(value, "arguments"), JSON.stringify(value));
});

test("the codec of a cluster gives back what JSON lacks", () => {
  const values = [
    undefined,
    NaN,
    Infinity,
    -Infinity,
    -0,
    0n,
    -(2n ** 200n),
    new Date(5),
    new Date(NaN),
    new Map<unknown, unknown>([["a", [undefined]], [{ b: 1 }, new Set([1n])]]),
    new Set(["a", NaN]),
    /a+b/giu,
    new Uint8Array([0, 255]),
    new Float64Array([0.5, NaN]),
    ...(typeof Float16Array === "function" ? [new Float16Array([0.5, 2])] : []),
    new BigInt64Array([-1n]),
    new DataView(new Uint8Array([1, 2, 3]).buffer),
    new Uint8Array([1, 2, 3]).buffer,
    { $: "Date", v: 5 },
    { a: { $: 1 } },
    [undefined, [undefined]],
    Object("text"),
    [Object(-0), Object(true), Object(1n)],
    /b(?<letter>.)/.exec("abc"),
  ];
  for (const value of values) assertEquals(again(value), value);
  assertEquals(again(values), values);
});

test("the codec of a cluster sends a view's own bytes, and no others of its buffer", () => {
  const bytes = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
  const copy = again(bytes) as Uint8Array;
  assertEquals([...copy], [1, 2]);
  assertEquals(copy.buffer.byteLength, 2);
});

test("the codec of a cluster gives back any JSON value, and any text", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assertEquals(again(value), value);
  }));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertStrictEquals(again(text), text);
  }));
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
  });
  fc.assert(fc.property(anything, (value) => {
    assertEquals(again(value), structuredClone(value));
  }));
});

test("the codec of a cluster keeps an error's class, text, fields, cause and stack", () => {
  const error = new RangeError("odd", { cause: new Registered("inner", 7) });
  const copy = again(error) as RangeError;
  assertInstanceOf(copy, RangeError);
  assertEquals([copy.message, copy.name, copy.stack], ["odd", "RangeError", error.stack]);
  assertInstanceOf(copy.cause, Registered);
  assertEquals([copy.cause.message, copy.cause.code], ["inner", 7]);
  assert(!Object.keys(copy).includes("message"));
  const several = again(new AggregateError([new TypeError("a"), 5], "both")) as AggregateError;
  assertInstanceOf(several, AggregateError);
  assertInstanceOf(several.errors[0], TypeError);
  assertEquals(several.errors[1], 5);
});

test("the codec of a cluster gives an error of an unknown class as the nearest known one, or a RemoteError", () => {
  const near = again(new Unregistered("near")) as Error;
  assertInstanceOf(near, TypeError);
  assertEquals(near.name, "Unregistered");
  const error = new Unknown("far");
  const far = again(error) as RemoteError & { detail: unknown };
  assert(RemoteError.is(far));
  assertEquals([far.name, far.message, far.stack], ["Unknown", "far", error.stack]);
  assertEquals(far.detail, [1, new Date(5)]);
});

test("the codec of a cluster writes words in place of what an error has that cannot be sent", () => {
  const error = Object.assign(
    new AggregateError([new Lock(), "kept"], "several", { cause: { at: Symbol("id") } }),
    { self: undefined as unknown, later: Promise.resolve(), toString: () => "" },
  );
  error.self = error;
  Object.defineProperty(error, "gone", {
    enumerable: true,
    get() {
      throw new Error("It is not there");
    },
  });
  const copy = again({ error }) as { error: AggregateError & Record<string, unknown> };
  assertInstanceOf(copy.error, AggregateError);
  const { message, errors, cause, self, later, gone } = copy.error;
  assertEquals(
    [message, errors, cause, self, later, gone],
    ["several", ["Lock", "kept"], "Object", "Error", "Promise", undefined],
  );
  assertEquals(Object.hasOwn(copy.error, "toString"), false);
});

test("the codec of a cluster sends an error although its name, message, stack or errors are unusual", () => {
  const refuse = () => {
    throw new Error("It is not there");
  };
  const own = { name: "RangeError", message: "odd", stack: "RangeError: odd\n    at here" };
  const cases: [unusual: PropertyDescriptorMap, differs: Partial<typeof own>][] = [
    [{ name: { value: Symbol("name") } }, {}],
    [{ name: { value: 5 } }, {}],
    [{ name: { get: refuse } }, {}],
    [{ message: { value: undefined } }, { message: "" }],
    [{ message: { value: Symbol("text") } }, { message: "Symbol(text)" }],
    [{ message: { value: ["a", "b"] } }, { message: "a,b" }],
    [{ message: { value: { toString: refuse } } }, { message: "Object" }],
    [{ message: { get: refuse } }, { message: "" }],
    [{ stack: { value: undefined } }, { stack: "RangeError: odd" }],
    [{ stack: { get: refuse } }, { stack: "RangeError: odd" }],
    [{ errors: { get: refuse } }, {}],
  ];
  for (const [unusual, differs] of cases) {
    const error = Object.defineProperty(new RangeError("odd"), "stack", { value: own.stack });
    const copy = again(Object.defineProperties(error, unusual)) as RangeError;
    assertStrictEquals(Object.getPrototypeOf(copy), RangeError.prototype);
    const { name, message, stack } = copy;
    assertEquals({ name, message, stack }, { ...own, ...differs }, Deno.inspect(unusual));
  }
  class Errors extends Array<unknown> {
    toJSON(): string {
      return "text";
    }
  }
  const several = again(Object.assign(new AggregateError([]), { errors: new Errors("a", "b") }));
  assertEquals((several as AggregateError).errors, ["a", "b"]);
});

test("the codec of a cluster keeps a DOMException, and the two errors of a SuppressedError", () => {
  const abort = new DOMException("odd", "AbortError");
  const own = Object.assign(new DOMException("", "Own"), { cause: abort, detail: 1n });
  const copy = again(own) as typeof own;
  assertInstanceOf(copy, DOMException);
  assertEquals([copy.name, copy.message, copy.detail], ["Own", "", 1n]);
  assertInstanceOf(copy.cause, DOMException);
  const { name, message, code, stack } = copy.cause;
  assertEquals([name, message, code, stack], ["AbortError", "odd", 20, abort.stack]);
  // Node 20 does not have this class.
  if (typeof SuppressedError !== "function") return;
  const both = again(new SuppressedError(abort, "first", "both")) as SuppressedError;
  assertInstanceOf(both, SuppressedError);
  assertEquals([both.message, both.suppressed], ["both", "first"]);
  assertInstanceOf(both.error, DOMException);
});

test("the codec of a cluster sends the items of an array of a user's class, and never calls that", () => {
  class List extends Array<unknown> {
    static calls = 0;
    static made(...items: unknown[]): List {
      return Object.setPrototypeOf(items, List.prototype);
    }
    constructor() {
      super();
      List.calls++;
    }
    toJSON(): string {
      return "text";
    }
  }
  assertEquals(again([List.made(1, "a"), List.made(1, undefined)]), [[1, "a"], [1, undefined]]);
  assertEquals(List.calls, 0);
});

test("the codec of a cluster says of what it cannot read what was thrown, and where", () => {
  const refuse = () => {
    throw new RangeError("odd");
  };
  const getter = { enumerable: true, get: refuse };
  const traps = { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse };
  function SymbolNamed(): void {}
  Object.defineProperty(SymbolNamed, "name", { value: Symbol("name") });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cases: [value: unknown, text: string][] = [
    [
      [{ a: Object.defineProperty({}, "x", getter) }],
      "reading it threw RangeError: odd at [0].a.x",
    ],
    [{ a: Object.defineProperty([1], 0, getter) }, "reading it threw RangeError: odd at .a"],
    [{ a: new Proxy({}, traps) }, "reading it threw RangeError: odd at .a"],
    [new Proxy([1], { get: refuse }), "reading it threw RangeError: odd"],
    [new Proxy(new Error("odd"), traps), "reading it threw RangeError: odd"],
    [[revoked.proxy], "reading it threw TypeError: Cannot perform"],
    [Object.defineProperty(new Set([1]), Symbol.iterator, getter), "threw RangeError: odd"],
    [
      Object.defineProperty({}, "x", {
        enumerable: true,
        get() {
          throw new Proxy(new NotShareableError("odd"), traps);
        },
      }),
      "Cannot send arguments to another machine: reading it threw object at .x",
    ],
    [
      Object.defineProperty({}, "x", {
        enumerable: true,
        get() {
          throw Object.setPrototypeOf({}, { constructor: SymbolNamed });
        },
      }),
      "reading it threw Object at .x",
    ],
  ];
  for (const [value, text] of cases) {
    assertThrows(() => encodeValue(value, "arguments"), NotShareableError, text);
  }
});

test("the codec of a cluster refuses what stays on its machine, and says where it is", () => {
  class Session implements Disposable {
    [Symbol.dispose](): void {}
  }
  const cycle: unknown[] = [];
  cycle.push({ cycle });
  let deep: unknown = 1;
  for (let i = 0; i < 1000; i++) deep = [deep];
  const cases: [value: unknown, text: string][] = [
    [[{ callback: () => {} }], 'function "callback" cannot be cloned at [0].callback'],
    [[1, Symbol("id")], "Symbol(id) cannot be cloned at [1]"],
    [[new Lock()], "lives in this machine's memory"],
    [{ log: new SimpleQueue() }, "lives in this machine's memory"],
    [new Int32Array(new SharedArrayBuffer(4)), "shared memory does not cross machines"],
    [{ a: new SharedArrayBuffer(4) }, "shared memory does not cross machines"],
    [cycle, "it contains itself"],
    [deep, "nested more than"],
    [Promise.resolve(), "Promise cannot be cloned"],
    [new WeakMap(), "WeakMap cannot be cloned"],
    [{ page: new URL("https://deno.com") }, "URL cannot be cloned at .page"],
    [[new Headers()], "Headers cannot be cloned at [0]"],
    [new Blob(), "Blob cannot be cloned"],
    [{ open: new Session() }, "Session cannot be cloned at .open"],
    [[1].values(), "Array Iterator cannot be cloned"],
    [new Intl.NumberFormat(), "Intl.NumberFormat cannot be cloned"],
    [Object(Symbol("id")), "Symbol cannot be cloned"],
    [
      Object.assign([1], { callback: () => {} }),
      'function "callback" cannot be cloned at .callback',
    ],
  ];
  for (const [value, text] of cases) {
    assertThrows(() => encodeValue(value, "arguments"), NotShareableError, text);
  }
});

test("the codec of a cluster reads all that it writes, however deep", () => {
  const kinds: [name: string, wrap: (value: unknown) => object][] = [
    ["array", (value) => [value]],
    ["object", (value) => ({ a: value })],
    ["object with the key $", (value) => ({ $: value })],
    ["Map", (value) => new Map([[1, value]])],
    ["key of a Map", (value) => new Map([[value, 1]])],
    ["Set", (value) => new Set([value])],
    ["array with a name", (value) => Object.assign([value], { name: 1 })],
    ["name of an array", (value) => Object.assign([1], { name: value })],
    ["cause", (value) => new Error("odd", { cause: value })],
    ["field", (value) => Object.assign(new Error("odd"), { field: value })],
    ["errors", (value) => new AggregateError([value])],
  ];
  for (const [name, wrap] of kinds) {
    let value: unknown = undefined;
    for (let i = 0; i < 500; i++) value = wrap(value);
    const text = encodeValue(value, "arguments");
    assertEquals(encodeValue(decodeValue(text), "arguments") === text, true, name);
    // As the results of a chunk are put together.
    assert(Array.isArray(decodeValue(`[1,[${text}],[]]`)), name);
    if (value instanceof Error) continue; // What is too deep in an error is written as words.
    assertThrows(() => encodeValue([value], "arguments"), NotShareableError, "500 levels", name);
  }
});

test("the codec of a cluster refuses what is too large before it makes the text", () => {
  const bytes = 1_000;
  const limit = { bytes, error: (size: string) => new PayloadTooLargeError(`It takes ${size}`) };
  const sparse: unknown[] = [];
  sparse[999_999] = 1;
  let tree: unknown = [];
  for (let i = 0; i < 20; i++) tree = [tree, tree];
  const large = "x".repeat(1_000_000);
  const cases: [value: unknown, size: string][] = [
    [sparse, "at least 2000000"],
    [{ a: [sparse] }, "at least 2000005"],
    [Object.assign(new AggregateError([]), { stack: "", errors: sparse }), "at least 2000014"],
    [tree, "at least 1004"],
    [large, "at least 1000000"],
    [new Uint8Array(1_000_000), "at least 1333336"],
    [new ArrayBuffer(1_000_000), "at least 1333336"],
    [new Set([large]), "at least 1000002"],
    [new Map(Array.from({ length: 500 }, (_, i) => [i, i])), "at least 2000"],
    [{ [large]: 1 }, "at least 1000002"],
    [new RegExp(large), "at least 1000000"],
    ["\n".repeat(500), "1002"],
    ["x".repeat(999), "1001"],
  ];
  for (const [value, size] of cases) {
    assertThrows(() => encodeValue(value, "arguments", limit), PayloadTooLargeError, size);
  }
  for (const value of ["x".repeat(998), new Array(499).fill(1), new Uint8Array(700)]) {
    assert(encodeValue(value, "arguments", limit).length > 900);
  }
});

test("the codec of a cluster replaces a part of an error by words for which there is no room", () => {
  const limit = { bytes: 1_000, error: (size: string) => new PayloadTooLargeError(size) };
  const response = { status: 500, body: "x".repeat(10_000), parse: () => {} };
  const error = Object.assign(new Error("failed"), { stack: "", code: "E500", response });
  const inner = Object.assign(new Error("inner"), { stack: "", response });
  const cases: [error: Error, fields: Record<string, unknown>][] = [
    [error, { code: "E500", response: "Object" }],
    [Object.assign(new Error("outer"), { stack: "", inner }), { inner: "Error" }],
  ];
  for (const [sent, fields] of cases) {
    const copy = decodeValue(encodeValue(sent, "error", limit)) as Error;
    assertEquals([copy.message, { ...copy }], [sent.message, fields]);
  }
});

test("the codec of a cluster does not count a part of an error that it has replaced by words", () => {
  const limit = { bytes: 1_000, error: (size: string) => new PayloadTooLargeError(size) };
  const error = Object.assign(new Error("odd"), { stack: "" });
  for (let i = 0; i < 10; i++) Object.assign(error, { [i]: ["x".repeat(500), new Lock()] });
  const copy = decodeValue(encodeValue(error, "error", limit)) as typeof error;
  assertEquals(Object.values(copy), new Array(10).fill("Array"));
});

test("the codec of a cluster refuses hostile text with a TypeError, and changes nothing by reading it", () => {
  const deep = (open: string, close: string) => open.repeat(100_000) + close.repeat(100_000);
  const texts = [
    "",
    "{",
    '{"__proto__":{"polluted":1}}',
    '[{"a":{"__proto__":{"polluted":1}}}]',
    '{"$":"constructor"}',
    '{"$":"__proto__","v":""}',
    '{"$":"toString","v":"AA=="}',
    '{"$":null}',
    '{"$":{"$":"undefined"}}',
    '{"$":"number","v":"1e9"}',
    '{"$":"bigint","v":"0x12; x"}',
    '{"$":"bigint","v":12}',
    '{"$":"Date","v":"now"}',
    '{"$":"Map","v":{"length":1e9}}',
    '{"$":"Map","v":[[1]]}',
    '{"$":"Set","v":5}',
    '{"$":"RegExp","v":["(",""]}',
    '{"$":"RegExp","v":"a"}',
    '{"$":"Uint8Array","v":"!"}',
    '{"$":"Uint8Array","v":1000000000}',
    '{"$":"Float64Array","v":"AA=="}',
    '{"$":"ArrayBuffer","v":["a"]}',
    '{"$":"Object","v":[[1,2]]}',
    '{"$":"Array","v":[1,[]]}',
    '{"$":"Array","v":[[1],[["length",1e9]]]}',
    '{"$":"Array","v":[[],[["4294967294",1]]]}',
    '{"$":"Error","v":null}',
    '{"$":"Error","v":{"class":"Error","name":"E"}}',
    '{"$":"Error","v":{"name":"E","message":"m"}}',
    '{"$":"DOMException","v":"m"}',
    '{"$":"DOMException","v":{"name":5,"message":"m"}}',
    '{"$":"Error","v":{"class":"Error","name":"E","message":"m","errors":5}}',
    '{"$":"Error","v":{"class":"Error","name":"E","message":"m","fields":{"length":5}}}',
    deep("[", "]"),
    deep('{"a":', "}").replace("}", "1}"),
  ];
  for (const text of texts) {
    assertThrows(() => decodeValue(text), TypeError, "Cannot read value", text.slice(0, 60));
  }
  assertEquals((({}) as { polluted?: number }).polluted, undefined);
});

test("the codec of a cluster makes own properties of any key, and calls no setter", () => {
  const object = again({ $: 1, toString: 2, constructor: 3 }) as Record<string, unknown>;
  assertEquals(Object.keys(object), ["$", "toString", "constructor"]);
  const named = JSON.parse('{"__proto__":{"a":1},"b":2}');
  const copy = again(named) as object;
  assertStrictEquals(Object.getPrototypeOf(copy), Object.prototype);
  assertEquals(Object.keys(copy), ["__proto__", "b"]);
  const error = decodeValue(
    '{"$":"Error","v":{"class":"__proto__","name":"E","message":"m","fields":[["__proto__",{"x":1}],["stack",1]]}}',
  ) as Error;
  assert(RemoteError.is(error));
  assertEquals(Object.hasOwn(error, "__proto__"), true);
  assertEquals(typeof error.stack, "string");
});
