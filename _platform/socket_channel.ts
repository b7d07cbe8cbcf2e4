/**
 * Frames of bytes over a socket between two processes.
 *
 * A socket hands out chunks, which hold several frames or parts of frames. So a frame begins with
 * its own length, in eight bytes that the code that makes the frame leaves free. A frame fills a
 * multiple of eight bytes, so that the frames of a chunk are aligned.
 *
 * The ipc channel of `node:child_process` could carry messages instead, but takes twice as long: 51
 * and 53 microseconds there and back on Deno and on Node, against 29 and 28 here; with a mebibyte
 * 2.5 ms, against 1.1 and 0.8.
 *
 * @module
 */

import type { NodeSocket, NodeSocketOptions } from "./_node_modules.ts";
import type { FrameChannel } from "./processes.ts";

/**
 * Bytes at the beginning of a frame: its length in 32 bits, lowest byte first, and four unused
 * bytes.
 */
export const FRAME_HEAD_BYTES = 8;

/**
 * The file numbers of the sockets in a child, behind standard input, output and error, by the
 * thread that uses them.
 */
export const SOCKET = { HOST: 3, WORKER: 4 } as const;

/** Frames are shorter than this: lengths of payloads are kept in Int32 words. */
const TOO_MANY_BYTES = 2 ** 31;

/** Memory for a frame larger than this is not kept for the next one. */
export const MOST_KEPT_BYTES = 1 << 22;

/**
 * How much of a frame is written at once. After each part that has gone, Bun moves what is left of
 * a write: in one piece, 300 MiB take 20 seconds there instead of one.
 */
const PIECE_BYTES = 1 << 22;

/** Size of the memory that chunks are read into; more was measured to gain nothing. */
const CHUNK_BYTES = 1 << 16;

/** One end of a channel. */
export class SocketChannel implements FrameChannel {
  readonly #socket: NodeSocket;
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #onUnreadable: (error: unknown) => void;
  /** Holds a frame that arrives in parts. */
  #memory = new Uint8Array(FRAME_HEAD_BYTES);
  /** How many bytes of that frame have arrived. */
  #filled = 0;
  /** What is to be sent behind a frame that is being written in pieces, if one is. */
  #behind: [frame: Uint8Array, onSent: (() => void) | undefined][] | undefined;

  /**
   * @param onFrame See `ProcessOptions`.
   * @param onClose Called when all has arrived that will arrive, or when the other process has
   * gone.
   * @param onUnreadable See `ProcessOptions`.
   */
  constructor(
    socket: NodeSocket,
    onFrame: (frame: Uint8Array) => void,
    onClose: () => void,
    onUnreadable = (error: unknown): void => {
      throw error;
    },
  ) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    this.#onUnreadable = onUnreadable;
    // When reading or writing fails, the other process has gone, and "close" follows.
    socket.on("error", () => {});
    socket.on("close", onClose);
  }

  /** Begins to hand out frames; until then they wait. */
  listen(): void {
    this.#socket.on("data", (chunk) => this.#receive(chunk));
  }

  /**
   * Makes the child's end of a channel. It reads into the same memory each time, which takes half
   * the time of fresh memory for each chunk.
   *
   * @param open Opens the socket.
   */
  static inChild(
    open: (onread: NodeSocketOptions["onread"]) => NodeSocket,
    onFrame: (frame: Uint8Array) => void,
    onClose: () => void,
  ): SocketChannel {
    const socket = open({
      buffer: new Uint8Array(CHUNK_BYTES),
      callback: (length, buffer) => {
        channel.#receive(buffer.subarray(0, length));
        return true;
      },
    });
    const channel = new SocketChannel(socket, onFrame, onClose);
    channel.listen();
    return channel;
  }

  /** See `FrameChannel`. */
  send(frame: Uint8Array, onSent?: () => void): void {
    writeLength(frame);
    if (this.#behind !== undefined) this.#behind.push([frame, onSent]);
    else if (frame.length <= PIECE_BYTES) this.#socket.write(frame, onSent);
    else {
      this.#behind = [];
      this.#writePieces(frame, 0, onSent);
    }
  }

  #writePieces(frame: Uint8Array, start: number, onSent: (() => void) | undefined): void {
    const end = start + PIECE_BYTES;
    this.#socket.write(frame.subarray(start, end), (error) => {
      if (end < frame.length && !error) return this.#writePieces(frame, end, onSent);
      const behind = this.#behind!;
      this.#behind = undefined;
      for (const [frame, onSent] of behind) this.send(frame, onSent);
      onSent?.();
    });
  }

  /** Closes the channel at once. */
  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    try {
      this.#divide(chunk);
    } catch (error) {
      this.close();
      this.#onUnreadable(error);
    }
  }

  /** Hands out the frames that end in a chunk. */
  #divide(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const left = chunk.length - at;
      if (this.#filled > 0 || left < FRAME_HEAD_BYTES || lengthAt(chunk, at) > left) {
        at += this.#collect(chunk.subarray(at));
      } else {
        const end = at + lengthAt(chunk, at);
        this.#onFrame(chunk.subarray(at, end));
        at = end;
      }
    }
  }

  /**
   * Takes the bytes that a chunk holds of a frame that arrives in parts; returns how many they are.
   */
  #collect(chunk: Uint8Array): number {
    let taken = 0;
    while (taken < chunk.length) {
      const isHead = this.#filled < FRAME_HEAD_BYTES;
      const length = isHead ? FRAME_HEAD_BYTES : lengthAt(this.#memory, 0);
      const part = chunk.subarray(taken, taken + length - this.#filled);
      this.#reserve(length);
      this.#memory.set(part, this.#filled);
      this.#filled += part.length;
      taken += part.length;
      if (isHead || this.#filled < length) continue;
      this.#filled = 0;
      this.#onFrame(this.#memory.subarray(0, length));
      if (length > MOST_KEPT_BYTES) this.#memory = new Uint8Array(FRAME_HEAD_BYTES);
      break;
    }
    return taken;
  }

  #reserve(length: number): void {
    if (this.#memory.length >= length) return;
    const memory = new Uint8Array(length);
    memory.set(this.#memory.subarray(0, this.#filled));
    this.#memory = memory;
  }
}

function writeLength(frame: Uint8Array): void {
  for (let i = 0; i < 4; i++) frame[i] = frame.length >>> (8 * i);
}

/** The length of the frame that begins there. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const length = (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
  // A child's task may have written it: with 0 bytes, the next frame would begin here, for ever.
  if (length >= FRAME_HEAD_BYTES && length % 8 === 0 && length < TOO_MANY_BYTES) return length;
  throw new RangeError(`Cannot read frame: none has ${length} bytes`);
}
