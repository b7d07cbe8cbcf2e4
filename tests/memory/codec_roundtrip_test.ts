/**
 * Every type one by one, with structuredClone as the oracle, and random nested values.
 *
 * Each value is sent in four ways: with ample room in shared memory and in a plain buffer, and in
 * both with room for a few words only, so that it spills at every place at which it can.
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { Decoder } from "../../_memory/decoder.ts";
import { Encoder } from "../../_memory/encoder.ts";

const ROOM = 1 << 16;
const RUNS = 400;

const encoder = new Encoder();
const decoder = new Decoder();
const targets = [new SharedArrayBuffer(ROOM * 4), new ArrayBuffer(ROOM * 4)].map((buffer) => ({
  words: new Int32Array(buffer),
  bytes: new Uint8Array(buffer),
}));

/** Sends a value through memory with `room` words left for it. */
function send(value: unknown, room = ROOM - 8, target = targets[0]): unknown {
  const { words, bytes } = target;
  const start = 5;
  words.fill(0x5a5a5a5a, 0, 4096);
  const next = encoder.encode(value, words, bytes, start, start + room);
  assertEquals(words[start - 1], 0x5a5a5a5a, "wrote before start");
  if (start + room < 4096) assertEquals(words[start + room], 0x5a5a5a5a, "wrote past end");
  let result: unknown;
  if (next >= 0) {
    result = decoder.decode(words, bytes, start);
    assertEquals(decoder.position, next);
  } else {
    const offset = 64;
    const size = encoder.blockBytes;
    const block = offset + size <= words.length * 4 ? target : memory(offset + size + 64);
    encoder.copyTo(block.words, block.bytes, offset);
    const externBase = offset + ((encoder.spillWords + 1) & ~1) * 4;
    const extras = encoder.extras.length > 0 ? structuredClone([...encoder.extras]) : [];
    result = decoder.decode(block.words, block.bytes, offset / 4, externBase, extras);
    assertEquals(decoder.position, offset / 4 + encoder.spillWords);
  }
  encoder.reset();
  return result;
}

function memory(size: number): { words: Int32Array; bytes: Uint8Array } {
  const buffer = new SharedArrayBuffer((size + 7) & ~7);
  return { words: new Int32Array(buffer), bytes: new Uint8Array(buffer) };
}

/** Sends a value in all four ways, and compares it with its structured clone. */
function check(value: unknown): void {
  const expected = structuredClone(value);
  for (const target of targets) {
    assertSame(send(value, undefined, target), expected);
    for (const room of [0, 1, 2, 3, 5, 9, 20, 50]) assertSame(send(value, room, target), expected);
  }
}

/** Equality to the last bit: -0, holes, key order, prototypes, shared references. */
function assertSame(
  actual: unknown,
  expected: unknown,
  path = "value",
  seen = new Map<unknown, unknown>(),
): void {
  if (typeof expected !== "object" || expected === null) {
    assert(Object.is(actual, expected), `${path}: ${String(actual)} is not ${String(expected)}`);
    return;
  }
  if (seen.has(expected)) return assertStrictEquals(actual, seen.get(expected), path);
  seen.set(expected, actual);
  assert(typeof actual === "object" && actual !== null, `${path} is no object`);
  assertStrictEquals(Object.getPrototypeOf(actual), Object.getPrototypeOf(expected), path);
  assertEquals(kind(actual), kind(expected), path);
  if (ArrayBuffer.isView(expected)) {
    const view = actual as Uint8Array;
    assertEquals(view.byteLength, expected.byteLength, path);
    assertEquals(bytesOf(view), bytesOf(expected), path);
    if (!(expected.buffer instanceof SharedArrayBuffer)) {
      assert(view.buffer instanceof ArrayBuffer, `${path} is not a copy`);
    }
    return;
  }
  if (expected instanceof ArrayBuffer) {
    const buffer = actual as ArrayBuffer;
    assertEquals(buffer.resizable, expected.resizable);
    assertEquals(buffer.maxByteLength, expected.maxByteLength);
    return assertEquals(new Uint8Array(buffer), new Uint8Array(expected), path);
  }
  if (expected instanceof Date) {
    return assert(Object.is((actual as Date).getTime(), expected.getTime()), path);
  }
  if (expected instanceof RegExp) {
    assertEquals((actual as RegExp).lastIndex, expected.lastIndex);
    return assertEquals(String(actual), String(expected), path);
  }
  if (/^(Boolean|Number|String|BigInt)$/.test(kind(expected))) {
    assert(Object.is(actual.valueOf(), expected.valueOf()), path);
  }
  if (expected instanceof Map) {
    return assertSame([...(actual as typeof expected)], [...expected], `${path}.entries()`, seen);
  }
  if (expected instanceof Set) {
    return assertSame([...(actual as typeof expected)], [...expected], `${path}.values()`, seen);
  }
  if (Array.isArray(expected)) assertEquals((actual as unknown[]).length, expected.length, path);
  assertEquals(Object.keys(actual), Object.keys(expected), path);
  for (const key of Object.keys(expected)) {
    assertSame(
      (actual as Record<string, unknown>)[key],
      (expected as Record<string, unknown>)[key],
      `${path}[${JSON.stringify(key)}]`,
      seen,
    );
  }
}

