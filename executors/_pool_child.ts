/**
 * One child process of a pool, from the thread that serves it: takes tasks from the pool's ring as a worker of a thread
 * pool does, sends them to the child, and passes on what the child says.
 *
 * A child runs one task at a time. Tasks so short that the way to and fro would take longer than they do are sent ahead, as
 * many as have lately come back within AHEAD_MS, of the same function only. If one of them takes long after all, the child
 * returns those behind it (RETURNED), and whichever child has nothing to do takes them.
 *
 * Invariants
 * 1. A task is in one place: the ring, the returned ones of its pool, or the hands of one child (`#inHand`) from when it
 *    is claimed until its outcome is in the owner's mail. What a child has in hand when it ends is told the owner, who fails it.
 * 2. The owner's STATE and PHASE words are written as a worker writes them: RUNNING while something is in hand; what RETIRED
 *    asks for is looked at before each claim.
 *
 * @module
 */

import { add } from "../_platform/atomics.ts";
import { callAt, nowMs } from "../_platform/clock.ts";
import { platform, type ProcessEnd } from "../_platform/mod.ts";
import { Spinner } from "../_platform/park.ts";
import { Arena, ArenaView } from "../_memory/arena.ts";
import { Decoder } from "../_memory/decoder.ts";
import { Encoder } from "../_memory/encoder.ts";
import { TASK_RING } from "../_memory/layout.ts";
import type { Encoded } from "../_memory/message.ts";
import { bellOf, Deputy } from "../_memory/seat.ts";
import { ThreadTable } from "../_memory/thread_table.ts";
import { SLOT, TaskRing } from "../_memory/task_ring.ts";
import { Broker } from "./_broker.ts";
import { CatalogReader } from "./_catalog.ts";
import { type FrameReader, type Payload, payloadOf, unsendableExtra } from "./_frames.ts";
import {
  KIND,
  PLACE,
  type RemoteCall,
  REPLY,
  type StartMessage,
  WORDS_SHIFT,
} from "./_protocol.ts";
import { describeEnd, ProcessLink } from "./_process_link.ts";
import { DOWN, type HostStart, type ProcessSettings, UP } from "./_process_protocol.ts";
import { RelayReader, RelayWriter } from "./_relay.ts";
import { describe, unsendable } from "./_target.ts";
import { WorkerState } from "./_worker_state.ts";

/** Tasks that come back within this time may be sent ahead, twice as many as before. */
const AHEAD_MS = 1;
/** The most tasks in a child's hands. */
const MOST_AHEAD = 512;

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** A task as it goes to a child. */
interface Task {
  readonly task: number;
  /** Its number in the pool's ring: indexes are used again. */
  readonly number: number;
  readonly fn: number;
  readonly form: number;
  readonly payload: Payload;
}

/** What a task in hand has to be remembered for. */
interface InHand {
  readonly number: number;
  readonly fn: number;
  readonly sentMs: number;
  /** It was asked to stop. */
  isStopping: boolean;
}

/** What the children of one pool have in common. */
export class ChildGroup {
  readonly children = new Set<PoolChild>();
  /** Tasks that a child has returned, oldest first. */
  readonly returned: Task[] = [];
  /** How many tasks of a function may be in a child's hands. */
  readonly ahead = new Map<number, number>();
}

/** What has become of a child. */
export interface ChildEnd {
  readonly pid: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** One child process of a pool. */
export class PoolChild {
  readonly #start: StartMessage;
  readonly #group: ChildGroup;
  readonly #ring: TaskRing;
  readonly #arguments: ArenaView;
  readonly #catalog: CatalogReader;
  readonly #state: WorkerState;
  readonly #replies: RelayReader;
  readonly #mail: RelayWriter;
  /** Mail that has to wait for room. */
  readonly #waitingMail: [kind: number, id: number, payload: Payload][] = [];
  readonly #link: ProcessLink;
  readonly #broker: Broker;
  readonly #encoder = new Encoder();
  readonly #decoder = new Decoder();
  readonly #onEnd: () => void;

