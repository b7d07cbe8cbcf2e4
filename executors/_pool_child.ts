/**
 * One child process of a pool, from the thread that serves it: it takes tasks from the pool's ring
 * as a worker of a thread pool does, sends them to the child, and passes on what the child says.
 *
 * A child runs one task at a time, and may be sent short ones ahead; see `_tasks_in_hand.ts`. If
 * one of them takes long after all, the child returns those behind it (RETURNED), and any child
 * with nothing to do takes them.
 *
 * Invariants
 * 1. A task is in one place: the ring, the returned ones of its pool, or the hands of one child
 *    (`#inHand`), where it is from the claim until its outcome is in the owner's mail. When a child
 *    ends, the owner is told what it had in hand, and fails it.
 * 2. The owner's STATE and PHASE words are written as a worker writes them: RUNNING while something
 *    is in hand; STATE is checked for RETIRED before each claim.
 *
 * @module
 */

import { callAt, nowMs } from "../_platform/clock.ts";
import { platform } from "../_platform/mod.ts";
import type { ProcessEnd } from "../_platform/processes.ts";
import { Arena, ArenaView } from "../_memory/arena.ts";
import { Decoder } from "../_memory/decoder.ts";
import type { Encoded } from "../_memory/message.ts";
import { bellOf } from "../_memory/seat.ts";
import { ThreadTable } from "../_memory/thread_table.ts";
import { SLOT, TaskRing } from "../_memory/task_ring.ts";
import { CatalogReader } from "./_catalog.ts";
import { ChildBrokers } from "./_child_brokers.ts";
import { ChildEnding } from "./_child_ending.ts";
import type { FrameReader } from "./_frames.ts";
import {
  blockPayload,
  decodePayload,
  keep,
  type Payload,
  payloadAt,
  payloadOf,
} from "./_payload.ts";
import { KIND, PLACE, type RanReport, REPLY, type StartMessage, wordsOf } from "./_protocol.ts";
import { ProcessLink } from "./_process_link.ts";
import { DOWN, type HostStart, LOOK_MS, type ProcessSettings, UP } from "./_process_protocol.ts";
import type { StartedProcess } from "./_process_start.ts";
import { RelayReader, RelayWriter } from "./_relay.ts";
import { errorText, unsendable } from "./_target.ts";
import { type ChildGroup, type Task, type TaskHead, TasksInHand } from "./_tasks_in_hand.ts";
import { ServingWire } from "./_wire.ts";
import { WorkerState } from "./_worker_state.ts";

/** How long a process may take to hear that a task must stop: it may still be starting. */
const UNHEARD_MS = 5000;

/** The mail about a task in hand that is the owner's concern alone. */
const ABOUT_TASK: ReadonlySet<number> = new Set([
  KIND.PROGRESS,
  KIND.STREAM_STARTED,
  KIND.YIELDED,
  KIND.YIELDED_LARGE,
  KIND.THREW,
]);