function kind(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

// Each behaviour, with values that show it.
const VALUES: [behavior: string, values: () => unknown[]][] = [
  ["constants", () => [undefined, null, true, false]],
  ["integers of 24 bits", () => [0, 1, -1, 8388607, -8388608, 123456]],
  ["integers of 32 bits", () => [8388608, -8388609, 2147483647, -2147483648]],
  [
    "doubles",
    () => [0.5, -0, NaN, Infinity, -Infinity, 2147483648, -2147483649, 5e-324, 2 ** 53, 1.7e308],
  ],
  [
    "bigints of any size",
    () => [
      0n,
      -1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      2n ** 63n,
      -(2n ** 63n) - 1n,
      2n ** 64n,
      10n ** 500n,
      -(10n ** 500n),
    ],
  ],
  [
    "short strings",
    () => ["", "a", "ab", "abc", "abcd", "abcde", "x".repeat(39), "x".repeat(40), "\0", "\xff\xe9"],
  ],
  [
    "long strings",
    () => [
      "x".repeat(41),
      "y".repeat(4000),
      "\xe9".repeat(100),
      "日本".repeat(60),
      "😀".repeat(30),
    ],
  ],
  ["a byte order mark in a string", () => ["\ufeff", "\ufeff" + "x".repeat(100)]],
  [
    "lone surrogates",
    () => ["\ud800", "a\udc00b", "\udc00\ud800".repeat(50), "x".repeat(9001) + "\ud83d"],
  ],
  ["strings beyond Latin-1", () => ["日", "日本語", "a日", "😀"]],
  ["arrays of integers", () => [[], [1], [123, 456], [0, -1, 2 ** 31 - 1], Array(100).fill(7)]],
  ["arrays of doubles", () => [[0.5], [1, 2.5], [1, -0], [NaN], Array(100).fill(1.5)]],
  [
    "arrays that begin with numbers",
    () => [[1, "a"], [1, 2.5, null], [1, undefined], [0, [0]], [1.5, "x"], [1, 2n]],
  ],
  [
    "arrays with holes",
    // deno-lint-ignore no-sparse-arrays
    () => [[,], [1, , 3], [, "a"], ["a", , undefined, ,], Array(3), Array(100), Array(33)],
  ],
  ["huge sparse arrays", () => {
    const far: unknown[] = [1];
    far[1e9] = "end";
    const named = Object.assign(new Array(1e6), { name: "n" });
    named[5] = { a: 1 };
    return [Array(1e9), far, named, Array(2 ** 32 - 1)];
  }],
  ["arrays with named properties", () => [
    Object.assign([1, 2], { x: 1 }),
    Object.assign([], { x: [1] }),
    // deno-lint-ignore no-sparse-arrays
    Object.assign([, 2], { "-1": 1, b: 2 }),
    Object.assign(Array(100).fill(1), { x: 1 }),
    Object.assign(Array.from({ length: 60 }, (_, i) => ({ i })), { x: 1 }),
    /(\d)(\w)/.exec("1a"),
    Object.assign(["a"], { ["__proto__"]: 1 }),
  ]],
  ["subclasses of Array as arrays", () => [(class extends Array {}).from([1, "a", 3])]],
  ["plain objects", () => [
    {},
    { a: 1 },
    { b: 1, a: 2, "": 3 },
    { 2: 1, 1: 2, b: 3, "-1": 4, "01": 5 },
    { a: { a: { a: {} } } },
    { u: undefined, n: null },
    { ["k".repeat(9000)]: 1, b: { ["k".repeat(9000)]: 1, b: 2 } },
    { "日本": 1, "\ud800": 2, ["k".repeat(100)]: 3 },
    Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, i])),
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [i, i])),
  ]],
  ["objects of one shape", () => [
    Array.from({ length: 40 }, (_, i) => ({ id: i, name: `n${i}`, next: { id: i } })),
  ]],
  ["__proto__ as an own key", () => [
    JSON.parse('{"__proto__": {"x": 1}}'),
    JSON.parse('{"a": 1, "__proto__": null, "b": [2]}'),
    Object.fromEntries([...Array(40).keys(), "__proto__"].map((k) => [k, k])),
  ]],
  ["objects without prototype", () => [Object.assign(Object.create(null), { a: 1 })]],
  ["instances as plain objects", () => {
    class Point {
      x = 1;
      #hidden = 2;
      get sum(): number {
        return this.x + this.#hidden;
      }
    }
    return [new Point(), [new Point()]];
  }],
  ["own getters as their values", () => [{
    get a(): number {
      return 1;
    },
    b: 2,
  }]],
  ["symbol keys as nothing", () => [{ [Symbol("s")]: 1, a: 2 }]],
  [
    "maps",
    () => [new Map(), new Map<unknown, unknown>([[1, 2], ["a", { b: 1 }], [{}, NaN], [NaN, -1]])],
  ],
  ["sets", () => [new Set(), new Set<unknown>([1, "a", {}, [1], undefined])]],
  ["subclasses of Map and Set", () => [new (class extends Map {})(), new (class extends Set {})()]],
  ["dates", () => [new Date(0), new Date(NaN), new Date(-1.5e12), new Date(8.64e15)]],
  ["regular expressions", () => {
    const used = /a/g;
    used.lastIndex = 3;
    return [/a/, /[/]\n"/giu, new RegExp(""), new RegExp("x".repeat(200), "v"), used];
  }],
  ["regular expressions that say something else of themselves", () => [
    Object.defineProperty(/a/i, "flags", { value: "gm" }),
    new (class extends RegExp {
      override get flags(): string {
        return "g";
      }
    })("a", "i"),
    Object.setPrototypeOf(/a/gi, null),
  ]],
  [
    "boxed primitives",
    () => [Object(true), Object(-0), Object("s"), Object("日".repeat(50)), Object(5n)],
  ],
  ["array buffers", () => [
    new ArrayBuffer(0),
    Uint8Array.of(1, 2, 3).buffer,
    new Uint8Array(1023).fill(7).buffer,
    new Uint8Array(1024).fill(7).buffer,
    new Uint8Array(5001).fill(7).buffer,
  ]],
  ["resizable buffers", () => [
    new ArrayBuffer(8, { maxByteLength: 16 }),
    new ArrayBuffer(0, { maxByteLength: 0 }),
    new ArrayBuffer(5000, { maxByteLength: 9000 }),
    { a: new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })).fill(3) },
  ]],
  ["objects whose tag lies", () => [
    { [Symbol.toStringTag]: "Map", a: 1 },
    Object.assign(Object.create({ [Symbol.toStringTag]: "Date" }), { a: 1 }),
    Object.assign(Object.create(Map.prototype), { a: 1 }),
    new (class extends Map<number, number> {
      override get [Symbol.toStringTag](): string {
        return "Object";
      }
    })([[1, 2]]),
    new (class extends Map<number, number> {
      override get [Symbol.toStringTag](): string {
        return "Set";
      }
    })([[1, 2]]),
    new (class extends Date {
      readonly [Symbol.toStringTag] = "RegExp";
    })(5),
    ...["Object", "Map"].map((tag) =>
      new (class extends Error {
        get [Symbol.toStringTag](): string {
          return tag;
        }
      })("failed")
    ),
    Object.assign(Object.create({ [Symbol.toStringTag]: "Object" }), { a: 1 }),
    Object.assign(Object.create({ [Symbol.toStringTag]: "DOMException" }), { message: "m" }),
  ]],
  ["objects of unknown tag through structured clone", () => [
    Object.assign(Object.create({ [Symbol.toStringTag]: "Foo" }), { a: 1 }),
  ]],
];
for (const [behavior, values] of VALUES) {
  Deno.test(`Encoder/Decoder: carries ${behavior}`, () => {
    for (const value of values()) check(value);
    check(values());
  });
}

