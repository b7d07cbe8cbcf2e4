/**
 * Compares the codec with what a program would use without it. Each group writes, reads or
 * round-trips one payload; the baseline is JSON through shared bytes, or for round trips
 * `structuredClone`.
 */

import { Decoder } from "../_memory/decoder.ts";
import { Encoder } from "../_memory/encoder.ts";

const ROOM_BYTES = 4 << 20;
const ITEMS = 10_000;
const RECORDS = 100;
const BLOB_BYTES = 1 << 20;

const buffer = new SharedArrayBuffer(ROOM_BYTES);
const words = new Int32Array(buffer);
const bytes = new Uint8Array(buffer);
const textBuffer = new Uint8Array(new SharedArrayBuffer(ROOM_BYTES));
const encoder = new Encoder();
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

function record(id: number): object {
  return {
    id: 12345 + id,
    name: `widget-${id}`,
    price: 12.75 + id,
    tags: ["a", "bc"],
    active: true,
    note: "short text here",
  };
}

const PAYLOADS: Record<string, unknown> = {
  "2 integers": [123, 456],
  "an object of 100 bytes": record(17),
  "100 such objects": { records: Array.from({ length: RECORDS }, (_, i) => record(i)) },
  "10,000 integers": Array.from({ length: ITEMS }, (_, i) => i),
  "10,000 doubles": Array.from({ length: ITEMS }, (_, i) => i + 0.5),
  "1,000 characters": "0123456789".repeat(100),
};

for (const [name, value] of Object.entries(PAYLOADS)) {
  const group = `write ${name}`;
  Deno.bench("codec", { group }, () => {
    encoder.encode(value, words, bytes, 0, words.length);
  });
  Deno.bench("JSON + encodeInto", { group, baseline: true }, () => {
    textEncoder.encodeInto(JSON.stringify(value), textBuffer);
  });
}
for (const [name, value] of Object.entries(PAYLOADS)) {
  const group = `read ${name}`;
  const memory = new SharedArrayBuffer(ROOM_BYTES >> 2);
  const sourceWords = new Int32Array(memory);
  const sourceBytes = new Uint8Array(memory);
  encoder.encode(value, sourceWords, sourceBytes, 0, sourceWords.length);
  const decoder = new Decoder();
  const text = new Uint8Array(new SharedArrayBuffer(ROOM_BYTES >> 2));
  const size = textEncoder.encodeInto(JSON.stringify(value), text).written;
  Deno.bench("codec", { group }, () => {
    decoder.decode(sourceWords, sourceBytes, 0);
  });
  Deno.bench("decode + JSON", { group, baseline: true }, () => {
    JSON.parse(textDecoder.decode(text.subarray(0, size)));
  });
}
for (const [name, value] of Object.entries(PAYLOADS)) {
  const group = `round trip of ${name}`;
  const decoder = new Decoder();
  Deno.bench("codec", { group }, () => {
    encoder.encode(value, words, bytes, 0, words.length);
    decoder.decode(words, bytes, 0);
  });
  Deno.bench("structuredClone", { group, baseline: true }, () => {
    structuredClone(value);
  });
}

const blob = new Float64Array(BLOB_BYTES / 8).fill(1.5);
const blobDecoder = new Decoder();
Deno.bench("codec", { group: "round trip of 1 MiB of doubles" }, () => {
  encoder.encode(blob, words, bytes, 0, words.length);
  encoder.copyTo(words, bytes, 0);
  blobDecoder.decode(words, bytes, 0, ((encoder.spillWords + 1) & ~1) * 4);
});
Deno.bench("structuredClone", { group: "round trip of 1 MiB of doubles", baseline: true }, () => {
  structuredClone(blob);
});
