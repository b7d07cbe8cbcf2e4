/**
 * The threads of a program, as one of them sees them: makes objects for threads that it did not
 * start itself.
 *
 * @module
 */

import { registerHandle } from "../_memory/handle.ts";
import { home } from "../_memory/seat.ts";
import { FLAG } from "../_memory/thread_table.ts";
import { existingOf, ExistingThread, type ThreadData } from "./_thread_existing.ts";
import { knownSelf, knownThreads, setThreadFactory } from "./_thread_self.ts";
import { Thread, THREAD_KIND } from "./thread.ts";

registerHandle(THREAD_KIND, (data) => fromData(data as ThreadData));
setThreadFactory({ threadOf, makeSelf });

function fromData(data: ThreadData): Thread {
  const existing = existingOf(data);
  if (existing.seat === home()) {
    if (data.id === getIdent()) return currentThread();
    const known = knownThreads.get(data.id);
    if (known !== undefined) return known;
  }
  return new Thread(existing);
}

/** See `ThreadFactory`. */
function threadOf(id: number, name?: string): Thread {
  const seat = home();
  const found = knownThreads.get(id);
  if (found !== undefined) return found;
  const { table } = seat;
  const self = knownSelf();
  if (id === self?.id) name = self.name;
  const thread = new Thread(new ExistingThread(seat, id, name, table.flagsOf(id)));
  if (table.isAlive(id)) knownThreads.set(id, thread);
  return thread;
}

/** See `ThreadFactory`. */
function makeSelf(
  subclass: unknown,
  fields: object,
  target: () => unknown,
): Thread | undefined {
  const { id, name, daemon } = knownSelf()!;
  if (!((subclass as { prototype?: unknown }).prototype instanceof Thread)) return undefined;
  const flags = FLAG.STARTED | (daemon ? FLAG.DAEMON : 0);
  const existing = new ExistingThread(home(), id, name, flags, target);
  // Runs the constructor of `Thread` only: what those of its subclasses have set is in the fields.
  const thread = Reflect.construct(Thread, [existing], subclass as NewableFunction) as Thread;
  knownThreads.set(id, thread);
  return Object.assign(thread, fields);
}

/**
 * The object for the calling thread. In a thread of a subclass of {@linkcode Thread} it is an
 * object of that subclass. Python's `threading.current_thread`.
 *
 * @example
 * ```ts
 * import { currentThread, mainThread } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(currentThread(), mainThread());
 * assertEquals(currentThread().name, "MainThread");
 * ```
 */
export function currentThread(): Thread {
  return threadOf(home().id);
}

/** The object for a main thread that this thread's table does not know. */
let strangeMain: Thread | undefined;

/**
 * The object for the thread in which the program began. In a worker that this package did not
 * start, and to which the main thread has sent nothing, its `ident` is `null`. Python's
 * `threading.main_thread`.
 *
 * @example
 * ```ts
 * import { mainThread } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const { name, daemon } = mainThread();
 * assertEquals([name, daemon], ["MainThread", false]);
 * ```
 */
export function mainThread(): Thread {
  const { table } = home();
  if (table.main !== 0) return threadOf(table.main);
  return strangeMain ??= new Thread(
    new ExistingThread(undefined, null, undefined, 0),
  );
}

/**
 * The threads that are alive at this moment: the main thread, those that were started by a
 * {@linkcode Thread}, and all others that use this package, such as the workers of pools. Of the
 * latter it is only known that they are alive: like Python's dummy threads, they are daemons and
 * cannot be joined. Threads that have ended, or were not started, are not included. Python's
 * `threading.enumerate`.
 *
 * @example
 * ```ts
 * import { enumerate, Event, Thread } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * const stop = new Event();
 * const options = { target: (stop: Event) => stop.waitSync(), args: [stop] as [Event] };
 * const threads = ["one", "two"].map((name) => new Thread({ ...options, name }));
 * threads.forEach((thread) => thread.start());
 * assertEquals(enumerate().map(({ name }) => name), ["MainThread", "one", "two"]);
 * stop.set();
 * threads.forEach((thread) => thread.joinSync());
 * assertEquals(enumerate().length, 1);
 * ```
 */
export function enumerate(): Thread[] {
  const { table } = home();
  for (const id of knownThreads.keys()) if (!table.isAlive(id)) knownThreads.delete(id);
  const threads = table.ids().map((id) => threadOf(id));
  return table.main === 0 ? [mainThread(), ...threads] : threads;
}

/**
 * How many threads are alive at this moment: as many as {@linkcode enumerate} lists. Python's
 * `threading.active_count`.
 *
 * @example
 * ```ts
 * import { activeCount } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(activeCount(), 1);
 * ```
 */
export function activeCount(): number {
  const { table } = home();
  return table.ids().length + (table.main === 0 ? 1 : 0);
}

/**
 * The number of the calling thread: the `ident` of {@linkcode currentThread}. Python's
 * `threading.get_ident`.
 *
 * @example
 * ```ts
 * import { currentThread, getIdent } from "@concurrent/futures";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getIdent(), currentThread().ident);
 * ```
 */
export function getIdent(): number {
  return home().id;
}