type View = new (buffer: ArrayBuffer, at?: number, length?: number) => ArrayBufferView;
const VIEWS: (View & { name: string })[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
];
for (const View of VIEWS) {
  Deno.test(`Encoder/Decoder: carries ${View.name}`, () => {
    for (const size of [0, 8, 16, 1016, 1024, 4096]) {
      const buffer = new ArrayBuffer(size);
      new Uint8Array(buffer).forEach((_, i, bytes) => bytes[i] = i * 7);
      check(new View(buffer));
      check(["odd", new View(buffer), new View(buffer.slice())]);
      if (size > 8) check(new View(buffer, 8, 1));
    }
  });
}

Deno.test("Encoder/Decoder: two views of a buffer share it", () => {
  const buffer = new Uint8Array(64).map((_, i) => i).buffer;
  const cases: (() => [ArrayBufferView, ArrayBufferView])[] = [
    () => [new Uint8Array(buffer), new Float64Array(buffer)],
    () => [new Uint8Array(buffer, 8, 8), new Float64Array(buffer, 16, 2)],
    () => [new Uint8Array(buffer, 8, 8), new Float64Array(buffer)],
    () => [new DataView(buffer), new Uint8Array(buffer, 4, 50)],
    () => [new Uint8Array(buffer, 4, 50), new DataView(buffer, 1)],
  ];
  for (const make of cases) {
    for (const room of [ROOM - 8, 3]) {
      const views = make();
      const copies = send(views, room) as typeof views;
      assertStrictEquals(copies[0].buffer, copies[1].buffer);
      assertEquals(copies[0].buffer.byteLength, 64);
      assertEquals(copies.map((view) => view.byteOffset), views.map((view) => view.byteOffset));
      assertSame(copies, structuredClone(views));
    }
  }
});

