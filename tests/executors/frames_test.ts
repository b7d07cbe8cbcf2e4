/**
 * Records cross the channel between two processes whole and in order, however the socket splits the
 * bytes.
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { NodeSocket } from "../../_platform/_node_modules.ts";
import { SocketChannel } from "../../_platform/socket_channel.ts";
import { FrameReader, FrameSender } from "../../executors/_frames.ts";
import type { Payload } from "../../executors/_payload.ts";
import { PLACE } from "../../executors/_protocol.ts";
import { test } from "../_support/leaks.ts";

/** A socket whose other end is the test. */
class Puppet implements NodeSocket {
  /** What has been written to it. */
  readonly written: Uint8Array[] = [];
  /** Callbacks of writes that have not left yet. */
  readonly unsent: (() => void)[] = [];
  #onData: (chunk: Uint8Array) => void = () => {};

  isDestroyed = false;

  connect(): void {}

  destroy(): void {
    this.isDestroyed = true;
  }

  write(bytes: Uint8Array, onWritten?: () => void): boolean {
    this.written.push(bytes);
    if (onWritten !== undefined) this.unsent.push(onWritten);
    return true;
  }

  on(event: string, listener: (argument: never) => void): void {
    if (event === "data") this.#onData = listener as (chunk: Uint8Array) => void;
  }

  /** Lets everything leave, also what is written only then. */
  letLeave(): void {
    for (const onWritten of this.unsent) onWritten();
  }

  /** Makes the bytes arrive in chunks of the given size, all of them in the same memory. */
  deliver(bytes: Uint8Array, size: number): void {
    const memory = new Uint8Array(size);
    for (let at = 0; at < bytes.length; at += size) {
      const part = bytes.subarray(at, at + size);
      memory.set(part);
      this.#onData(memory.subarray(0, part.length));
      memory.fill(0xff);
    }
  }
}

function payload(length: number): Payload {
  const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length);
  return { place: PLACE.BLOCK, externBase: length >> 1, bytes, start: 0, length };
}

/** The contents of a record. */
interface Received {
  readonly numbers: readonly number[];
  readonly externBase: number;
  readonly bytes: Uint8Array;
}

/** A channel to a puppet, and the records that it has received. */
function channelTo(puppet: Puppet): { channel: SocketChannel; received: Received[] } {
  const received: Received[] = [];
  const record = new FrameReader();
  const channel = new SocketChannel(puppet, (frame) => {
    record.open(frame);
    while (record.next()) {
      const { type, a, b, c, externBase, start, length } = record;
      const bytes = record.bytes.slice(start, start + length);
      received.push({ numbers: [type, a, b, c], externBase, bytes });
    }
  }, () => {});
  channel.listen();
  return { channel, received };
}

/** The bytes of records with payloads of these lengths; there is a flush after each list. */
function sent(...frames: readonly (readonly number[])[]): Uint8Array {
  const puppet = new Puppet();
  const sender = new FrameSender(channelTo(puppet).channel);
  let count = 0;
  for (const lengths of frames) {
    for (const length of lengths) sender.write(count++, length, -1, 1 << 30, payload(length));
    sender.flush();
  }
  puppet.letLeave();
  return concat(puppet.written);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function assertReceived(received: readonly Received[], lengths: readonly number[]): void {
  assertEquals(
    received.map(({ numbers, externBase }) => ({ numbers, externBase })),
    lengths.map((length, i) => ({ numbers: [i, length, -1, 1 << 30], externBase: length >> 1 })),
  );
  for (const [i, { bytes }] of received.entries()) {
    const expected = payload(lengths[i]).bytes;
    assertEquals(bytes.length, expected.length);
    // There are millions of them: assertEquals would take seconds.
    assert(bytes.every((byte, at) => byte === expected[at]), `record ${i} has other bytes`);
  }
}

test("records cross whole, wherever chunks of the channel end", () => {
  const frames = [[0, 8, 1], [100, 4], [0], [33, 0, 0, 7]];
  const bytes = sent(...frames);
  for (let size = 1; size <= bytes.length; size++) {
    const puppet = new Puppet();
    const { received } = channelTo(puppet);
    puppet.deliver(bytes, size);
    assertReceived(received, frames.flat());
  }
});

test("records larger than chunks cross whole, between small ones", () => {
  const lengths = [8, 1 << 16, 3, 5_000_000, 200_001, 1 << 20, 12];
  const bytes = sent(lengths);
  for (const size of [4096, 65_536, 100_003, bytes.length]) {
    const puppet = new Puppet();
    const { received } = channelTo(puppet);
    puppet.deliver(bytes, size);
    assertReceived(received, lengths);
  }
});

test("a large frame is not written over before it has left", () => {
  const puppet = new Puppet();
  const { channel, received } = channelTo(puppet);
  const sender = new FrameSender(channel);
  const lengths = [1 << 20, 1 << 19, 1 << 18];
  const send = (i: number): void => sender.write(i, lengths[i], -1, 1 << 30, payload(lengths[i]));
  send(0);
  send(1);
  puppet.deliver(concat(puppet.written), 1 << 16);
  assertReceived(received, lengths.slice(0, 2));
  const [first] = puppet.written.splice(0);
  puppet.unsent[0]();
  send(2);
  assertStrictEquals(puppet.written[0].buffer, first.buffer);
  puppet.deliver(concat(puppet.written), 1 << 16);
  assertReceived(received, lengths);
});

test("what begins no frame closes the channel, and nothing is handed out of it", () => {
  for (const length of [0, 4, 9, 2 ** 31, 2 ** 32 - 8]) {
    for (const size of [1, 24]) {
      const puppet = new Puppet();
      const errors: unknown[] = [];
      const frames: Uint8Array[] = [];
      const channel = new SocketChannel(
        puppet,
        (frame) => frames.push(frame),
        () => {},
        (error) => errors.push(error),
      );
      channel.listen();
      const head = new Uint8Array(Uint32Array.of(length, 0).buffer);
      puppet.deliver(concat([head, new Uint8Array(16)]), size);
      assertEquals(
        [String(errors[0]), frames, puppet.isDestroyed],
        [`RangeError: Cannot read frame: none has ${length} bytes`, [], true],
      );
    }
  }
});

test("what taking in a frame throws closes the channel", () => {
  const puppet = new Puppet();
  const errors: unknown[] = [];
  const refuse = (): never => {
    throw new Error("refused");
  };
  new SocketChannel(puppet, refuse, () => {}, (error) => errors.push(error)).listen();
  const bytes = sent([8]);
  puppet.deliver(bytes, bytes.length);
  assertEquals([errors.map(String), puppet.isDestroyed], [["Error: refused"], true]);
});

test("a record that does not fit into its frame is refused", () => {
  const refusal = "one of its records does not fit into it";
  /** Writes a number into the head of a record of 64 bytes that is alone in its frame. */
  const forge = (word: number, number: number): Uint8Array => {
    const bytes = sent([64]);
    new Int32Array(bytes.buffer)[2 + word] = number;
    return bytes;
  };
  const [PLACE_WORD, EXTERNS, BYTES] = [4, 5, 6];
  const forged = [[PLACE_WORD, PLACE.MESSAGE], [EXTERNS, -8], [EXTERNS, 72], [BYTES, 72], [
    BYTES,
    -8,
  ]];
  for (const bytes of [...forged.map(([word, to]) => forge(word, to)), sent([64]).slice(0, 24)]) {
    const record = new FrameReader();
    record.open(bytes);
    assertThrows(() => record.next(), RangeError, refusal);
  }
});
