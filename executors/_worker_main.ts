/**
 * A pool's worker: claims tasks from the shared ring, runs one at a time, and writes their
 * outcomes.
 *
 * The loop runs synchronously from task to task as long as it can; it awaits only a task that
 * returned a promise, a function that must be loaded first, room for its records, a turn of the
 * event loop now and then (so that timers, fetches and messages of earlier tasks go on), and, when
 * there is nothing to do, the owner's wake-up.
 *
 * @module
 */

import { epochMs, nowMs } from "../_platform/clock.ts";
import { registerEntry } from "../_platform/entry.ts";
import { platform, type ThreadEnd } from "../_platform/mod.ts";
import { LONGEST_SPIN_MS } from "../_platform/park.ts";
import { Arena } from "../_memory/arena.ts";
import { Decoder } from "../_memory/decoder.ts";
import { doorbell } from "../_memory/doorbell.ts";
import { adoptSeat, bellOf, home, leaveAll } from "../_memory/seat.ts";
import { FLAG, ThreadTable } from "../_memory/thread_table.ts";
import { decode } from "../_memory/message.ts";
import { SLOT, TaskRing } from "../_memory/task_ring.ts";
import { ArgumentReader } from "./_argument_reader.ts";
import type { BufferNews } from "./_shared_buffers.ts";
import { CatalogReader } from "./_catalog.ts";
import { setOrigin } from "./_origin.ts";
import { type ChunkOutcome, ChunkRun, isThenable } from "./_chunk.ts";
import { MailboxReader, MailboxWriter } from "./_mailbox.ts";
import { decodePayload, handleForParent } from "./_payload.ts";
import {
  arityOf,
  type Carrier,
  CARRIES,
  CHUNK,
  KIND,
  numberOfWired,
  type RanReport,
  SHARED_OBJECTS,
  type StartMessage,
  STREAM,
  TIMED,
} from "./_protocol.ts";
import type { OwnerMail } from "./_owner_mail.ts";
import { RunningTask } from "./_running_task.ts";
import type { StreamHost } from "./_stream_worker.ts";
import type { WiredTask, WorkerWire } from "./_wire.ts";
import { errorText, explainCapture, loadTarget, type Target, unsendable } from "./_target.ts";
import { takeArgumentTransfers, transfer } from "./task.ts";
import { setLoading } from "./_thread_self.ts";
import { WorkerState } from "./_worker_state.ts";
import { setCurrentTask } from "./context.ts";

/** How long the worker runs tasks before it lets its event loop turn. */
const TURN_MS = 5;
/** The most tasks between two readings of the clock. */
const MOST_BETWEEN_CLOCKS = 64;
/** A hosted worker opens its wire when it has slept this often: it is given tasks one by one. */
const SLEEPS_UNWIRED = 8;

/** A function of the catalog, loaded. */
interface Loaded {
  readonly target: Target;
  readonly call: (...args: unknown[]) => unknown;
}

/** The entry of a worker's thread. */
export function main(): void {
  let worker: PoolWorker | undefined;
  let isCalledOff = false;
  platform.onOwnMessage((message) => {
    if (worker !== undefined) return worker.receive(message as MessagePort | BufferNews);
    if (isCalledOff) return;
    const start = message as StartMessage;
    const life = new ThreadTable(start.threads).lifeOf(start.thread);
    // Before it arrives: a worker that has arrived and has no sign of life is taken for gone.
    const alive = new Promise<void>((resolve) => platform.holdName(life, resolve));
    isCalledOff = !new WorkerState(start.state).arrive();
    if (isCalledOff) return; // The thread is about to be ended, and its place may be another's.
    worker = new PoolWorker(start);
    worker.run(alive);
  });
}

/**
 * Calls `fn`, and `end` once that has returned or thrown, or once the promise that it returned is
 * settled.
 */
function callTimed(fn: () => unknown, end: () => void): unknown {
  let value: unknown;
  try {
    value = fn();
    if (!isThenable(value)) {
      end();
      return value;
    }
  } catch (error) {
    end();
    throw error;
  }
  const settled = async (promise: PromiseLike<unknown>): Promise<unknown> => {
    try {
      return await promise;
    } finally {
      end();
    }
  };
  return settled(value);
}