Deno.test("Encoder/Decoder: a view and its buffer stay together", () => {
  const buffer = new Uint8Array(16).fill(3).buffer;
  const parts = () => [new Uint8Array(buffer), new Uint8Array(buffer, 4, 4), new DataView(buffer)];
  for (const part of parts()) {
    for (
      const value of [[part, buffer, buffer], [buffer, part, part, buffer], [part, { buffer }]]
    ) {
      check(value);
      const copy = send(value) as unknown[];
      const copiedView = copy.find((item) => ArrayBuffer.isView(item)) as Uint8Array;
      const last = copy.at(-1) as ArrayBuffer | { buffer: ArrayBuffer };
      assertStrictEquals(copiedView.buffer, "buffer" in last ? last.buffer : last);
    }
  }
});

Deno.test("Encoder/Decoder: a single view of a small part is copied alone", () => {
  const part = new Uint8Array(new ArrayBuffer(1 << 20), 4096, 100).fill(9);
  const copy = send(part) as Uint8Array;
  assertEquals(copy, part);
  assertEquals(copy.buffer.byteLength, 100);
});

Deno.test("Encoder/Decoder: shared buffers are shared, not copied", () => {
  const shared = new SharedArrayBuffer(64);
  const view = new Int32Array(shared, 8, 4);
  const copy = send({ shared, view, again: new DataView(shared) }) as {
    shared: SharedArrayBuffer;
    view: Int32Array;
    again: DataView;
  };
  view[1] = 77;
  assertEquals(copy.view[1], 77);
  assertEquals([copy.view.byteOffset, copy.view.length], [8, 4]);
  assertStrictEquals(copy.view.buffer, copy.shared);
  assertStrictEquals(copy.again.buffer, copy.shared);
});

