/**
 * The threads that this thread has started, from the starter's side: takes in what they report.
 *
 * @module
 */

import { describe } from "../_platform/describe.ts";
import { platform } from "../_platform/mod.ts";
import { Decoder } from "../_memory/decoder.ts";
import { doorbell, type Source } from "../_memory/doorbell.ts";
import { Encoder } from "../_memory/encoder.ts";
import { decode, encode } from "../_memory/message.ts";
import type { ThreadTable } from "../_memory/thread_table.ts";
import { NotShareableError, RuntimeError } from "../sync/errors.ts";
import { excepthook } from "./_thread_hook.ts";
import type { Failure, ThreadState } from "./_thread_state.ts";
import type { Thread } from "./thread.ts";

/**
 * Sends a failure, and returns it; an error that cannot be sent is replaced by one that says so.
 */
export function sendFailure(port: MessagePort, error: unknown, isEarly: boolean): Failure {
  try {
    return post(port, error, isEarly);
  } catch (reason) {
    return post(
      port,
      new NotShareableError(`Cannot send what the thread threw, ${describe(error)}: ${reason}`),
      isEarly,
    );
  }
}

function post(port: MessagePort, error: unknown, isEarly: boolean): Failure {
  const failure: Failure = { error: encode(new Encoder(), error), isEarly };
  port.postMessage(failure);
  return failure;
}

/** The error of a failure. */
export function errorOf(failure: Failure): unknown {
  try {
    return decode(new Decoder(), failure.error);
  } catch (reason) {
    return new NotShareableError(`Cannot receive what the thread threw: ${describe(reason)}`, {
      cause: reason,
    });
  }
}

/** A thread, from the starter's side. */
export interface Link {
  readonly thread: Thread;
  readonly id: number;
  readonly table: ThreadTable;
  readonly state: ThreadState;
  /** The starter's end of the channel. */
  readonly port: MessagePort;
  /**
   * Called once: without an argument when the target is called; with the error when it will not be.
   */
  readonly onStarted: (failure?: { readonly error: unknown }) => void;
  /** Called when the thread has ended. */
  readonly onEnded: () => void;
}

/** What is known of a link so far. */
interface Progress extends Link {
  isStarted: boolean;
  failuresTaken: number;
  /** A failure has been counted, but its message is not here yet: the event loop must turn. */
  isLate: boolean;
}

/** All threads that this thread has started. */
class Links implements Source {
  readonly #links = new Set<Progress>();

  /** Listens to a thread until it has ended. */
  add(link: Link): void {
    if (this.#links.size === 0) doorbell.add(this);
    this.#links.add({ ...link, isStarted: false, failuresTaken: 0, isLate: false });
    // The doorbell expects nothing for a link, unless this thread is the host as well; the nudge
    // lets it go to sleep, so that it can be woken.
    doorbell.nudge();
  }

  /** Whether a failure of that thread is late. */
  isLate(id: number): boolean {
    for (const link of this.#links) if (link.id === id && link.isLate) return true;
    return false;
  }

  /** See {@linkcode Source}. */
  ready(): boolean {
    for (const link of this.#links) if (hasNews(link)) return true;
    return false;
  }

  /** See {@linkcode Source}. */
  drain(): boolean {
    let found = false;
    for (const link of [...this.#links]) {
      if (!hasNews(link)) continue;
      found = true;
      this.#advance(link);
    }
    return found;
  }

  #advance(link: Progress): void {
    const { state, port } = link;
    // Read before the messages: when the thread has ended, all of them are there.
    const isOver = hasLeft(link);
    const started = (failure?: { readonly error: unknown }): void => {
      if (link.isStarted) return;
      link.isStarted = true;
      link.onStarted(failure);
    };
    if (state.isRunning) started();
    while (link.failuresTaken < state.failures) {
      const received = platform.receive(port, () => {
        link.isLate = false;
        doorbell.nudge();
      });
      link.isLate = received === undefined;
      if (received === undefined) return;
      link.failuresTaken++;
      const failure = received.message as Failure;
      const error = errorOf(failure);
      if (failure.isEarly) started({ error });
      if (state.claimFailure()) excepthook({ excValue: error, thread: link.thread });
    }
    if (!isOver || !this.#links.delete(link)) return;
    if (this.#links.size === 0) doorbell.remove(this);
    port.close();
    link.onEnded();
    started({
      error: new RuntimeError(
        `Cannot run thread "${link.thread.name}": it ended before its target was called`,
      ),
    });
  }
}

function hasNews(link: Progress): boolean {
  if (link.isLate) return false;
  const { state } = link;
  return state.failures !== link.failuresTaken || (!link.isStarted && state.isRunning) ||
    hasLeft(link);
}

function hasLeft({ state, table, id }: Link): boolean {
  return state.hasEnded && !table.isAlive(id);
}

/** All threads that this thread has started. */
export const links: Links = new Links();
