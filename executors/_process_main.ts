/**
 * A pool's child process: its main thread, the host, sits between the channel and a worker thread
 * that runs the tasks.
 *
 * The worker is the same as a thread pool's, and sees the host as it would see the pool's owner.
 * The main thread runs no task, so it always notices three things: the parent's end, which ends
 * this process at once whatever its task is doing; replies to a worker that blocks for a lock of
 * the parent's; and requests to stop a task.
 *
 * Tasks that the worker has not begun while another takes longer than PATIENCE_MS are returned to
 * the parent.
 *
 * @module
 */

import { callAt, nowMs } from "../_platform/clock.ts";
import { registerEntry } from "../_platform/entry.ts";
import { Spinner } from "../_platform/park.ts";
import { processes } from "../_platform/processes.ts";
import { SOCKET } from "../_platform/socket_channel.ts";
import { soon } from "../_platform/timers.ts";
import { Arena, createArenaBuffer } from "../_memory/arena.ts";
import type { RemoteData } from "../_memory/core.ts";
import { Decoder } from "../_memory/decoder.ts";
import { doorbell } from "../_memory/doorbell.ts";
import type { Handle } from "../_memory/handle.ts";
import type { Encoded } from "../_memory/message.ts";
import { OwnedTaskRing, SLOT } from "../_memory/task_ring.ts";
import { labelOf } from "../sync/_shared.ts";
import { Catalog } from "./_catalog.ts";
import { FrameReader, FrameSender } from "./_frames.ts";
import { ProcessLines } from "./_process_lines.ts";
import {
  blockPayload,
  decodePayload,
  encodedOf,
  lay,
  type Payload,
  payloadAt,
  payloadOf,
} from "./_payload.ts";
import { DOWN, FAILED, type HostStart, UP } from "./_process_protocol.ts";
import { KIND, numberOfWired, PLACE, wordsOf } from "./_protocol.ts";
import { RelayReader, RelayWriter } from "./_relay.ts";
import type { Target } from "./_target.ts";
import { startWorkerThread, WorkerLink } from "./_worker_link.ts";

/** How long the worker may run one task before those behind it are returned. */
const PATIENCE_MS = 5;

/** The entry of a child process. */
export function main(): void {
  new Host();
}

/**
 * The text that stands for a shared object in an error that is printed here: only the worker could
 * use the object.
 */
function nameOf({ kind, data }: Handle): string {
  return `${labelOf(kind, (data as Partial<RemoteData>).name)} of the parent process`;
}

class Host {
  readonly #in = new FrameReader();
  readonly #out: FrameSender;
  readonly #decoder = new Decoder(nameOf);
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
  readonly #parked = new Map<number, Encoded>();
  readonly #worker: WorkerLink;
  readonly #mail: RelayReader;
  readonly #replies: RelayWriter;
  readonly #lines: ProcessLines;
  /** The exit code of this process, once it is told to end. */
  #code = 0;
  /** The name of the process, if it exists for one task only. */
  #loneName: string | undefined;
  #lastOutcomeMs = 0;
  /**
   * Set from when tasks are returned until RESUME says that the parent has them: tasks that arrive
   * meanwhile would overtake the returned ones.
   */
  #isReturning = false;
  #stopTimer: (() => void) | undefined;
  readonly #spinner = new Spinner();
  readonly #hasMail = (): boolean => this.#mail.hasMail;