Deno.test("Encoder/Decoder: what is read out is no view of the memory", () => {
  const target = targets[0];
  const source = Float64Array.of(1.5, 2.5);
  assert(encoder.encode(source, target.words, target.bytes, 1, 100) > 0);
  const copy = decoder.decode(target.words, target.bytes, 1) as Float64Array;
  target.words.fill(0, 0, 100);
  assertEquals(copy, source);
});

Deno.test("Encoder/Decoder: transferred objects become extras", () => {
  const buffer = new Uint8Array(32).fill(1).buffer;
  const channel = new MessageChannel();
  const transfer = new Set<object>([buffer, channel.port1]);
  const { words, bytes } = targets[0];
  const value = { buffer, view: new Uint16Array(buffer, 2, 3), port: channel.port1 };
  assertEquals(encoder.encode(value, words, bytes, 0, 1000, transfer), -1);
  assertEquals(encoder.extras, [buffer, channel.port1]);
  encoder.copyTo(words, bytes, 8);
  const copy = decoder.decode(words, bytes, 2, 0, [...encoder.extras]) as typeof value;
  assertStrictEquals(copy.buffer, buffer);
  assertStrictEquals(copy.view.buffer, buffer);
  assertEquals([copy.view.byteOffset, copy.view.length], [2, 3]);
  assertStrictEquals(copy.port, channel.port1);
  channel.port1.close();
  channel.port2.close();
  encoder.reset();
  assertEquals(encoder.extras, []);
});

Deno.test("Encoder/Decoder: cycles and shared references keep identity", () => {
  interface Node {
    self?: Node;
    list: unknown[];
    map: Map<unknown, unknown>;
    set: Set<unknown>;
  }
  const node: Node = { list: [], map: new Map(), set: new Set() };
  node.self = node;
  node.list.push(node.list, node);
  node.map.set(node.map, node);
  node.set.add(node.set);
  check(node);
  const date = new Date(1);
  check([date, date, { date }]);
  const many = Array.from({ length: 100 }, (_, i) => ({ i }));
  check([...many, ...many, many]);
});

Deno.test("Encoder/Decoder: deep nesting throws or arrives, and leaves both usable", () => {
  for (const depth of [1000, 1_000_000]) {
    let value: unknown[] = [];
    for (let i = 0; i < depth; i++) value = [value];
    try {
      let copy = send(value) as unknown[];
      let levels = 0;
      while (copy.length > 0) (copy = copy[0] as unknown[]), levels++;
      assertEquals(levels, depth);
    } catch (error) {
      assert(error instanceof RangeError, String(error));
      assert(depth > 1000);
    }
    check([1, { a: "b" }]);
  }
});

Deno.test("Encoder/Decoder: encodeList writes what encode writes", () => {
  const { words, bytes } = targets[0];
  for (const list of [[], [1, 2], ["a", { b: [1.5] }], [1.5]]) {
    const next = encoder.encode(list, words, bytes, 0, 1000);
    const expected = words.slice(0, next);
    words.fill(0, 0, 1000);
    assertEquals(encoder.encodeList(list, words, bytes, 0, 1000), next);
    assertEquals(words.slice(0, next), expected);
  }
});

/** All kinds of views of a resizable buffer: with and without a length, to its end or not. */
function viewsOf(buffer: ArrayBuffer): Record<string, ArrayBufferView> {
  const { byteLength, maxByteLength } = buffer;
  return {
    following: new Uint8Array(buffer),
    followingFrom: new Uint8Array(buffer, 3),
    followingAtEnd: new Uint8Array(buffer, byteLength),
    fixed: new Uint8Array(buffer, 2, 4),
    fixedToEnd: new Uint8Array(buffer, 1, byteLength - 1),
    fixedWhole: new Uint8Array(buffer, 0, byteLength),
    empty: new Uint8Array(buffer, 4, 0),
    doubles: new Float64Array(buffer, 8),
    double: new Float64Array(buffer, 0, 1),
    look: new DataView(buffer, 1),
    fixedLook: new DataView(buffer, maxByteLength === byteLength ? 0 : 1, 5),
  };
}

