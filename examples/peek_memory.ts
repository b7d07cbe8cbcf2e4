/**
 * What is in the memory of a lock and of a queue, word by word, while they are used.
 *
 *   deno run -A examples/peek_memory.ts
 *
 * The handle of a shared object contains the buffer with all its state. The package does not export
 * where each word lies: the numbers below are from docs/memory_layout.md, and may change with any
 * version of the package. Only read this memory, never write it.
 *
 * It prints:
 *
 *            LOCK               free      held   awaited  released
 *   byte 0   OWNER                 0      1024      1024         0
 *   byte 4   WAITERS               0         0         1         0
 *   byte 64  LATCH                 0         0         0         0
 *   byte 68  WOKEN                 0         0         0      1024
 *   byte 72  LIST.HEAD             0         0     32904         0
 *   byte 76  LIST.TAIL             0         0     32904         0
 *   OWNER is this thread, 1024
 *   LIST leads to one who waits, whose THREAD is 1024
 *
 *            QUEUE             empty       put     taken   awaited    closed
 *   byte 4   PUTS                  0         1         1         1         1
 *   byte 12  UNFINISHED            0         1         1         1         0
 *   byte 64  MAXSIZE               8         8         8         8         8
 *   byte 68  STATE                 0         0         0         0         1
 *   byte 72  GETTERS.HEAD          0         0         0     32904         0
 *   byte 80  PUTTERS.HEAD          0         0         0         0         0
 *   byte 88  JOINERS.HEAD          0         0         0         0         0
 *   byte 132 TAKES                 0         0         1         1         1
 *   byte 140 NEXT                  0       660       662       662       662
 *   NEXT led to the item, whose NUMBER is 42
 *
 * @module
 */

import { getIdent, type Handle, Lock, Queue, ShutDown } from "@concurrent/futures";

/** For each word of an object, the byte at which it begins. */
type Layout = Readonly<Record<string, number>>;

export const LOCK: Layout = {
  OWNER: 0,
  WAITERS: 4,
  LATCH: 64,
  WOKEN: 68,
  "LIST.HEAD": 72,
  "LIST.TAIL": 76,
};

export const QUEUE: Layout = {
  PUTS: 4,
  UNFINISHED: 12,
  MAXSIZE: 64,
  STATE: 68,
  "GETTERS.HEAD": 72,
  "PUTTERS.HEAD": 80,
  "JOINERS.HEAD": 88,
  TAKES: 132,
  NEXT: 140,
};

/** The words of a small item, in a segment of a queue's memory. */
export const ITEM: Layout = { SIZE: 0, NUMBER: 4 };

/** The words of a waiter, in the table of threads. */
export const NODE: Layout = { NEXT: 0, PREVIOUS: 4, LIST: 8, THREAD: 12 };

/** The values of an object's words at a moment. */
type Words = Readonly<Record<string, number>>;

/** Reads the words of the object that begins at byte `begin` of a buffer. */
function peek(buffer: SharedArrayBuffer, begin: number, layout: Layout): Words {
  const memory = new DataView(buffer, begin);
  const words: Record<string, number> = {};
  // Little-endian, as are all machines that this runs on.
  for (const [name, byte] of Object.entries(layout)) words[name] = memory.getInt32(byte, true);
  return words;
}

/** The data in the handle of a lock or of a queue. A queue begins at the start of its buffer. */
interface Memory {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset?: number;
  /** The table of threads. */
  readonly threads: SharedArrayBuffer;
}

function memoryOf({ data }: Handle): Memory {
  return data as Memory;
}

/** Converts a reference, which is the number of a word in a buffer, to the number of its byte. */
function byteOf(word: number): number {
  return word * Int32Array.BYTES_PER_ELEMENT;
}

/** Prints the values of the words at several moments, side by side. */
function print(title: string, layout: Layout, moments: Readonly<Record<string, Words>>): void {
  printRow("", title, Object.keys(moments));
  for (const [name, byte] of Object.entries(layout)) {
    printRow(`byte ${byte}`, name, Object.values(moments).map((words) => words[name]));
  }
}

function printRow(left: string, name: string, cells: readonly (string | number)[]): void {
  const right = cells.map((cell) => `${cell}`.padStart(10)).join("");
  console.log(left.padEnd(9) + name.padEnd(13) + right);
}

async function peekIntoLock(): Promise<void> {
  const lock = new Lock();
  const { buffer, byteOffset = 0, threads } = memoryOf(lock.handle);
  const look = (): Words => peek(buffer, byteOffset, LOCK);

  const free = look();
  await lock.acquire();
  const held = look();
  const waiting = lock.acquire();
  const awaited = look();
  const waiter = peek(threads, byteOf(awaited["LIST.HEAD"]), NODE);
  lock.release();
  const released = look();
  await waiting;
  lock.release();

  print("LOCK", LOCK, { free, held, awaited, released });
  console.log(`OWNER is this thread, ${getIdent()}`);
  console.log(`LIST leads to one who waits, whose THREAD is ${waiter.THREAD}`);
}

async function peekIntoQueue(): Promise<void> {
  const queue = new Queue<number>(8);
  const { buffer } = memoryOf(queue.handle);
  const look = (): Words => peek(buffer, 0, QUEUE);

  const empty = look();
  queue.putNowait(42);
  const put = look();
  const item = peek(buffer, byteOf(put.NEXT), ITEM);
  queue.getNowait();
  const taken = look();
  const waiting = queue.get();
  const awaited = look();
  queue.taskDone();
  queue.shutdown();
  const closed = look();
  await waiting.catch((error) => {
    if (!ShutDown.is(error)) throw error;
  });

  print("QUEUE", QUEUE, { empty, put, taken, awaited, closed });
  console.log(`NEXT led to the item, whose NUMBER is ${item.NUMBER}`);
}

if (import.meta.main) {
  await peekIntoLock();
  console.log();
  await peekIntoQueue();
}