  constructor() {
    // First: the worker loads its modules while this thread opens the channel, which takes as long.
    this.#worker = new WorkerLink(
      "worker",
      0,
      () => startWorkerThread("worker", (message) => this.#tellFailure(message)),
    );
    const channel = processes.parentChannel(
      SOCKET.HOST,
      (frame) => this.#receive(frame),
      () => processes.end("kill"),
    );
    this.#out = new FrameSender(channel);
    this.#lines = new ProcessLines(this.#out);
    const { state, results, replyBlocks, port, bell } = this.#worker;
    this.#mail = new RelayReader(state.records, results, port);
    this.#replies = new RelayWriter(state.replies, new Arena(replyBlocks), port, bell);
    doorbell.add({ ready: this.#hasMail, drain: () => this.#passMail() });
    // For good: outcomes must be passed on as soon as they are there.
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
    this.#out.flush();
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
        this.#start(decodePayload(this.#decoder, record) as HostStart);
        break;
      case DOWN.FUNCTION: {
        const number = this.#catalog.numberOf(decodePayload(this.#decoder, record) as Target);
        this.#functions[a] = number;
        this.#parentFunctions[number] = a;
        this.#out.write(UP.NUMBERED, a, number, 0);
        break;
      }
      case DOWN.MAIL:
        if (record.c === 0) {
          this.#replies.pass(a, b, record);
          this.#replies.ring();
        } else this.#lines.answer(record.c, a, b, record);
        break;
      case DOWN.ABORT:
        if (record.c === 1) this.#abortWired(a, b);
        else this.#abort(a);
        break;
      case DOWN.RESUME:
        this.#isReturning = false;
        break;
      case DOWN.CLOSE:
        this.#ring.close();
        this.#worker.state.wake(this.#ring);
        break;
      case DOWN.END:
        processes.end(this.#code);
    }
  }

  #start(start: HostStart): void {
    const { name, owner, initializer, initargs, initargsShareObjects, firstTaskId } = start;
    if (start.isAlone) this.#loneName = name;
    this.#worker.rename(name);
    this.#worker.start({
      ring: this.#ring.buffer,
      arena: this.#arena.buffer,
      catalog: this.#catalog.buffer,
      owner,
      initializer: initializer === undefined ? -1 : this.#catalog.numberOf(initializer),
      initargs,
      initargsShareObjects,
      maxTasks: start.isAlone ? 1 : Infinity,
      idleTimeoutMs: undefined,
      buffers: [],
      firstTaskId,
      origin: { process: name, mainModule: undefined, config: start.config },
      isHosted: true,
      isAlone: start.isAlone,
      access: this.#lines.access(),
    });
  }

  /**
   * Publishes a task in the ring. There is room: the parent gives this child fewer tasks than the
   * ring has slots.
   */
  #publish(task: number, fn: number, form: number, payload: Payload): void {
    const ring = this.#ring;
    const { words } = ring;
    const slot = ring.freeSlot();
    const place = lay(payload, ring, slot + SLOT.PAYLOAD, this.#arena);
    if (place === PLACE.MESSAGE) this.#parked.set(task, encodedOf(payload));
    words[slot + SLOT.TASK] = task;
    words[slot + SLOT.FUNCTION] = this.#functions[fn];
    words[slot + SLOT.FORM] = form & ~PLACE.MASK | place;
    if (this.#numbers.size === 0) this.#lastOutcomeMs = nowMs();
    this.#numbers.set(task, ring.publish());
  }

  /** Takes an unwanted task out of the ring; false when the worker has claimed it. */
  #drop(task: number, number: number): boolean {
    if (!this.#ring.cancel(number)) return false;
    this.#takeUp(number, () => {});
    this.#tellDropped(task);
    return true;
  }

  /** Takes a task back, or asks it to stop. */
  #abort(task: number): void {
    const number = this.#numbers.get(task);
    if (number === undefined || this.#drop(task, number)) return;
    this.#worker.state.abort(number);
    this.#out.write(UP.STOPPING, task, 0, 0);
  }

  /** Takes back a task that came by the wire, or asks it to stop. */
  #abortWired(task: number, number: number): void {
    const { state } = this.#worker;
    if (state.decide(number)) this.#tellDropped(task);
    else {
      state.abort(numberOfWired(number));
      this.#out.write(UP.STOPPING, task, number, 1);
    }
  }

  #tellDropped(task: number): void {
    this.#out.write(UP.MAIL, KIND.ERROR, task, 0, payloadOf(undefined));
  }

  // To the parent

  /** Passes on what the worker has written. */
  #passMail(): boolean {
    const waiting = this.#numbers.size;
    if (!this.#mail.takeAll(this.#passOne)) return false;
    // Not for other mail: a task may send mail all the time, and never end.
    if (this.#numbers.size < waiting) this.#lastOutcomeMs = nowMs();
    this.#out.flush();
    return true;
  }

  readonly #passOne = (kind: number, id: number, payload: Payload): void => {
    if (kind === KIND.FETCH) {
      this.#sendParked(id);
      return;
    }
    if (kind === KIND.RESULT || kind === KIND.ERROR) {
      this.#numbers.delete(id);
      if (this.#loneName !== undefined && kind === KIND.ERROR) {
        this.#code = FAILED;
        this.#printError(decodePayload(this.#decoder, payload));
      }
    }
    if (kind === KIND.ENDED) this.#noteEnd(payload);
    this.#out.write(UP.MAIL, kind, id, 0, payload);
  };

  #sendParked(task: number): void {
    const message = this.#parked.get(task)!;
    this.#parked.delete(task);
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(message, [message.block]);
    this.#worker.post(port2, [port2]);
    soon(() => port1.close());
  }

  /** Takes in how the worker ends: this process ends the same way. */
  #noteEnd(report: Payload): void {
    const [how, error] = decodePayload(this.#decoder, report) as [string, unknown];
    const code = /exit\((-?\d+)\)/.exec(how)?.[1] ?? (how.includes("close()") ? 0 : undefined);
    this.#code = Number(code ?? FAILED);
    if (code === undefined && this.#loneName !== undefined) this.#printError(error);
  }

  #printError(error: unknown): void {
    console.error(`Uncaught error in process "${this.#loneName}":`, error);
  }

  /** Tells that the worker has failed, of which it could not tell itself. */
  #tellFailure(message: string): void {
    this.#code = FAILED;
    this.#out.write(UP.MAIL, KIND.ENDED, 0, 0, payloadOf([`failed: ${message}`, undefined]));
    this.#out.flush();
  }

  // Tasks behind a long one

  /** Checks, after a while, whether tasks wait behind one that takes long. */
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
    for (const number of [...ring.waiting()]) {
      if (!ring.cancel(number)) continue;
      this.#takeUp(number, (task, fn, form, payload) => {
        this.#out.write(UP.RETURNED, task, fn, form, payload);
      });
      this.#isReturning = true;
    }
    this.#out.flush();
  }

  /**
   * Drops a task that was taken out of the ring. `pass` may copy it first, as the parent sent it.
   */
  #takeUp(
    number: number,
    pass: (task: number, fn: number, form: number, payload: Payload) => void,
  ): void {
    const ring = this.#ring;
    const { words } = ring;
    const slot = ring.slotOf(number);
    const task = words[slot + SLOT.TASK];
    const form = words[slot + SLOT.FORM];
    const place = form & PLACE.MASK;
    const payload = place === PLACE.MESSAGE
      ? blockPayload(this.#parked.get(task)!)
      : payloadAt(place, ring, slot + SLOT.PAYLOAD, wordsOf(form), this.#arena);
    pass(task, this.#parentFunctions[words[slot + SLOT.FUNCTION]], form, payload);
    if (place === PLACE.BLOCK) this.#arena.release(payload.start);
    this.#parked.delete(task);
    this.#numbers.delete(task);
  }
}

registerEntry("process", import.meta.url, main);