/** What a view contains; "void" when its buffer is too short for it. */
function shownBy(view: ArrayBufferView): unknown {
  try {
    return [view.byteOffset, [...bytesOf(view)]];
  } catch {
    return "void";
  }
}

Deno.test("Encoder/Decoder: views of a resizable buffer behave as those that structured clone makes", () => {
  for (const maxByteLength of [16, 17, 23, 24, 40]) {
    const buffer = new ArrayBuffer(16, { maxByteLength });
    new Uint8Array(buffer).forEach((_, i, bytes) => bytes[i] = i + 1);
    const value = { views: viewsOf(buffer), buffer };
    for (const room of [0, 9, 5000]) {
      const copy = send(value, room) as typeof value;
      const expected = structuredClone(value);
      for (let size = maxByteLength; size >= 0; size--) {
        copy.buffer.resize(size);
        expected.buffer.resize(size);
        for (const [name, view] of Object.entries(copy.views)) {
          assertStrictEquals(view.buffer, copy.buffer);
          const there = shownBy(expected.views[name]);
          assertEquals(shownBy(view), there, `${name} at ${size} of ${maxByteLength}`);
        }
      }
    }
    assertEquals([...new Uint8Array(buffer).keys()].length, 16);
  }
});

Deno.test("Encoder: a view that its buffer has become too short for is refused, as by structured clone", () => {
  const makes = [
    (buffer: ArrayBuffer) => new Uint8Array(buffer, 4, 4),
    (buffer: ArrayBuffer) => new DataView(buffer, 4, 4),
  ];
  for (const make of makes) {
    const buffer = new ArrayBuffer(8, { maxByteLength: 8 });
    const view = make(buffer);
    buffer.resize(6);
    assertThrows(() => send([view]), DOMException, "cannot be cloned");
    assertThrows(() => structuredClone([view]), DOMException);
  }
  check([1, { a: "b" }]);
});

Deno.test("Encoder/Decoder: works over growable shared memory", () => {
  const buffer = new SharedArrayBuffer(64, { maxByteLength: 4096 });
  const words = new Int32Array(buffer);
  const bytes = new Uint8Array(buffer);
  buffer.grow(4096);
  const value = { text: "é".repeat(100), list: [1, 2.5], view: Uint8Array.of(1, 2) };
  assert(encoder.encode(value, words, bytes, 3, 1000) > 0);
  assertEquals(decoder.decode(words, bytes, 3), value);
});

Deno.test("Encoder: a value that exactly fits does not spill", () => {
  const { words, bytes } = targets[0];
  const values = [1, 1e6, 1e9, 0.5, "abcd", "abcde", [1, 2], [0.5], { a: 1 }, new Date(0), 5n, {}];
  for (const value of [...values, values, "x".repeat(50), new Uint8Array(9), [["a"], "b"]]) {
    const next = encoder.encode(value, words, bytes, 0, 4000);
    assertEquals(encoder.encode(value, words, bytes, 0, next), next, String(value));
    assertEquals(encoder.encode(value, words, bytes, 0, next - 1), -1, String(value));
    assertEquals(encoder.spillWords, next);
  }
});

