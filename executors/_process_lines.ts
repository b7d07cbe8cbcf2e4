/**
 * The host's side of the lines to those threads of its process that tasks have started; see
 * `_parent_access.ts`.
 *
 * Invariant: the parent is told of a line's end after all that came by it, once. What the parent
 * still says by it then is dropped.
 *
 * @module
 */

import { Arena } from "../_memory/arena.ts";
import { doorbell, type Source } from "../_memory/doorbell.ts";
import { bellOf, home } from "../_memory/seat.ts";
import type { FrameSender } from "./_frames.ts";
import type { ParentAccess } from "./_origin.ts";
import type { AccessMessage, LineStart } from "./_parent_access.ts";
import { type Payload, payloadOf } from "./_payload.ts";
import { UP } from "./_process_protocol.ts";
import { RelayReader, RelayWriter } from "./_relay.ts";
import { WorkerState } from "./_worker_state.ts";

/** A thread that has access. */
interface AccessingThread {
  readonly port: MessagePort;
  /** The threads that it has started, by their ids in the table of threads. */
  readonly started: Map<number, AccessingThread>;
  line: Line | undefined;
}

interface Line {
  readonly number: number;
  readonly mail: RelayReader;
  readonly replies: RelayWriter;
}

/** All lines of a process. */
export class ProcessLines implements Source {
  readonly #out: FrameSender;
  /** The lines by their numbers, from 1: 0 stands for the worker's mail. */
  readonly #lines = new Map<number, Line>();
  #opened = 0;

  /** @param out Sends records to the parent. */
  constructor(out: FrameSender) {
    this.#out = out;
  }

  /** Makes the access of the process's worker. */
  access(): ParentAccess {
    const { port1, port2 } = new MessageChannel();
    this.#listen(port1);
    return { port: port2, host: home().id };
  }

  #listen(port: MessagePort): AccessingThread {
    const thread: AccessingThread = { port, started: new Map(), line: undefined };
    port.onmessage = ({ data }): void => this.#receive(thread, data as AccessMessage);
    return thread;
  }

  #receive(thread: AccessingThread, message: AccessMessage): void {
    switch (message.kind) {
      case "starts":
        thread.started.set(message.thread, this.#listen(message.port));
        break;
      case "line":
        this.#open(thread, message.line);
        break;
      case "leaves":
        this.#end(thread);
        break;
      case "lost": {
        const lost = thread.started.get(message.thread);
        if (lost === undefined) break;
        thread.started.delete(message.thread);
        this.#end(lost);
      }
    }
  }

  #open(thread: AccessingThread, start: LineStart): void {
    const { state, calls, answers, port } = start;
    const { records, replies } = new WorkerState(state);
    const bell = bellOf(home().table, start.thread);
    const line = thread.line = {
      number: ++this.#opened,
      mail: new RelayReader(records, calls, port),
      replies: new RelayWriter(replies, new Arena(answers), port, bell),
    };
    if (this.#lines.size === 0) doorbell.add(this);
    this.#lines.set(line.number, line);
    this.#out.write(UP.LINE_OPENED, line.number, 0, 0, payloadOf(start.name));
    this.drain(); // The thread may have rung before this side listened.
  }

  /** Takes in that a thread has ended, and with it the threads that it has started. */
  #end({ port, started, line }: AccessingThread): void {
    port.close();
    for (const thread of started.values()) this.#end(thread);
    started.clear();
    if (line === undefined || !this.#lines.has(line.number)) return;
    this.#pass(line);
    this.#lines.delete(line.number);
    if (this.#lines.size === 0) doorbell.remove(this);
    this.#out.write(UP.LINE_ENDED, line.number, 0, 0);
    this.#out.flush();
  }

  /** Passes on the parent's answer to a call. */
  answer(line: number, kind: number, id: number, payload: Payload): void {
    const replies = this.#lines.get(line)?.replies;
    replies?.pass(kind, id, payload);
    replies?.ring();
  }

  /** See {@linkcode Source}. */
  ready(): boolean {
    for (const { mail } of this.#lines.values()) if (mail.hasMail) return true;
    return false;
  }

  /** See {@linkcode Source}. */
  drain(): boolean {
    let found = false;
    for (const line of this.#lines.values()) if (this.#pass(line)) found = true;
    if (found) this.#out.flush();
    return found;
  }

  /** Passes on what a thread has written. */
  #pass({ number, mail }: Line): boolean {
    return mail.takeAll((kind, id, payload) => this.#out.write(UP.MAIL, kind, id, number, payload));
  }
}