class PoolWorker {
  readonly #start: StartMessage;
  readonly #ring: TaskRing;
  readonly #arguments: ArgumentReader;
  readonly #catalog: CatalogReader;
  readonly #state: WorkerState;
  readonly #mail: MailboxWriter;
  readonly #decoder = new Decoder();
  readonly #functions: Loaded[] = [];
  readonly #running: RunningTask;
  /** The thread is about to end: nothing more is claimed or reported. */
  #ended = false;
  #hasSharedObjects = false;
  /** Calls a function in the context that a task carries; loaded with the first such task. */
  #within: (<R>(carrier: Carrier, fn: () => R) => R) | undefined;
  #tasksLeft: number;
  #turnEndMs = 0;
  /** Tasks from one reading of the clock to the next, and how many of them are left. */
  #clockEvery = 1;
  #untilClock = 1;

  #sleeps = 0;
  /** Set in a child process that exists for more than one task. */
  #wire: WorkerWire | undefined;

  #ownerMail: OwnerMail | undefined;

  constructor(start: StartMessage) {
    this.#start = start;
    this.#ring = new TaskRing(start.ring);
    this.#catalog = new CatalogReader(start.catalog);
    this.#state = new WorkerState(start.state);
    const { table } = adoptSeat(start.threads, start.thread);
    const ownerBell = bellOf(table, start.ownerThread);
    this.#arguments = new ArgumentReader(start.arena, this.#decoder, this.#state, ownerBell);
    this.#mail = new MailboxWriter(
      this.#state.records,
      new Arena(start.results),
      start.port,
      ownerBell,
    );
    this.#running = new RunningTask(this.#state, start.firstTaskId, (task, fraction) => {
      this.#tell(KIND.PROGRESS, task, fraction);
    });
    if (start.isHosted) this.#mail.exportBy(handleForParent);
    this.#tasksLeft = start.maxTasks;
    setOrigin(start.origin, start.access, table.lifeOf(start.thread));
    for (const news of start.buffers) this.#arguments.buffers.learn(news);
    platform.containThreadEnd((end) => this.#tellEnd(end));
  }

  /**
   * Receives a message outside the mail: the port with a task's arguments, or news of a shared
   * buffer.
   */
  receive(message: MessagePort | BufferNews): void {
    if ("number" in message) this.#arguments.buffers.learn(message);
    else this.#arguments.receive(message);
  }

  /**
   * Takes tasks until there will be no more.
   *
   * @param alive Fulfilled once this thread holds its sign of life.
   */
  async run(alive: Promise<void>): Promise<void> {
    const { table, id } = home();
    alive.then(() => {
      this.#state.setAlive();
      table.setFlag(id, FLAG.HOLDS_LIFE);
    });
    if (!await this.#initialize()) return;
    this.#state.setReady();
    const { initializer, isHosted } = this.#start;
    if (initializer >= 0 && isHosted) this.#tell(KIND.READY, 0, undefined);
    for (;;) {
      setCurrentTask(this.#running.context);
      const waiting = this.#runReady();
      if (waiting !== undefined) {
        await waiting;
        continue;
      }
      setCurrentTask(undefined);
      if (this.#ended) return;
      if (this.#state.isRetired || this.#tasksLeft === 0) break;
      // In a process, the thread that would bring the next task needs the processor.
      if (this.#state.look(this.#ring, isHosted ? undefined : LONGEST_SPIN_MS)) continue;
      if (this.#ring.isClosed && !this.#ring.hasReady()) break;
      await this.#sleep();
      this.#turnEndMs = nowMs() + TURN_MS;
    }
    await this.#retire();
  }

  /**
   * Sleeps until there may be a task in the ring or the worker must retire, and meanwhile runs the
   * tasks that come by the wire.
   */
  #sleep(): Promise<void> {
    const slept = this.#state.sleep(this.#ring, this.#start.idleTimeoutMs);
    const { isHosted, isAlone } = this.#start;
    if (isHosted && !isAlone && ++this.#sleeps === SLEEPS_UNWIRED) this.#makeWire();
    return this.#wire === undefined ? slept : this.#wire.runUntil(slept, this.#runWired);
  }

  async #makeWire(): Promise<void> {
    try {
      const { WorkerWire } = await import("./_wire.ts");
      this.#wire = new WorkerWire();
    } catch {
      // The worker does without a wire: it is only slower.
    }
  }

  /** Runs a task that has come by the wire. */
  readonly #runWired = async ({ number, task, fn, form, payload }: WiredTask): Promise<void> => {
    // A host that loses the decision to this worker asks the running task to stop: so aborts are
    // counted from here.
    this.#state.mayClaim();
    if (this.#ended || !this.#state.decide(number)) return;
    this.#running.begin(numberOfWired(number), task);
    this.#state.begin(this.#running.number, task);
    setCurrentTask(this.#running.context);
    this.#mail.answerBy = this.#wire!.answer;
    try {
      const loaded = this.#functions[fn] ?? await this.#load(fn);
      if (this.#ended) return;
      const args = decodePayload(this.#decoder, payload) as unknown[];
      await this.#call(task, form, loaded, args);
    } catch (error) {
      await this.#tell(KIND.ERROR, task, error);
    } finally {
      this.#mail.answerBy = undefined;
      setCurrentTask(undefined);
      this.#state.mayClaim(); // The worker is BETWEEN tasks.
    }
  };

  /**
   * Ends in good order. Waits for what its tasks have delegated to other workers, but not for
   * timers and requests that they have left.
   */
  async #retire(): Promise<void> {
    if (doorbell.hasWork) {
      this.#state.retire(this.#ring);
      await this.#tell(KIND.FINISHING, 0, undefined);
      await doorbell.whenDone();
      if (this.#ended) return;
    }
    await this.#tell(KIND.RETIRED, 0, undefined);
    // A hosted worker ends with its process.
    if (!this.#start.isHosted) this.#end();
  }

  /** Runs the pool's initializer; false when it failed. */
  async #initialize(): Promise<boolean> {
    const { initializer, initargs, initargsShareObjects } = this.#start;
    if (initializer < 0) return true;
    try {
      const { call } = await this.#load(initializer);
      if (initargsShareObjects) await this.#loadSharedObjects();
      await call(...decode(this.#decoder, initargs!) as unknown[]);
      return !this.#ended;
    } catch (error) {
      const loaded = this.#functions[initializer];
      const told = loaded === undefined ? error : explainCapture(loaded.target, error);
      await this.#tell(KIND.INITIALIZER_FAILED, 0, told, (unsent) => {
        const instead = unsendable(unsent, "what the initializer threw");
        return this.#mail.write(KIND.INITIALIZER_FAILED, 0, instead);
      });
      this.#end();
      return false;
    }
  }

  /**
   * Runs tasks until there is none, or until something must be awaited: then it returns the
   * promise, and is called again afterwards.
   */
  #runReady(): Promise<void> | undefined {
    const ring = this.#ring;
    const state = this.#state;
    while (!this.#ended && state.mayClaim() && this.#tasksLeft > 0) {
      const number = ring.claim(this.#start.number);
      if (number < 0) return undefined;
      const slot = ring.slotOf(number);
      state.begin(number, ring.words[slot + SLOT.TASK]);
      this.#tellBegun();
      this.#tasksLeft--;
      const waiting = this.#runClaimed(number, slot);
      if (waiting !== undefined) return waiting;
      if (--this.#untilClock === 0 && this.#isTurnOver()) return this.#letTurn();
    }
    return undefined;
  }

  /**
   * Reads the clock; true when the event loop must turn. The faster the tasks, the more of them run
   * before the clock is read again.
   */
  #isTurnOver(): boolean {
    const remaining = this.#turnEndMs - nowMs();
    this.#clockEvery = remaining > TURN_MS / 2
      ? Math.min(MOST_BETWEEN_CLOCKS, this.#clockEvery * 2)
      : 1;
    this.#untilClock = this.#clockEvery;
    return remaining <= 0;
  }

  async #letTurn(): Promise<void> {
    setCurrentTask(undefined);
    await new Promise<void>((resolve) => platform.nextTurn(resolve));
    this.#turnEndMs = nowMs() + TURN_MS;
  }

  #runClaimed(number: number, slot: number): Promise<void> | undefined {
    const ring = this.#ring;
    const task = ring.words[slot + SLOT.TASK];
    const form = ring.words[slot + SLOT.FORM];
    const fn = ring.words[slot + SLOT.FUNCTION];
    this.#arguments.copy(ring, number, form);
    if (!ring.release(number, this.#start.number)) {
      // The task is no longer this worker's, and what was copied is no valid payload.
      this.#state.letGo();
      return undefined;
    }
    this.#running.begin(number, task);
    const loaded = this.#functions[fn];
    if (loaded === undefined || !this.#isEquipped(form) || !this.#arguments.areHere(form)) {
      return this.#runUnprepared(task, form, fn);
    }
    let args: unknown[] | undefined;
    try {
      args = this.#arguments.read(form);
    } catch (error) {
      return this.#tell(KIND.ERROR, task, error);
    }
    return args === undefined ? undefined : this.#call(task, form, loaded, args);
  }

  /** Whether the modules that a task of that form needs are loaded. */
  #isEquipped(form: number): boolean {
    return ((form & SHARED_OBJECTS) === 0 || this.#hasSharedObjects) &&
      ((form & CARRIES) === 0 || this.#within !== undefined);
  }

  /** Runs a task whose function or modules are not loaded, or whose arguments are not all here. */
  async #runUnprepared(task: number, form: number, fn: number): Promise<void> {
    let loaded: Loaded;
    let args: unknown[] | undefined;
    try {
      await this.#arguments.arrive(form, () => this.#tell(KIND.FETCH, task, undefined));
      if ((form & SHARED_OBJECTS) !== 0) await this.#loadSharedObjects();
      if ((form & CARRIES) !== 0) this.#within ??= (await import("./_carried_context.ts")).within;
      // The function before its arguments: its module registers the classes that they may need.
      loaded = this.#functions[fn] ?? await this.#load(fn);
      args = this.#arguments.read(form);
    } catch (error) {
      this.#arguments.drop(form);
      return this.#tell(KIND.ERROR, task, error);
    }
    if (args === undefined || this.#ended) return;
    return this.#call(task, form, loaded, args);
  }

  /** Makes locks and pools that are sent to tasks arrive as such; many programs do not need it. */
  async #loadSharedObjects(): Promise<void> {
    if (this.#hasSharedObjects) return;
    this.#hasSharedObjects = true;
    await Promise.all([this.#listen(), import("../sync/mod.ts"), import("../queue/mod.ts")]);
  }

  /** Takes in what the owner says from now on. */
  async #listen(): Promise<OwnerMail> {
    if (this.#ownerMail === undefined) {
      const { listenToOwner } = await import("./_owner_mail.ts");
      const { owner, replyBlocks, port, isHosted, access } = this.#start;
      if (access !== undefined && !isHosted) {
        (await import("./_parent_line.ts")).useParentObjects(access);
      }
      const inbox = new MailboxReader(this.#state.replies, replyBlocks, port);
      this.#ownerMail = listenToOwner(owner, inbox, this.#mail, isHosted);
    }
    return this.#ownerMail;
  }

  async #load(fn: number): Promise<Loaded> {
    const target = this.#catalog.targetOf(fn);
    // Before any task from a module has run, only the top-level code of the first such module can
    // start a thread.
    const { initializer } = this.#start;
    setLoading(
      this.#functions.every(({ target }, i) => i === initializer || target.kind === "source"),
    );
    try {
      const call = await loadTarget(target) as Loaded["call"];
      return this.#functions[fn] = { target, call };
    } finally {
      setLoading(false);
    }
  }

  #call(task: number, form: number, loaded: Loaded, args: unknown[]): Promise<void> | undefined {
    // The arguments have been read, and their memory has been given back.
    this.#tellBegun();
    if ((form & STREAM) !== 0) return this.#callStream(task, form, loaded, args);
    if ((form & TIMED) !== 0) loaded = this.#timed(task, form, loaded, args);
    if ((form & CHUNK) !== 0) return this.#callChunk(task, form, loaded, args);
    const { call } = loaded;
    let value: unknown;
    try {
      value = args.length === 1 ? call(args[0]) : call(...args);
      // Reading `then` may throw, as awaiting would.
      if (isThenable(value)) return this.#settle(task, loaded, value);
    } catch (error) {
      return this.#tell(KIND.ERROR, task, explainCapture(loaded.target, error));
    }
    return this.#tell(KIND.RESULT, task, this.#start.isAlone ? undefined : value);
  }

  /**
   * The function of a timed task, made to report when it ran, and to run in the context that the
   * task carries, if any.
   */
  #timed(task: number, form: number, { target, call }: Loaded, args: unknown[]): Loaded {
    let timed = call;
    if ((form & CARRIES) !== 0) {
      const carrier = args.pop() as Carrier;
      timed = (...args) => this.#within!(carrier, () => call(...args));
    }
    // A chunk is timed as a whole.
    if ((form & CHUNK) !== 0) return { target, call: timed };
    const startMs = epochMs();
    const end = (): void => this.#tellRan(task, startMs);
    return { target, call: (...args) => callTimed(() => timed(...args), end) };
  }

  async #callStream(
    task: number,
    form: number,
    { target, call }: Loaded,
    args: unknown[],
  ): Promise<void> {
    const startMs = (form & TIMED) === 0 ? undefined : epochMs();
    const carrier = (form & CARRIES) === 0 ? undefined : args.pop() as Carrier;
    const [id, buffersize, ...rest] = args as [number, number, ...unknown[]];
    const { runStream } = await import("./_stream_worker.ts");
    const owner = await this.#listen();
    const host: StreamHost = {
      task,
      mail: this.#mail,
      owner,
      hasEnded: () => this.#ended,
      abort: () => this.#state.abort(this.#running.number),
      turn: async () => {
        await this.#letTurn();
        setCurrentTask(this.#running.context);
      },
    };
    const run = (): Promise<void> => runStream(host, id, buffersize, () => call(...rest));
    this.#running.pollOwner = owner.poll;
    let failure: { readonly error: unknown } | undefined;
    try {
      await (carrier === undefined ? run() : this.#within!(carrier, run));
    } catch (error) {
      failure = { error: explainCapture(target, error) };
    }
    this.#running.pollOwner = undefined;
    if (startMs !== undefined) this.#tellRan(task, startMs);
    await (failure === undefined
      ? this.#tell(KIND.RESULT, task, undefined)
      : this.#tell(KIND.ERROR, task, failure.error));
  }

  /** Says that a task has begun, if the owner has asked to be told. */
  #tellBegun(): void {
    if (this.#ring.mustTell()) this.#tell(KIND.BEGUN, 0, undefined);
  }

  /** Reports when the task that ends now has run. */
  #tellRan(task: number, startMs: number): void {
    const report: RanReport = [startMs, epochMs(), this.#running.id];
    this.#tell(KIND.RAN, task, report);
  }

  async #settle(task: number, { target }: Loaded, promise: PromiseLike<unknown>): Promise<void> {
    let value: unknown;
    try {
      value = await promise;
    } catch (error) {
      await this.#tell(KIND.ERROR, task, explainCapture(target, error));
      return;
    }
    await this.#tell(KIND.RESULT, task, this.#start.isAlone ? undefined : value);
  }

  #callChunk(
    task: number,
    form: number,
    { call, target }: Loaded,
    items: unknown[],
  ): Promise<void> | undefined {
    const startMs = nowMs();
    const chunk = this.#running.chunk = new ChunkRun(call, items, arityOf(form));
    const finish = (): Promise<void> | undefined => {
      const elapsedMs = nowMs() - startMs;
      if ((form & TIMED) !== 0) this.#tellRan(task, epochMs() - elapsedMs);
      for (const i of chunk.failed) chunk.entries[i] = explainCapture(target, chunk.entries[i]);
      return this.#tellChunk(task, chunk, elapsedMs);
    };
    const pending = chunk.advance();
    return pending === undefined ? finish() : chunk.finish(pending).then(finish);
  }

  #tellChunk(task: number, chunk: ChunkRun, elapsedMs: number): Promise<void> | undefined {
    const outcome: ChunkOutcome = [elapsedMs, chunk.entries, chunk.failed];
    // The results are marked one by one, and are sent as one value.
    const moved = takeArgumentTransfers(chunk.entries, undefined);
    const marked = (): ChunkOutcome =>
      moved === undefined ? outcome : transfer(outcome, [...moved]);
    return this.#tell(KIND.RESULT, task, marked(), () => {
      // Some value cannot be sent. Trying each finds out which; the others get through.
      chunk.entries.forEach((entry, i) => {
        const error = this.#errorOfSending(entry, moved);
        if (error === undefined) return;
        if (chunk.failed.includes(i)) chunk.entries[i] = error;
        else chunk.fail(i, error);
      });
      return this.#tell(KIND.RESULT, task, marked());
    });
  }

  #errorOfSending(value: unknown, moved: ReadonlySet<object> | undefined): unknown {
    try {
      this.#mail.check(value, moved);
      return undefined;
    } catch (error) {
      return unsendable(error);
    }
  }

  /** Sends mail; a value that cannot be sent becomes an error of the task. */
  #tell(
    kind: number,
    task: number,
    value: unknown,
    onUnsendable: (error: unknown, task: number) => Promise<void> | undefined =
      this.#tellUnsendable,
  ): Promise<void> | undefined {
    // In a runtime where `close` returns, the task that called it goes on.
    if (this.#ended) return undefined;
    if (kind === KIND.RESULT || kind === KIND.ERROR) this.#running.end();
    return this.#mail.writeOr(kind, task, value, onUnsendable);
  }

  readonly #tellUnsendable = (error: unknown, task: number): Promise<void> | undefined =>
    this.#mail.write(KIND.ERROR, task, unsendable(error));

  #end(): void {
    leaveAll();
    platform.endThread();
  }

  /** Tells the owner that this thread is about to end by itself. */
  #tellEnd({ how, error }: ThreadEnd): void {
    if (this.#ended) return;
    try {
      this.#mail.writeSync(KIND.ENDED, this.#running.index, [how, error]);
    } catch {
      this.#mail.writeSync(KIND.ENDED, this.#running.index, [how, errorText(error)]);
    }
    this.#ended = true;
    leaveAll();
  }
}

registerEntry("worker", import.meta.url, main);
