/**
 * The worker of a `Thread`: calls its target once, and ends.
 *
 *   told --> loads the modules, --> calls the target --> reports a failure, --> leaves, and ends
 *            reads the values                            waits for what it
 *                                                        has delegated
 *
 * If the loading fails, that failure is reported next. A thread that ends itself, or that an
 * uncaught error ends, leaves at once, and reports the error as it leaves.
 *
 * @module
 */

import { checkMayStart, registerEntry } from "../_platform/entry.ts";
import { platform, type ThreadEnd } from "../_platform/mod.ts";
import { Decoder } from "../_memory/decoder.ts";
import { doorbell } from "../_memory/doorbell.ts";
import { decode, type Encoded } from "../_memory/message.ts";
import { adoptSeat, leaveAll } from "../_memory/seat.ts";
import { FLAG, type ThreadTable } from "../_memory/thread_table.ts";
import { NotShareableError } from "../sync/errors.ts";
import type { Event } from "../sync/event.ts";
import {
  errorText,
  explainCapture,
  importModule,
  loadTarget,
  type Target,
  unreadable,
} from "./_target.ts";
import { ownAccess, setOrigin } from "./_origin.ts";
import { links, sendFailure } from "./_thread_links.ts";
import { setLoading, setSelf, threadFactory } from "./_thread_self.ts";
import {
  type HostedStart,
  type HostRequest,
  type ThreadStart,
  ThreadState,
  type Work,
} from "./_thread_state.ts";

/** The entry of a thread's worker. */
export function main(): void {
  platform.onOwnMessage((message) => {
    new ThreadRun(message as HostedStart).run();
  });
}

/** What the thread does: its target, ready to be called. */
type Call = () => unknown;

class ThreadRun {
  readonly #start: HostedStart;
  readonly #table: ThreadTable;
  readonly #state: ThreadState;
  #hasEnded = false;

  constructor(start: HostedStart) {
    this.#start = start;
    this.#state = new ThreadState(start.state);
    this.#table = adoptSeat(start.threads, start.thread).table;
    setOrigin(start.origin, start.access, this.#table.lifeOf(start.thread));
    platform.containThreadEnd((end) => this.#endItself(end));
    setSelf({
      id: start.thread,
      name: start.name,
      daemon: start.daemon,
      host: start.host,
      start: (other) => this.#startOther(other),
    });
  }

  /** Calls the thread's target, and ends the thread. */
  async run(): Promise<void> {
    const { work, starter, host } = this.#start;
    let call: Call;
    try {
      call = await this.#prepare();
    } catch (error) {
      return this.#end({ error });
    }
    if (this.#hasEnded) return;
    this.#state.setRunning();
    this.#table.ring(starter);
    this.#table.ring(host);
    try {
      await call();
    } catch (error) {
      const target = work.kind === "object" ? undefined : work.target;
      return this.#end({ error: target === undefined ? error : explainCapture(target, error) });
    }
    this.#end();
  }

  async #prepare(): Promise<Call> {
    const { port, work, classes, thread } = this.#start;
    const arrived = platform.nextMessage(port).catch((error) => {
      throw unreadable(error);
    });
    // Until it is awaited below, its failure is no error that nobody has caught.
    arrived.catch(() => {});
    // A thread that blocks from its first step on could not take the name later.
    await new Promise<void>((resolve) => platform.holdName(this.#table.lifeOf(thread), resolve));
    this.#state.setAlive();
    this.#table.setFlag(this.#start.thread, FLAG.HOLDS_LIFE);
    setLoading(true);
    // The function before the values: its module registers the classes that they may need.
    const make = await loadWork(work);
    setLoading(false);
    if (classes !== undefined) await loadClasses(classes);
    return make(decode(new Decoder(), await arrived as Encoded));
  }

  /** See {@linkcode ThreadSelf.start}. */
  #startOther(start: ThreadStart): void {
    checkMayStart();
    this.#ask({ kind: "start", start }, [start.port]);
  }

  #ask(request: HostRequest, transfer: Transferable[]): void {
    this.#start.hostPort.postMessage(request, transfer);
    this.#state.addRequest();
    this.#table.ring(this.#start.host);
  }

  /** Takes in that the thread is about to end, by a call that ends it or by an uncaught error. */
  #endItself({ isFailure, error }: ThreadEnd): void {
    this.#leave(isFailure ? { error } : undefined);
  }

  async #end(failure?: { readonly error: unknown }): Promise<void> {
    if (this.#hasEnded) return;
    if (failure !== undefined) this.#tell(failure.error);
    // Waits for what the target has delegated to other workers, but not for timers and requests
    // that it has left.
    await doorbell.whenDone();
    this.#leave(undefined);
    platform.endThread();
  }

  /** Sends all that is left to report, and leaves the table: threads that join this one go on. */
  #leave(failure: { readonly error: unknown } | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (failure !== undefined) this.#tell(failure.error);
    this.#table.setFlag(this.#start.thread, FLAG.CLOSING);
    links.drain();
    this.#state.setEnded();
    leaveAll();
  }