  readonly #knownFunctions = new Set<number>();
  readonly #inHand = new Map<number, InHand>();
  /** Tasks whose arguments the owner has been asked for, oldest first. */
  readonly #fetching: Omit<Task, "payload">[] = [];
  #tasksLeft: number;
  /** It has returned tasks since the last RESUME. */
  #hasReturned = false;
  #isClosing = false;
  #ended = false;
  /** Why it was killed, as the end of a sentence. */
  #killedBecause: string | undefined;
  /** What the worker has told of its end. */
  #report: { readonly how: string; readonly error: unknown } | undefined;
  #onChange: (() => void) | undefined;
  readonly #spinner = new Spinner();

  constructor(
    start: StartMessage,
    settings: ProcessSettings,
    group: ChildGroup,
    onEnd: () => void,
  ) {
    this.#start = start;
    this.#group = group;
    this.#ring = new TaskRing(start.ring);
    this.#arguments = new ArenaView(start.arena);
    this.#catalog = new CatalogReader(start.catalog);
    this.#state = new WorkerState(start.state);
    this.#tasksLeft = start.maxTasks;
    this.#onEnd = onEnd;
    const table = new ThreadTable(start.threads);
    const deputy = new Deputy(start.name, start.threads, start.thread);
    this.#replies = new RelayReader(this.#state.replies, start.arena, start.port);
    this.#mail = new RelayWriter(
      this.#state.records,
      new Arena(start.results),
      start.port,
      bellOf(table, start.ownerThread),
    );
    this.#broker = new Broker(deputy, (kind, id, value) => this.#reply(kind, id, value));
    this.#encoder.handleOf = this.#broker.handleOf;
    deputy.listen({
      ready: () => this.#replies.hasMail,
      drain: () => this.#passReplies(),
    });
    this.#link = new ProcessLink(
      settings,
      import.meta.resolve("./_process_main.ts"),
      (record) => this.#receive(record),
      () => this.#afterFrame(),
      (end) => this.#afterEnd(end),
    );
    this.#sendStart(settings);
    this.#tell(KIND.STARTED, 0, this.#link.pid);
  }

  #sendStart({ isAlone, config }: ProcessSettings): void {
    const { name, owner, initializer, initargs, initargsShareObjects, firstTaskId } = this.#start;
    const start: HostStart = {
      name,
      owner,
      initializer: initializer < 0 ? undefined : this.#catalog.targetOf(initializer),
      initargs,
      initargsShareObjects,
      firstTaskId,
      isAlone,
      config,
    };
    this.#link.write(DOWN.START, 0, 0, 0, payloadOf(new Encoder(), start));
    this.#link.flush();
    if (initializer < 0) this.#state.setReady();
  }

  // Tasks

  /** Takes tasks until there will be no more. */
  async run(): Promise<void> {
    for (;;) {
      this.#feed();
      if (this.#ended) return;
      const isIdle = this.#inHand.size === 0;
      if (isIdle && (this.#state.isRetired || this.#tasksLeft === 0)) break;
      // What is ready and was not sent may not follow what is in hand.
      if (!this.#mayTakeMore() || (!isIdle && this.#ring.hasReady())) {
        await this.#change();
        continue;
      }
      if (this.#look()) continue;
      if (this.#ring.isClosed && !this.#ring.hasReady()) {
        if (isIdle) break;
        await this.#change();
        continue;
      }
      await this.#state.sleep(this.#ring, isIdle ? this.#start.idleTimeoutMs : undefined);
    }
    this.#close();
  }

  #close(): void {
    this.#isClosing = true;
    this.#link.write(DOWN.CLOSE, 0, 0, 0);
    this.#link.flush();
  }

  /** A promise for the next outcome. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#onChange = resolve);
  }

  /** Whether the child's hands are not full. */
  #mayTakeMore(): boolean {
    if (this.#tasksLeft === 0 || this.#state.isRetired) return false;
    const { size } = this.#inHand;
    if (size === 0) return true;
    const [{ fn }] = this.#inHand.values();
    return size < (this.#group.ahead.get(fn) ?? 1) && this.#fetching.length === 0;
  }

  /** Whether the next task in the ring may be sent behind those in hand. */
  #mayFollow(): boolean {
    if (this.#inHand.size === 0) return true;
    const { words, head } = this.#ring;
    const slot = this.#ring.slotOf(head);
    const [{ fn }] = this.#inHand.values();
    return words[slot + SLOT.FUNCTION] === fn &&
      (words[slot + SLOT.FORM] & PLACE.MASK) !== PLACE.MESSAGE;
  }

  /** Sends the child what it may have. */
  #feed(): void {
    const { returned } = this.#group;
    while (!this.#ended && !this.#isClosing && this.#mayTakeMore()) {
      if (this.#inHand.size === 0 && !this.#state.mayClaim()) break;
      const back = this.#inHand.size === 0 ? returned.shift() : undefined;
      if (back !== undefined) {
        this.#state.begin(back.number, back.task);
        this.#tasksLeft--;
        this.#send(back);
      } else if (returned.length > 0 || !this.#mayFollow() || !this.#claim()) break;
    }
    this.#link.flush();
  }

  /** Claims the oldest task and sends it; false when there is none. */
  #claim(): boolean {
    const ring = this.#ring;
    const number = ring.claim(this.#start.number);
    if (number < 0) return false;
    const { words, bytes } = ring;
    const slot = ring.slotOf(number);
    const task = words[slot + SLOT.TASK];
    const fn = words[slot + SLOT.FUNCTION];
    const form = words[slot + SLOT.FORM];
    const at = slot + SLOT.PAYLOAD;
    this.#state.begin(number, task);
    this.#tasksLeft--;
    if ((form & PLACE.MASK) === PLACE.INLINE) {
      const length = (form >>> WORDS_SHIFT) * WORD_BYTES;
      const payload = {
        place: PLACE.INLINE,
        externBase: 0,
        bytes,
        start: at * WORD_BYTES,
        length,
      };
      this.#send({ task, number, fn, form, payload });
    } else if ((form & PLACE.MASK) === PLACE.BLOCK) {
      this.#arguments.follow();
      const start = words[at];
      const payload = {
        place: PLACE.BLOCK,
        externBase: words[at + 1] - start,
        bytes: this.#arguments.bytes,
        start,
        length: words[at + 2],
      };
      this.#send({ task, number, fn, form, payload });
      this.#arguments.release(start);
    } else {
      this.#inHand.set(task, { number, fn, sentMs: nowMs(), isStopping: false });
      this.#fetching.push({ task, number, fn, form });
      this.#tell(KIND.FETCH, task, undefined);
    }
    ring.release(number);
    return true;
  }

  #send({ task, number, fn, form, payload }: Task): void {
    if (!this.#knownFunctions.has(fn)) {
      this.#knownFunctions.add(fn);
      this.#link.write(
        DOWN.FUNCTION,
        fn,
        0,
        0,
        payloadOf(new Encoder(), this.#catalog.targetOf(fn)),
      );
    }
    this.#inHand.set(task, { number, fn, sentMs: nowMs(), isStopping: false });
    this.#link.write(DOWN.TASK, task, fn, form, payload);
  }

  /** Takes the port with the arguments that the owner was asked for. */
  async takeArguments(port: MessagePort): Promise<void> {
    const fetching = this.#fetching.shift()!;
    const { task } = fetching;
    const { block, externBase, extras } = await platform.nextMessage(port) as Encoded;
    port.close();
    if (this.#ended) return;
    if (extras.length > 0 || this.#inHand.get(task)!.isStopping) {
      const error = extras.length > 0 ? unsendable(unsendableExtra(extras[0])) : undefined;
      this.#finish(task);
      this.#tell(KIND.ERROR, task, error);
      this.#afterFrame();
      return;
    }
    const bytes = new Uint8Array(block);
    const { length } = bytes;
    this.#send({
      ...fetching,
      payload: { place: PLACE.BLOCK, externBase, bytes, start: 0, length },
    });
    this.#link.flush();
  }

  /** Looks for a task for a moment; true when there is one. */
  #look(): boolean {
    if (this.#inHand.size > 0 || !this.#spinner.isDue()) return false;
    const { words } = this.#ring;
    const mayLook = add(words, TASK_RING.LOOKING, 1) < platform.cores - 1;
    const found = mayLook ? this.#spinner.look(() => this.#ring.hasReady()) : this.#spinner.miss();
    add(words, TASK_RING.LOOKING, -1);
    return found;
  }

  // What the child says

  #receive(record: FrameReader): void {
    const { type, a, b, c } = record;
    if (type === UP.MAIL) this.#receiveMail(record, a, b);
    else this.#takeBack(a, b, c, record.keep());
  }

  #receiveMail(record: FrameReader, kind: number, id: number): void {
    switch (kind) {
      case KIND.RESULT:
      case KIND.ERROR:
        this.#finish(id);
        this.#pass(kind, id, record);
        break;
      case KIND.ENDED: {
        this.#report = this.#readReport(record);
        break;
      }
      case KIND.INITIALIZER_FAILED:
        this.#pass(kind, id, record);
        this.#close();
        break;
      case KIND.CALL:
        this.#call(id, record);
        break;
      case KIND.READY:
        this.#state.setReady();
        break;
      case KIND.CALL_ABORT:
        this.#broker.abort(id);
        break;
      case KIND.RELEASE:
        this.#broker.release(record.decode(this.#decoder) as string);
        break;
      default:
        this.#pass(kind, id, record);
    }
  }

  #readReport(record: FrameReader): { how: string; error: unknown } {
    try {
      const [how, error] = record.decode(this.#decoder) as [string, unknown];
      return { how, error };
    } catch (error) {
      return { how: "threw an error that cannot be read here", error };
    }
  }

  #call(id: number, record: FrameReader): void {
    let call: RemoteCall;
    try {
      call = this.#broker.deputy.act(() => record.decode(this.#decoder)) as RemoteCall;
    } catch (error) {
      return this.#reply(REPLY.THROWN, id, [error]);
    }
    this.#broker.call(id, call);
  }

  /** Books a task that has an outcome, and learns how long its kind takes. */
  #finish(task: number): void {
    const inHand = this.#inHand.get(task);
    if (inHand === undefined) return;
    this.#inHand.delete(task);
    const { ahead } = this.#group;
    const most = ahead.get(inHand.fn) ?? 1;
    const elapsedMs = nowMs() - inHand.sentMs;
    if (elapsedMs > AHEAD_MS) ahead.set(inHand.fn, Math.max(1, most >> 1));
    else if (this.#inHand.size + 1 >= most / 2) {
      ahead.set(inHand.fn, Math.min(MOST_AHEAD, most * 2));
    }
  }

  /** Takes back a task that waits behind a long one. */
  #takeBack(task: number, fn: number, form: number, payload: Payload): void {
    const { number, isStopping } = this.#inHand.get(task)!;
    this.#inHand.delete(task);
    this.#hasReturned = true;
    this.#group.ahead.set(fn, 1);
    this.#tasksLeft++;
    if (isStopping) this.#tell(KIND.ERROR, task, undefined);
    else this.#group.returned.push({ task, number, fn, form, payload });
  }

  #afterFrame(): void {
    this.#mail.ring();
    if (this.#hasReturned) {
      this.#hasReturned = false;
      this.#link.write(DOWN.RESUME, 0, 0, 0);
    }
    this.#feed();
    const onChange = this.#onChange;
    this.#onChange = undefined;
    onChange?.();
    if (this.#inHand.size === 0) this.#timeAgain();
    if (this.#group.returned.length === 0) return;
    for (const child of this.#group.children) {
      if (child.#inHand.size > 0) continue;
      child.#feed();
      child.#timeAgain();
    }
  }

  /** Has a sleep begin anew, as whether the child is idle, and may be so for its idle timeout only, has changed. */
  #timeAgain(): void {
    if (this.#start.idleTimeoutMs !== undefined) this.#state.wake(this.#ring);
  }

  // Mail

  /** Puts mail for the owner into the ring, or behind what waits for room there. */
  #pass(kind: number, id: number, payload: Payload & { keep?(): Payload }): void {
    if (this.#waitingMail.length === 0 && this.#mail.write(kind, id, payload)) return;
    this.#waitingMail.push([kind, id, payload.keep?.() ?? payload]);
    if (this.#waitingMail.length === 1) this.#passWaiting();
  }

  async #passWaiting(): Promise<void> {
    while (this.#waitingMail.length > 0) {
      const [kind, id, payload] = this.#waitingMail[0];
      if (!this.#mail.write(kind, id, payload)) {
        this.#mail.ring();
        await this.#mail.room();
        continue;
      }
      this.#waitingMail.shift();
    }
    this.#mail.ring();
  }

  /** Says something to the owner. */
  #tell(kind: number, id: number, value: unknown): void {
    this.#pass(kind, id, payloadOf(new Encoder(), value));
    this.#mail.ring();
  }

  /** Says something to the child's worker. */
  #reply(kind: number, id: number, value: unknown): void {
    if (this.#ended) return;
    let payload: Payload;
    try {
      payload = payloadOf(this.#encoder, value);
    } catch (error) {
      payload = payloadOf(this.#encoder, [unsendable(error)]);
      kind = REPLY.THROWN;
    }
    this.#link.write(DOWN.MAIL, kind, id, 0, payload);
    this.#link.flush();
  }

  #passReplies(): boolean {
    let found = false;
    const replies = this.#replies;
    while (replies.take(() => this.#link.write(DOWN.MAIL, replies.kind, replies.id, 0, replies))) {
      found = true;
    }
    if (found) this.#link.flush();
    return found;
  }

  // Its end

  /** Has a task that it runs asked to stop, and the process ended if it does not in time. */
  stop(task: number, number: number, graceMs: number): void {
    const { returned } = this.#group;
    const at = returned.findIndex((other) => other.number === number);
    if (at >= 0) {
      returned.splice(at, 1);
      this.#tell(KIND.ERROR, task, undefined);
      return;
    }
    const inHand = this.#inHand.get(task);
    // Another task may have its index by now.
    if (inHand?.number !== number) return;
    inHand.isStopping = true;
    this.#link.write(DOWN.ABORT, task, 0, 0);
    this.#link.flush();
    callAt(nowMs() + graceMs, () => {
      if (this.#inHand.get(task)?.number !== number) return;
      this.end("SIGKILL", "as its task was to stop and did not");
    });
  }

  /** Sends the process a signal that ends it. */
  end(signal: string, because?: string): void {
    this.#killedBecause ??= because;
    this.#link.kill(signal);
  }

  #afterEnd(end: ProcessEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#broker.end();
    const { pid } = this.#link;
    const waiting = this.#group.returned.length;
    if (this.#isClosing && end.code === 0 && this.#inHand.size === 0) {
      this.#tell(KIND.RETIRED, 0, waiting);
    } else {
      const told = this.#report === undefined ? "" : `, as it ${this.#report.how}`;
      const why = this.#killedBecause === undefined ? told : `, ${this.#killedBecause}`;
      const how = describeEnd(pid, end) + why;
      const facts: ChildEnd = { pid, exitCode: end.code, signal: end.signal };
      const tell = (cause: unknown): void => {
        const error = Object.assign(new Error(how, { cause }), facts);
        error.name = "ProcessEndError";
        this.#tell(KIND.ENDED, 0, [how, error, [...this.#inHand.keys()], waiting]);
      };
      try {
        tell(this.#report?.error);
      } catch {
        tell(describe(this.#report?.error)); // It holds a shared object.
      }
    }
    this.#onChange?.();
    this.#state.wake(this.#ring); // So that `run` ends, and nobody counts it as asleep.
    this.#onEnd();
  }
}
