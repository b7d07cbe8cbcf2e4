/**
 * Shared objects of this process that were sent to other processes. Each is introduced once, under
 * a name, to the thread that serves the other processes (see `_process_manager.ts`), and crosses as
 * that name from then on.
 *
 * An object is introduced before the task that names it is published, and kept by the pool until
 * that task has its outcome. Once this process no longer uses it, the serving thread forgets it,
 * unless a child has called it: then it lives as long as the child uses it.
 *
 * @module
 */

import { secretName } from "../_platform/random.ts";
import { type Core, hasCore, isRemoteData, openCore } from "../_memory/core.ts";
import { Decoder } from "../_memory/decoder.ts";
import { HANDLE, type Handle, isShareable, type Shareable } from "../_memory/handle.ts";
import { Encoder } from "../_memory/encoder.ts";
import { decode, encode, type Encoded } from "../_memory/message.ts";
import { NotShareableError } from "../sync/errors.ts";

/**
 * A message to the serving thread: an object's name, its kind and the data of its handle; or,
 * without data, a name to forget.
 */
export interface ExportNews {
  readonly object: string;
  readonly kind: string;
  /** Encoded, as it may hold other shared objects, which have been introduced before. */
  readonly data: Encoded | undefined;
}

/** The parts of a name. */
export interface ObjectName {
  /** The thread that gave it. */
  readonly prefix: string;
  /** Number of the name among those that this thread has given. */
  readonly number: number;
  /** The name without a part. */
  readonly whole: string;
  /** The part of the object that is meant, if not the whole. */
  readonly part: string | undefined;
}

/** Parses a name; see {@linkcode Exports}. */
export function parseName(object: string): ObjectName {
  const [prefix, number, key, part] = object.split("/");
  return { prefix, number: Number(number), whole: `${prefix}/${number}/${key}`, part };
}

/** Opens an object that was introduced, for the seat that this thread acts for. */
export function openExport({ kind, data }: ExportNews): Core {
  return openCore(kind, decode(new Decoder(), data!));
}

const NONE: readonly Shareable[] = [];

let namesGiven = 0;

/**
 * The shared objects of this thread that other processes know, each by a name:
 * `"<thread>/<number>/<key>"`. The key is hard to guess: a process, which may be allowed less than
 * the program, can use only objects that it was sent.
 */
export class Exports {
  readonly #tell: (news: ExportNews) => void;
  readonly #prefix: string;
  readonly #names = new WeakMap<Shareable, string>();
  #named: Shareable[] = [];
  readonly #registry = new FinalizationRegistry<string>((object) => {
    this.#tell({ object, kind: "", data: undefined });
  });

  /**
   * @param thread Distinguishes this thread's names from those of others.
   * @param tell Sends a message to the serving thread; messages arrive in order.
   */
  constructor(thread: string, tell: (news: ExportNews) => void) {
    this.#prefix = thread;
    this.#tell = tell;
  }

  /** The handle that represents an object on its way to another process. */
  readonly handleOf = (object: Shareable): Handle => {
    const handle = object[HANDLE]();
    if (!hasCore(handle.kind)) return handle;
    if (isRemoteData(handle.data)) {
      throw new NotShareableError(
        `Cannot send ${handle.kind} on: it belongs to the parent of this process; have the parent send it`,
      );
    }
    let name = this.#names.get(object);
    if (name === undefined) {
      // An object inside its data is introduced first. So a thread that opens both shares one view
      // of that object's memory.
      const encoder = new Encoder();
      encoder.handleOf = this.handleOf;
      const data = encode(encoder, handle.data);
      name = `${this.#prefix}/${namesGiven++}/${secretName()}`;
      this.#names.set(object, name);
      this.#registry.register(object, name);
      this.#tell({ object: name, kind: handle.kind, data });
    }
    this.#named.push(object);
    const { name: label, lock } = handle.data as { name?: string; lock?: unknown };
    const data = { remote: name, name: label };
    // The lock of a condition crosses as an object of its own, so that the other process has one
    // stub of it, even if it also arrives elsewhere.
    return { kind: handle.kind, data: isShareable(lock) ? { ...data, lock } : data };
  };

  /**
   * The objects that were named since the last call. The sender of the names keeps them alive
   * meanwhile.
   */
  takeNamed(): readonly Shareable[] {
    if (this.#named.length === 0) return NONE;
    const named = this.#named;
    this.#named = [];
    return named;
  }
}
