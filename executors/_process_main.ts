/**
 * A pool's child process: its main thread, the host, stands between the channel and a worker thread that runs the tasks.
 *
 * The worker is the same as a thread pool's, and the host is to it what the pool's owner is there. The main thread
 * runs no task, so it always hears: the parent's end, which ends this process at once whatever its task is doing; replies to
 * a worker that blocks for a lock of the parent's; and that a task is to stop.
 *
 * Tasks that the worker has not begun while another takes longer than PATIENCE_MS are returned to the parent.
 *
 * @module
 */

import { callAt, nowMs } from "../_platform/clock.ts";
import { Spinner } from "../_platform/park.ts";
import { type FrameChannel, platform } from "../_platform/mod.ts";
import { Arena, createArenaBuffer } from "../_memory/arena.ts";
import { Decoder } from "../_memory/decoder.ts";
import { doorbell } from "../_memory/doorbell.ts";
import { Encoder } from "../_memory/encoder.ts";
import type { Encoded } from "../_memory/message.ts";
import { OwnedTaskRing, PAYLOAD_WORDS, SLOT } from "../_memory/task_ring.ts";
import { NEVER } from "../_platform/clock.ts";
import { Catalog } from "./_catalog.ts";
import {
  frameOf,
  FrameReader,
  FrameWriter,
  LARGE_BYTES,
  type Payload,
  payloadOf,
} from "./_frames.ts";
import { DOWN, type HostStart, UP } from "./_process_protocol.ts";
import { KIND, PLACE, WORDS_SHIFT } from "./_protocol.ts";
import { RelayReader, RelayWriter } from "./_relay.ts";
import { type Target, unsendable } from "./_target.ts";
import { startWorkerThread, WorkerLink } from "./_worker_handle.ts";
// Not used here; so that caches, lock files and compiled programs know the workers' module.
import "./_worker_main.ts";

/** How long the worker may run one task before those behind it are returned. */
const PATIENCE_MS = 5;

/** Exit code of a process whose worker failed. */
const FAILED = 1;

/** Frames larger than this are sent before more is added. */
const MOST_BYTES = 1 << 20;

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** The entry of a child process. */
export function main(): void {
  new Host();
}

class Host {
  readonly #channel: FrameChannel;
  readonly #in = new FrameReader();
  readonly #out = new FrameWriter();
  readonly #decoder = new Decoder();
  readonly #ring = new OwnedTaskRing();
  readonly #arena = new Arena(createArenaBuffer());
  readonly #catalog = new Catalog();
  /** Functions by the parent's numbers. */
  readonly #functions: number[] = [];
  /** The parent's number of each function here. */
  readonly #parentFunctions: number[] = [];
  /** Numbers of the tasks in the ring or running, by the parent's index. */
  readonly #numbers = new Map<number, number>();
  /** Arguments too large for the arena, by the parent's index. */
  readonly #parked = new Map<number, Payload>();
  readonly #worker: WorkerLink;
  readonly #mail: RelayReader;
  readonly #replies: RelayWriter;
  #waitingReplies: Promise<void> | undefined;
  #exitCode: number | undefined;
  /** The name of the process, if it is there for one task only. */
  #loneName: string | undefined;
  #lastOutcomeMs = 0;
  /** Tasks have been returned, and those that come were sent before the parent knew: they would overtake the returned ones. */
  #isReturning = false;
  #stopTimer: (() => void) | undefined;
  readonly #spinner = new Spinner();
  readonly #hasMail = (): boolean => this.#mail.hasMail;