/** The other mail that is the owner's concern alone. */
const PASSED_ON: ReadonlySet<number> = new Set([
  KIND.SUBMIT,
  KIND.BLOCK,
  KIND.CANCEL,
  KIND.TAKEN,
  KIND.LEFT,
  KIND.BEGUN,
  KIND.ABORT,
]);

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
  readonly #link: ProcessLink;
  readonly #ending: ChildEnding;
  readonly #wire: ServingWire;
  readonly #brokers: ChildBrokers;
  readonly #decoder = new Decoder();
  readonly #onEnd: () => void;
  /** Whether the child exists for one task only. */
  readonly #isAlone: boolean;

  readonly #knownFunctions = new Set<number>();
  readonly #inHand: TasksInHand;
  /** The task in hand that is not sent yet: the owner has been asked for its arguments. */
  #fetching: TaskHead | undefined;
  #tasksLeft: number;
  /** Whether the child has returned tasks since the last RESUME. */
  #hasReturned = false;
  #ended = false;
  #onChange: (() => void) | undefined;

  constructor(
    start: StartMessage,
    settings: ProcessSettings,
    started: StartedProcess,
    group: ChildGroup,
    onEnd: () => void,
  ) {
    this.#link = new ProcessLink(
      started,
      (record) => this.#receive(record),
      () => this.#afterFrame(),
      (error) => this.#refuse(error),
      (end) => this.#afterEnd(end),
    );
    this.#ending = new ChildEnding(this.#link);
    this.#wire = new ServingWire(this.#link.wire);
    this.#start = start;
    this.#group = group;
    this.#inHand = new TasksInHand(group, start.initargsShareObjects);
    this.#ring = new TaskRing(start.ring);
    this.#arguments = new ArenaView(start.arena);
    this.#catalog = new CatalogReader(start.catalog);
    this.#state = new WorkerState(start.state);
    this.#tasksLeft = start.maxTasks;
    this.#onEnd = onEnd;
    this.#isAlone = settings.isAlone;
    const table = new ThreadTable(start.threads);
    this.#replies = new RelayReader(this.#state.replies, start.replyBlocks, start.port);
    this.#mail = new RelayWriter(
      this.#state.records,
      new Arena(start.results),
      start.port,
      bellOf(table, start.ownerThread),
    );
    this.#brokers = new ChildBrokers(
      start.name,
      start.threads,
      start.thread,
      (line, kind, id, value) => this.#answer(line, kind, id, value),
    );
    this.#brokers.deputy.listen({
      ready: () => this.#replies.hasMail,
      drain: () => this.#passReplies(),
    });
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
    this.#link.write(DOWN.START, 0, 0, 0, payloadOf(start));
    this.#link.flush();
    if (initializer < 0) this.#state.setReady();
  }

  // Tasks

  /** Takes tasks until there will be no more. */
  async run(): Promise<void> {
    for (;;) {
      this.#feed();
      if (this.#ended) return;
      const isIdle = this.#inHand.isEmpty;
      if (isIdle && (this.#state.isRetired || this.#tasksLeft === 0)) break;
      if (!this.#mayTakeMore() || (!isIdle && this.#ring.hasReady())) {
        // The task in the ring may not follow those in hand, and this child may be the one that was
        // woken for it.
        if (this.#ring.hasReady()) this.#feedIdle();
        await this.#change();
        continue;
      }
      if (isIdle && this.#state.look(this.#ring, LOOK_MS)) continue;
      if (this.#ring.isClosed && !this.#ring.hasReady()) {
        if (isIdle) break;
        await this.#change();
        continue;
      }
      await this.#state.sleep(this.#ring, isIdle ? this.#start.idleTimeoutMs : undefined);
    }
    // The worker of a child for one task ends by itself.
    if (!this.#isAlone) this.#close();
  }

  #close(): void {
    this.#link.write(DOWN.CLOSE, 0, 0, 0);
    this.#link.flush();
    this.#expectEnd();
  }

  /** The child's worker has ended, and all that it has said has arrived. */
  #letEnd(): void {
    this.#link.write(DOWN.END, 0, 0, 0);
  }

  /** The child has nothing more to do, and should end soon. */
  #expectEnd(): void {
    this.#state.retire(this.#ring);
    this.#ending.expect();
  }

  /** A promise for the next frame from the child, or for its end. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#onChange = resolve);
  }

  /** Whether the child may take another task. */
  #mayTakeMore(): boolean {
    if (this.#tasksLeft === 0 || this.#state.isRetired) return false;
    return this.#inHand.mayGrow && this.#fetching === undefined && !this.#wire.isBusy;
  }

  /** Whether the next task in the ring may be sent behind those in hand. */
  #mayFollow(): boolean {
    const { words, head } = this.#ring;
    const slot = this.#ring.slotOf(head);
    return this.#inHand.mayAdd({
      fn: words[slot + SLOT.FUNCTION],
      form: words[slot + SLOT.FORM],
    });
  }

  /** Sends the child as many tasks as it may have. */
  #feed(): void {
    const group = this.#group;
    while (!this.#ended && !this.#ending.isExpected && this.#mayTakeMore()) {
      const isIdle = this.#inHand.isEmpty;
      if (isIdle && !this.#state.mayClaim()) break;
      const back = isIdle ? group.takeReturned(this.#ring) : undefined;
      if (back !== undefined) {
        this.#begin(back);
        this.#send(back);
      } else if (group.hasReturned || !this.#mayFollow() || !this.#claim()) break;
    }
    this.#link.flush();
  }

  /** Claims the oldest task and sends it; false when there is none. */
  #claim(): boolean {
    const ring = this.#ring;
    const number = ring.claim(this.#start.number);
    if (number < 0) return false;
    const { words } = ring;
    const slot = ring.slotOf(number);
    const form = words[slot + SLOT.FORM];
    const head = { task: words[slot + SLOT.TASK], number, fn: words[slot + SLOT.FUNCTION], form };
    const place = form & PLACE.MASK;
    this.#begin(head);
    if (place === PLACE.MESSAGE) {
      this.#inHand.add(head);
      this.#fetching = head;
      this.#tell(KIND.FETCH, head.task, undefined);
    } else {
      const at = slot + SLOT.PAYLOAD;
      const payload = payloadAt(place, ring, at, wordsOf(form), this.#arguments);
      const sent = { ...head, payload };
      if (this.#isAloneOnItsWay(head)) this.#sendByWire(sent);
      else this.#send(sent);
      if (place === PLACE.BLOCK) this.#arguments.release(payload.start);
    }
    // The thread that this runs in is never abandoned, so this succeeds.
    ring.release(number, this.#start.number);
    this.#tellBegun();
    return true;
  }

  #begin(head: TaskHead): void {
    this.#show(head);
    this.#tasksLeft--;
  }

  #show({ task, number }: { readonly task: number; readonly number: number }): void {
    this.#state.begin(number, task);
    this.#tellBegun();
  }

  #tellBegun(): void {
    if (this.#ring.mustTell()) this.#tell(KIND.BEGUN, 0, undefined);
  }

  /** Shows a task that is in hand, if the one shown no longer is. */
  #showLast(): void {
    const { last } = this.#inHand;
    if (last !== undefined && last.number !== (this.#state.currentNumber >>> 0)) this.#show(last);
  }

  #send(sent: Task): void {
    const { task, fn, form, payload } = sent;
    if (!this.#knownFunctions.has(fn)) {
      this.#knownFunctions.add(fn);
      this.#link.write(DOWN.FUNCTION, fn, 0, 0, payloadOf(this.#catalog.targetOf(fn)));
    }
    this.#inHand.add(sent);
    this.#link.write(DOWN.TASK, task, fn, form, payload);
  }

  /**
   * Whether a claimed task may go by the wire: the child has nothing else in hand, and the ring
   * holds no task to send behind it.
   */
  #isAloneOnItsWay(head: TaskHead): boolean {
    return this.#inHand.isEmpty && this.#wire.suits(head) && !this.#ring.hasReady();
  }

  #sendByWire(sent: Task): void {
    this.#inHand.add(sent);
    this.#wire.send(sent);
  }

  /** Takes the port with the arguments that the owner was asked for. */
  async takeArguments(port: MessagePort): Promise<void> {
    const fetching = this.#fetching!;
    const { task } = fetching;
    const message = await platform.nextMessage(port) as Encoded;
    port.close();
    if (this.#ended) return;
    this.#fetching = undefined;
    if (this.#inHand.get(task)!.stopMs !== undefined) {
      this.#inHand.finish(task);
      this.#tell(KIND.ERROR, task, undefined);
      this.#afterFrame();
      return;
    }
    this.#send({ ...fetching, payload: blockPayload(message) });
    this.#link.flush();
  }

  // What the child says

  #receive(record: FrameReader): void {
    const { type, a, b, c } = record;
    if (type === UP.MAIL) this.#receiveMail(record, a, b);
    else if (type === UP.STOPPING) {
      // By now the task may have its outcome, and another task its index.
      if (c === 0 || this.#wire.numberOf(a) === b) this.#stopping(a);
    } else if (type === UP.NUMBERED) this.#wire.learn(a, b);
    else if (type === UP.WIRED) this.#wire.open();
    else if (type === UP.LINE_OPENED) this.#brokers.lineOpened(a, record);
    else if (type === UP.LINE_ENDED) this.#brokers.lineEnded(a);
    else if (type === UP.RETURNED) this.#takeBack(a, keep(record));
    else throw new Error(`Cannot read record: none is of type ${type}`);
  }

  #receiveMail(record: FrameReader, kind: number, id: number): void {
    switch (kind) {
      case KIND.RESULT:
      case KIND.ERROR:
        this.#checkSent(id);
        this.#inHand.finish(id);
        this.#wire.finish(id);
        this.#mail.pass(kind, id, record);
        if (this.#isAlone && kind === KIND.ERROR) this.#ending.failed();
        break;
      case KIND.RAN: {
        const [startMs, endMs] = this.#readRan(record);
        this.#inHand.ran(id, endMs - startMs);
        this.#mail.pass(kind, id, record);
        break;
      }
      case KIND.ENDED:
        this.#ending.report(record);
        this.#letEnd();
        break;
      case KIND.INITIALIZER_FAILED:
        if (this.#state.isReady) throw new Error("Cannot read mail: no initializer is running");
        this.#mail.pass(kind, id, record);
        this.#letEnd();
        this.#expectEnd();
        break;
      case KIND.FINISHING:
        this.#ending.putOff();
        this.#mail.pass(kind, id, record);
        break;
      case KIND.RETIRED:
        this.#letEnd();
        this.#expectEnd();
        break;
      case KIND.CALL:
      case KIND.CALL_ABORT:
      case KIND.RELEASE:
        this.#brokers.receive(record.c, kind, id, record);
        break;
      case KIND.READY:
        this.#state.setReady();
        break;
      default:
        if (ABOUT_TASK.has(kind)) {
          // What is left of a task may report after its end, when its index may be another task's.
          if (this.#inHand.get(id) !== undefined) this.#mail.pass(kind, id, record);
          break;
        }
        if (!PASSED_ON.has(kind)) throw new Error(`Cannot read mail: none is of kind ${kind}`);
        this.#mail.pass(kind, id, record);
    }
  }

  /** Throws if the child speaks of a task that it has not been sent. */
  #checkSent(task: number): void {
    if (this.#fetching?.task !== task) return;
    throw new RangeError(`Cannot find task ${task}: the process has not been sent it`);
  }

  #readRan(record: FrameReader): RanReport {
    const report = decodePayload(this.#decoder, record) as RanReport;
    if (report.length === 3 && report.every(Number.isFinite)) return report;
    throw new TypeError("Cannot read report of a task: it is not three numbers");
  }

  /** Takes back a task that waits behind a long one. */
  #takeBack(task: number, payload: Payload): void {
    this.#checkSent(task);
    const { number, fn, form, stopMs } = this.#inHand.takeBack(task);
    this.#hasReturned = true;
    this.#tasksLeft++;
    if (stopMs !== undefined) this.#tell(KIND.ERROR, task, undefined);
    else this.#group.addReturned({ task, number, fn, form, payload }, this.#ring);
  }

  #afterFrame(): void {
    this.#showLast();
    this.#mail.ring();
    const hasReturned = this.#hasReturned;
    if (hasReturned) {
      this.#hasReturned = false;
      this.#link.write(DOWN.RESUME, 0, 0, 0);
    }
    this.#feed();
    const onChange = this.#onChange;
    this.#onChange = undefined;
    onChange?.();
    if (this.#inHand.isEmpty) this.#timeAgain();
    if (!this.#group.hasReturned) return;
    this.#feedIdle();
    // The owner may start another process for the returned tasks.
    if (hasReturned && this.#group.hasReturned) this.#tell(KIND.BEGUN, 0, undefined);
  }

  /** Makes the pool's idle children take what there is. */
  #feedIdle(): void {
    for (const child of this.#group.children) {
      if (!child.#inHand.isEmpty) continue;
      child.#feed();
      child.#timeAgain();
    }
  }

  /**
   * Makes a sleep begin anew: whether the child is idle has changed, and with it whether the idle
   * timeout applies.
   */
  #timeAgain(): void {
    if (this.#start.idleTimeoutMs !== undefined) this.#state.wake(this.#ring);
  }

  // Mail

  /** Says something to the owner. */
  #tell(kind: number, id: number, value: unknown): void {
    this.#mail.pass(kind, id, payloadOf(value));
    this.#mail.ring();
  }

  /** Says something of a call to the child's worker, or to its thread with that line. */
  #answer(line: number, kind: number, id: number, value: unknown): void {
    if (this.#ended) return;
    let payload: Payload;
    try {
      payload = payloadOf(value);
    } catch (error) {
      payload = payloadOf([unsendable(error)]);
      kind = REPLY.THROWN;
    }
    this.#link.write(DOWN.MAIL, kind, id, line, payload);
    this.#link.flush();
  }

  #passReplies(): boolean {
    if (!this.#replies.takeAll(this.#passReply)) return false;
    this.#link.flush();
    return true;
  }

  readonly #passReply = (kind: number, id: number, payload: Payload): void =>
    this.#link.write(DOWN.MAIL, kind, id, 0, payload);

  // Its end

  /**
   * Asks a task that the child has in hand to stop, and ends the process if it does not in time.
   */
  stop(task: number, number: number, graceMs: number): void {
    if (this.#group.dropReturned(number, this.#ring)) {
      this.#tell(KIND.ERROR, task, undefined);
      return;
    }
    const inHand = this.#inHand.get(task);
    // Another task may have its index by now.
    if (inHand?.number !== number) return;
    inHand.stopMs = graceMs;
    const wired = this.#wire.numberOf(task);
    this.#link.write(DOWN.ABORT, task, wired ?? 0, wired === undefined ? 0 : 1);
    this.#link.flush();
    this.#endUnlessStopped(task, nowMs() + UNHEARD_MS);
  }

  /** Ends the process if it still has the task at that time. */
  #endUnlessStopped(task: number, atMs: number): void {
    const inHand = this.#inHand.get(task);
    if (inHand?.stopMs === undefined) return;
    callAt(atMs, () => {
      if (this.#inHand.get(task) !== inHand) return;
      this.end("SIGKILL", "as its task was to stop and did not");
    });
  }

  /**
   * The child's worker has been asked to stop a task. Only now does the task's grace begin, as the
   * process may have been starting.
   */
  #stopping(task: number): void {
    this.#endUnlessStopped(task, nowMs() + (this.#inHand.get(task)?.stopMs ?? 0));
  }

  /** Sends the process a signal that ends it. */
  end(signal: string, because?: string): void {
    this.#ending.kill(signal, because);
  }

  /**
   * Ends the process, and it alone: it has sent what the package never sends. A task can make it do
   * so, even one with no permission, which must not harm the program by it.
   */
  #refuse(error: unknown): void {
    this.end("SIGKILL", `as it sent what cannot be understood: ${errorText(error)}`);
  }

  #afterEnd(how: ProcessEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#brokers.end();
    const end = this.#ending.ended(how, !this.#inHand.isEmpty);
    if (end === undefined) this.#tell(KIND.RETIRED, 0, undefined);
    else this.#tell(KIND.ENDED, 0, [end.how, end.error, this.#inHand.indexes]);
    this.#onChange?.();
    this.#state.wake(this.#ring); // So that `run` ends, and the child no longer counts as asleep.
    this.#onEnd();
  }
}