// Random values: odd keys, both string widths, views of parts, and all of these nested.
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.array(tie("leaf"), { maxLength: 60 }),
    fc.sparseArray(tie("value"), { maxNumElements: 4, maxLength: 50 }),
    fc.dictionary(tie("key") as fc.Arbitrary<string>, tie("value"), { maxKeys: 6 }),
    fc.record({ id: fc.integer(), name: tie("text"), tags: tie("value"), on: fc.boolean() }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 5 }).map((e) => new Map(e)),
    fc.array(tie("value"), { maxLength: 5 }).map((items) => new Set(items)),
    fc.tuple(tie("value"), tie("value")).map(([a, b]) => [a, b, a, { b }]),
    fc.tuple(
      fc.array(tie("value"), { maxLength: 3 }),
      tie("key") as fc.Arbitrary<string>,
      tie("leaf"),
    )
      .map(([items, key, value]) =>
        key === "length" ? items : Object.assign(items, { [key]: value })
      ),
  ),
  key: fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom("__proto__", "constructor", "0", "-1", "4294967295", "toString", "", "\ud800"),
    fc.nat().map(String),
  ),
  text: fc.oneof(
    fc.string({ maxLength: 80 }),
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 }).map((units) =>
      String.fromCharCode(...units)
    ),
  ),
  leaf: fc.oneof(
    fc.constantFrom<unknown>(undefined, null, true, false, -0, NaN, Infinity, -Infinity, "", 0),
    fc.integer(),
    fc.integer({ min: -9_000_000, max: 9_000_000 }),
    fc.double(),
    fc.bigInt(),
    fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
    tie("text"),
    fc.date({ noInvalidDate: false }),
    fc.array(fc.integer(), { maxLength: 40 }),
    fc.array(fc.double(), { maxLength: 40 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.float64Array({ maxLength: 6 }),
    fc.float32Array({ maxLength: 6 }).map((view) => view.subarray(1)),
    fc.bigInt64Array({ maxLength: 6 }),
    fc.integer({ min: 1000, max: 3000 }).map((size) => new Uint8Array(size).fill(size)),
    fc.constantFrom(/a/g, /[^]/u).map((pattern) => new RegExp(pattern)),
    fc.boolean().map(Object),
    fc.string().map(Object),
  ),
}));

Deno.test("Encoder/Decoder: any value arrives as structured clone makes it", () => {
  fc.assert(
    fc.property(anything.value, fc.constantFrom(...targets), (value, target) => {
      assertSame(send(value, undefined, target), structuredClone(value));
    }),
    { numRuns: RUNS },
  );
});

Deno.test("Encoder/Decoder: any value arrives whole from wherever it spills", () => {
  fc.assert(
    fc.property(
      anything.value,
      fc.constantFrom(...targets),
      fc.nat({ max: 400 }),
      (value, target, room) => {
        assertSame(send(value, room, target), structuredClone(value));
      },
    ),
    { numRuns: RUNS },
  );
});

Deno.test("Encoder/Decoder: every room from none to enough gives the same value", () => {
  fc.assert(
    fc.property(anything.value, (value) => {
      const expected = structuredClone(value);
      for (let room = 0; room < 60; room++) assertSame(send(value, room), expected);
    }),
    { numRuns: 40 },
  );
});

/**
 * Sends objects with the same keys often enough for code to be generated for them, and values that
 * change their kind.
 */
function checkOften(): void {
  const odd = ['a "quote"', "back\\slash", "line\u2028separator", "\ud800", "", "7", "constructor"];
  for (let i = 0; i < 120; i++) {
    const values = [i, i + 0.5, `text ${i}`, null, [i], { inner: i }, undefined];
    check(Object.fromEntries(odd.map((key, k) => [key, values[(i + k) % values.length]])));
    const self: Record<string, unknown> = { name: "loop", self: undefined, list: [] };
    self.self = self;
    self.list = [self, self];
    check(self);
    check(JSON.parse('{"__proto__": 1, "b": 2}'));
  }
}

Deno.test(
  "objects that are received often are what they were, with any keys, and cycles",
  checkOften,
);

Deno.test("objects that are received often are what they were where no code may be made", () => {
  const { Function } = globalThis;
  globalThis.Function = (() => {
    throw new EvalError("Refused to evaluate a string as JavaScript");
  }) as unknown as FunctionConstructor;
  try {
    const fresh = new Decoder();
    const { words, bytes } = targets[0];
    for (let i = 0; i < 120; i++) {
      encoder.encode({ kept: i, where: "no code is made" }, words, bytes, 0, ROOM);
      assertEquals(fresh.decode(words, bytes, 0), { kept: i, where: "no code is made" });
    }
  } finally {
    globalThis.Function = Function;
  }
});
