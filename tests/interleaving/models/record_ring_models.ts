/**
 * The ring of records: a writer that sleeps while the ring is full, and a reader.
 *
 * @module
 */

import { RECORD_RING, WORD_BYTES } from "../../../_memory/layout.ts";
import { RecordReader, type RecordRingPlace, RecordWriter } from "../../../_memory/record_ring.ts";
import { pause } from "../../../_platform/atomics.ts";
import { defineModel, type Model } from "../model.ts";

/**
 * Words for records: two records of three words, and the beginning of a third one, which has to
 * wrap.
 */
const CAPACITY = 8;
const PAYLOAD_WORDS = 2;
const RECORDS = 4;

function placeIn(buffer: SharedArrayBuffer): RecordRingPlace {
  return {
    words: new Int32Array(buffer),
    bytes: new Uint8Array(buffer),
    base: 0,
    capacity: CAPACITY,
  };
}

function write(writer: RecordWriter): void {
  for (let record = 0; record < RECORDS; record++) {
    let start = writer.reserve(PAYLOAD_WORDS);
    while (start < 0) {
      writer.roomSync();
      start = writer.reserve(PAYLOAD_WORDS);
    }
    writer.words.fill(record, start, start + PAYLOAD_WORDS);
    writer.commit(start, start + PAYLOAD_WORDS);
  }
}

function read(reader: RecordReader): void {
  for (let record = 0; record < RECORDS; record++) {
    while (!reader.hasRecord()) pause();
    const start = reader.peek();
    const payload = reader.words.slice(start, start + PAYLOAD_WORDS);
    if (payload.some((word) => word !== record)) throw new Error(`record ${record} is ${payload}`);
    reader.advance();
  }
}

const fullRing = defineModel({
  name: "RecordRing: full",
  threads: 2,
  preemptions: 3,
  setUp: () => ({ buffer: new SharedArrayBuffer((RECORD_RING.SIZE + CAPACITY) * WORD_BYTES) }),
  open: ({ buffer }, thread) =>
    thread === 0 ? new RecordWriter(placeIn(buffer)) : new RecordReader(placeIn(buffer)),
  thread(_, end) {
    if (end instanceof RecordWriter) write(end);
    else read(end);
  },
});

/** See `models.ts`. */
export const models: readonly Model[] = [fullRing];