  #tell(error: unknown): void {
    const { port, starter } = this.#start;
    const state = this.#state;
    const failure = sendFailure(port, error, !state.isRunning);
    state.addFailure();
    this.#table.ring(starter);
    const table = this.#table;
    const isHeard = table.isAlive(starter) && (table.flagsOf(starter) & FLAG.CLOSING) === 0;
    if (!isHeard && state.claimFailure()) this.#ask({ kind: "failed", failure }, []);
  }
}

/** Loads what the thread runs; the returned function makes a call from the values. */
async function loadWork(work: Work): Promise<(values: unknown) => Call> {
  switch (work.kind) {
    case "call": {
      const call = await load(work.target);
      return (values) => () => call(...values as unknown[]);
    }
    case "timer": {
      const call = await load(work.target);
      return (values) => {
        const [finished, ...args] = values as [Event, ...unknown[]];
        return async (): Promise<void> => {
          await finished.wait({ timeout: Math.max(0, work.intervalMs) });
          if (finished.isSet()) return;
          await call(...args);
          finished.set();
        };
      };
    }
    case "object": {
      const subclass = await importClass(work.url, work.name);
      const target = await load(work.target);
      return (values) => {
        const [fields, ...args] = values as [object, ...unknown[]];
        const thread = threadFactory()?.makeSelf(subclass, fields, () => target(...args));
        if (thread !== undefined) return () => thread.run();
        throw new NotShareableError(
          `Cannot run thread: "${work.name}" of module "${work.url}" is no subclass of Thread here`,
        );
      };
    }
  }
}

async function load(target: Target | undefined): Promise<(...args: unknown[]) => unknown> {
  if (target === undefined) return () => {};
  return await loadTarget(target) as (...args: unknown[]) => unknown;
}

async function importClass(url: string, name: string): Promise<unknown> {
  let module: Record<string, unknown>;
  try {
    module = await importModule(url);
  } catch (error) {
    throw new NotShareableError(
      `Cannot run thread: the module "${url}" of class "${name}" failed to import here: ${
        errorText(error)
      }`,
      { cause: error },
    );
  }
  if (typeof module[name] === "function") return module[name];
  throw new NotShareableError(
    `Cannot run thread: module "${url}" has no export "${name}"; export the class under its own name`,
  );
}

/**
 * Makes locks, queues and threads arrive as such; a pool is refused with an error that says why.
 */
async function loadClasses(modules: readonly string[]): Promise<void> {
  const access = ownAccess();
  await Promise.all([
    import("../sync/mod.ts"),
    import("../queue/mod.ts"),
    import("./_pool_handle.ts"),
    access === undefined
      ? undefined
      : import("./_parent_line.ts").then((module) => module.useParentObjects(access)),
    // In a bundle the modules may be here already, and their address may be that of the page's own
    // program.
    ...(threadFactory() === undefined ? modules.map(importModule) : []),
  ]);
}

registerEntry("thread", import.meta.url, main);