  constructor() {
    this.#channel = platform.parentChannel(
      (frame) => this.#receive(frame),
      () => platform.endProcess("kill"),
    );
    this.#worker = new WorkerLink("worker", 0, () =>
      startWorkerThread("worker", (message) => {
        this.#exitCode = FAILED;
        this.#tellEnd(`failed: ${message}`);
      }));
    const { state, results, port, bell } = this.#worker;
    this.#mail = new RelayReader(state.records, results, port);
    this.#replies = new RelayWriter(state.replies, this.#arena, port, bell);
    doorbell.add({
      ready: () => this.#mail.hasMail,
      drain: () => this.#passMail(),
      deadlineMs: NEVER,
      expire() {},
      sleeping() {},
    });
    // For good: outcomes are to be passed on as soon as they are there.
    doorbell.expect();
  }

  // From the parent

  #receive(frame: Uint8Array): void {
    const record = this.#in;
    record.open(frame);
    let hasTasks = false;
    while (record.next()) {
      if (record.type === DOWN.TASK) {
        if (this.#isReturning) {
          this.#out.write(UP.RETURNED, record.a, record.b, record.c, record);
          continue;
        }
        this.#publish(record.a, record.b, record.c, record);
        hasTasks = true;
      } else this.#handle(record);
    }
    this.#flush();
    if (!hasTasks) return;
    this.#worker.state.wake(this.#ring);
    if (this.#spinner.isDue()) this.#spinner.look(this.#hasMail);
    this.#passMail();
    this.#watchProgress();
  }

  #handle(record: FrameReader): void {
    const { type, a, b } = record;
    switch (type) {
      case DOWN.START:
        this.#start(record.decode(this.#decoder) as HostStart);
        break;
      case DOWN.FUNCTION: {
        const number = this.#catalog.numberOf(record.decode(this.#decoder) as Target);
        this.#functions[a] = number;
        this.#parentFunctions[number] = a;
        break;
      }
      case DOWN.MAIL:
        this.#reply(a, b, record);
        break;
      case DOWN.ABORT: {
        const number = this.#numbers.get(a);
        if (number !== undefined && !this.#drop(a, number)) this.#worker.state.abort(number);
        break;
      }
      case DOWN.RESUME:
        this.#isReturning = false;
        break;
      case DOWN.CLOSE:
        platform.endProcess(0);
    }
  }

  #start(start: HostStart): void {
    const { name, owner, initializer, initargs, initargsShareObjects, firstTaskId } = start;
    if (start.isAlone) this.#loneName = name;
    this.#worker.start({
      ring: this.#ring.buffer,
      arena: this.#arena.buffer,
      catalog: this.#catalog.buffer,
      owner,
      initializer: initializer === undefined ? -1 : this.#catalog.numberOf(initializer),
      initargs,
      initargsShareObjects,
      maxTasks: Infinity,
      idleTimeoutMs: undefined,
      buffers: [],
      firstTaskId,
      origin: { process: name, config: start.config },
      isHosted: true,
    });
  }

  /** Lays a task into the ring. There is room: the parent has fewer in our hands than the ring has slots. */
  #publish(task: number, fn: number, form: number, payload: Payload): void {
    const ring = this.#ring;
    const { words } = ring;
    const slot = ring.freeSlot();
    const at = slot + SLOT.PAYLOAD;
    words[slot + SLOT.TASK] = task;
    words[slot + SLOT.FUNCTION] = this.#functions[fn];
    words[slot + SLOT.FORM] = form & ~PLACE.MASK | this.#lay(task, payload, at);
    if (this.#numbers.size === 0) this.#lastOutcomeMs = nowMs();
    this.#numbers.set(task, ring.publish());
  }

  /** Takes a task out of the ring that is not wanted any more; false when the worker has claimed it. */
  #drop(task: number, number: number): boolean {
    const ring = this.#ring;
    if (!ring.cancel(number)) return false;
    const slot = ring.slotOf(number);
    this.#takeUp(task, ring.words[slot + SLOT.FORM], slot + SLOT.PAYLOAD);
    this.#numbers.delete(task);
    this.#out.write(UP.MAIL, KIND.ERROR, task, 0, payloadOf(new Encoder(), undefined));
    return true;
  }

  #lay(task: number, payload: Payload, at: number): number {
    const ring = this.#ring;
    const { bytes, start, length, externBase } = payload;
    if (payload.place === PLACE.INLINE) {
      ring.bytes.set(bytes.subarray(start, start + length), at * WORD_BYTES);
      return PLACE.INLINE;
    }
    const offset = this.#arena.allocate(length);
    if (offset < 0) {
      const kept = bytes.slice(start, start + length);
      this.#parked.set(task, { place: PLACE.BLOCK, externBase, bytes: kept, start: 0, length });
      return PLACE.MESSAGE;
    }
    this.#arena.bytes.set(bytes.subarray(start, start + length), offset);
    ring.words[at] = offset;
    ring.words[at + 1] = offset + externBase;
    ring.words[at + 2] = length;
    return PLACE.BLOCK;
  }

  #reply(kind: number, id: number, payload: FrameReader): void {
    if (this.#waitingReplies === undefined && this.#replies.write(kind, id, payload)) {
      this.#replies.ring();
      return;
    }
    this.#waitingReplies = this.#replyLater(this.#waitingReplies, kind, id, payload.keep());
  }

  async #replyLater(
    before: Promise<void> | undefined,
    kind: number,
    id: number,
    payload: Payload,
  ): Promise<void> {
    await before;
    while (!this.#replies.write(kind, id, payload)) await this.#replies.room();
    this.#replies.ring();
  }

  // To the parent

  #flush(): void {
    if (this.#out.length > 0) this.#channel.send(this.#out.take());
  }

  /** Passes on what the worker has written. */
  #passMail(): boolean {
    const mail = this.#mail;
    let found = false;
    while (mail.take(() => this.#passOne())) {
      found = true;
      if (this.#out.length > MOST_BYTES) this.#flush();
    }
    if (!found) return false;
    this.#lastOutcomeMs = nowMs();
    if (this.#exitCode === undefined) this.#flush();
    else this.#flushAndEnd(this.#exitCode);
    return true;
  }

  #passOne(): void {
    const { kind, id, refusal } = this.#mail;
    if (kind === KIND.FETCH) {
      this.#sendParked(id);
      return;
    }
    if (kind === KIND.RESULT || kind === KIND.ERROR) {
      this.#numbers.delete(id);
      if (this.#loneName !== undefined) this.#endAlone(kind === KIND.ERROR);
    }
    if (kind === KIND.ENDED) this.#noteEnd();
    if (refusal === undefined && this.#mail.length >= LARGE_BYTES) {
      this.#flush();
      this.#channel.send(frameOf(UP.MAIL, kind, id, 0, this.#mail));
    } else if (refusal === undefined) {
      this.#out.write(UP.MAIL, kind, id, 0, this.#mail);
    } else {
      this.#out.write(UP.MAIL, KIND.ERROR, id, 0, payloadOf(new Encoder(), unsendable(refusal)));
    }
  }

  #sendParked(task: number): void {
    const { bytes, externBase } = this.#parked.get(task)!;
    this.#parked.delete(task);
    const { port1, port2 } = new MessageChannel();
    const message: Encoded = { block: bytes.buffer as ArrayBuffer, externBase, extras: [] };
    port1.postMessage(message, [message.block]);
    this.#worker.post(port2, [port2]);
    queueMicrotask(() => port1.close());
  }

  #decodeMail(): unknown {
    const { bytes, start, externBase, length, place } = this.#mail;
    const block = bytes.slice(start, start + length);
    const words = new Int32Array(block.buffer);
    return this.#decoder.decode(words, block, 0, place === PLACE.BLOCK ? externBase : 0);
  }

  /** The only task has an outcome. */
  #endAlone(hasThrown: boolean): void {
    this.#exitCode ??= hasThrown ? FAILED : 0;
    if (!hasThrown) return;
    let error: unknown;
    try {
      error = this.#decodeMail();
    } catch (undecodable) {
      error = undecodable;
    }
    this.#printError(error);
  }

  /** The worker has told how it ends: this process ends the same way. */
  #noteEnd(): void {
    let how = "threw an error that nobody caught";
    let error: unknown;
    try {
      [how, error] = this.#decodeMail() as [string, unknown];
    } catch (undecodable) {
      error = undecodable; // An error may hold what only the parent can read.
    }
    const code = /exit\((\d+)\)/.exec(how)?.[1] ?? (how.includes("close()") ? 0 : undefined);
    this.#exitCode = Number(code ?? FAILED);
    if (code === undefined && this.#loneName !== undefined) this.#printError(error);
  }

  #printError(error: unknown): void {
    console.error(`Uncaught error in process "${this.#loneName}":`, error);
  }

  #tellEnd(how: string): void {
    this.#out.write(UP.MAIL, KIND.ENDED, 0, 0, payloadOf(new Encoder(), [how, undefined]));
    this.#flushAndEnd(FAILED);
  }

  /** Sends the last frame, and ends this process once it has left. */
  #flushAndEnd(code: number): void {
    const frame = this.#out.take();
    this.#channel.send(frame, () => platform.endProcess(code));
  }

  // Tasks behind a long one

  /** Looks after a while whether tasks wait behind one that takes long. */
  #watchProgress(): void {
    if (this.#stopTimer !== undefined || this.#numbers.size < 2) return;
    this.#stopTimer = callAt(nowMs() + PATIENCE_MS, () => {
      this.#stopTimer = undefined;
      if (nowMs() - this.#lastOutcomeMs >= PATIENCE_MS) this.#returnWaiting();
      this.#watchProgress();
    });
  }

  #returnWaiting(): void {
    const ring = this.#ring;
    const { words } = ring;
    for (const number of [...ring.waiting()]) {
      if (!ring.cancel(number)) continue;
      const slot = ring.slotOf(number);
      const task = words[slot + SLOT.TASK];
      this.#numbers.delete(task);
      const form = words[slot + SLOT.FORM];
      const fn = this.#parentFunctions[words[slot + SLOT.FUNCTION]];
      this.#out.write(UP.RETURNED, task, fn, form, this.#takeUp(task, form, slot + SLOT.PAYLOAD));
      this.#isReturning = true;
    }
    this.#flush();
  }

  /** The payload of a task that was taken back. */
  #takeUp(task: number, form: number, at: number): Payload {
    const { words, bytes } = this.#ring;
    const place = form & PLACE.MASK;
    if (place === PLACE.MESSAGE) {
      const payload = this.#parked.get(task)!;
      this.#parked.delete(task);
      return payload;
    }
    if (place === PLACE.INLINE) {
      const length = Math.min(PAYLOAD_WORDS, form >>> WORDS_SHIFT) * WORD_BYTES;
      return { place, externBase: 0, bytes, start: at * WORD_BYTES, length };
    }
    const start = words[at];
    const payload = {
      place,
      externBase: words[at + 1] - start,
      bytes: this.#arena.bytes.slice(start, start + words[at + 2]),
      start: 0,
      length: words[at + 2],
    };
    this.#arena.release(start);
    return payload;
  }
}
