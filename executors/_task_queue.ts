/**
 * The tasks of a pool on their way to a worker: in the owner's backlog, or published in the shared
 * ring.
 *
 * A task is encoded at once, straight into its slot where there is one, so that it is written only
 * once and later changes to its arguments are not seen. Arguments too large for a slot go to the
 * arena; shared memory is introduced to the workers and named by number; what only a message can
 * carry is posted to a port of its own, which is handed to the worker that claims the task.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import { soon } from "../_platform/timers.ts";
import { Arena, createArenaBuffer } from "../_memory/arena.ts";
import { Encoder } from "../_memory/encoder.ts";
import type { Shareable } from "../_memory/handle.ts";
import { type Encoded, externBaseOf, takeSpilled } from "../_memory/message.ts";
import { OwnedTaskRing, SLOT, SLOT_PAYLOAD_WORDS } from "../_memory/task_ring.ts";
import { Backlog } from "./_backlog.ts";
import { writeForProcess } from "./_payload.ts";
import { BLOCK, hasBlock, PLACE, SHARED_OBJECTS, WORDS_SHIFT } from "./_protocol.ts";
import type { Exports } from "./_exports.ts";
import { type BufferNews, SharedBuffers } from "./_shared_buffers.ts";
import type { WorkerLink } from "./_worker_link.ts";
import { detach, isCopied, type Movable, takeArgumentTransfers, transferList } from "./task.ts";

/** In place of a ring number: the task is in the backlog. */
const IN_BACKLOG = -1;
/** In place of a ring number: the task was taken back, and is still in the backlog. */
const DROPPED = -2;

/** The backlog may hold this many tasks that were taken back before it is compacted. */
const MOST_DROPPED = 1024;

/**
 * A task's moved buffers are copied with it if they have up to this many bytes together: moving
 * them costs the worker a request (FETCH) and a wait.
 */
const MOST_COPIED_AHEAD = 128 * 1024;

/** The most shared buffers that a slot can name. */
const MOST_BUFFERS = SLOT_PAYLOAD_WORDS - BLOCK.BUFFERS;

/** How a task is queued. */
export interface QueueOptions {
  readonly priority?: number | undefined;
  readonly transfer?: readonly Movable[] | undefined;
}

/** The tasks of a pool on their way to a worker. */
export class TaskQueue {
  readonly ring = new OwnedTaskRing();
  readonly arena = new Arena(createArenaBuffer());
  readonly buffers: SharedBuffers;
  readonly #encoder = new Encoder();
  #backlog = new Backlog();
  /** How many tasks in the backlog were taken back. */
  #dropped = 0;
  /**
   * The number in the ring of each task, by its index; IN_BACKLOG or DROPPED if it is not there.
   */
  readonly #numbers: number[] = [];
  /** Arguments that only a message can carry, already posted, by the task's index. */
  readonly #parked = new Map<number, MessageChannel>();
  /** The most tasks in the ring that no worker has claimed; finite once priorities are used. */
  #window = Infinity;
  readonly #narrowWindow: number;
  readonly #onDropped: (task: number) => void;

  /** How shared objects reach workers in other processes. */
  readonly #exports: Exports | undefined;
  /** Objects that unfinished tasks have sent to other processes, by the task's index. */
  readonly #named = new Map<number, readonly Shareable[]>();

  /**
   * @param narrowWindow How many unclaimed tasks the ring may hold once priorities are used.
   * @param onDropped Called when a task that was taken back from the backlog has left it.
   * @param tell Tells all workers of a shared buffer.
   * @param exports Given if the workers are in other processes.
   */
  constructor(
    narrowWindow: number,
    onDropped: (task: number) => void,
    tell: (news: BufferNews) => void,
    exports: Exports | undefined,
  ) {
    this.buffers = new SharedBuffers(tell);
    this.#narrowWindow = narrowWindow;
    this.#onDropped = onDropped;
    this.#exports = exports;
    if (exports !== undefined) writeForProcess(this.#encoder, exports.handleOf);
  }

  /** True when all tasks have been published. */
  get isPublished(): boolean {
    return this.#backlog.length === 0;
  }

  /** Queues a task; throws what encoding its arguments throws. */
  push(
    task: number,
    functionNumber: number,
    form: number,
    args: readonly unknown[],
    options: QueueOptions | undefined,
  ): void {
    if (this.#encoder.busy) {
      throw new Error("a getter of another task's arguments, which are being read, submits it");
    }
    const priority = options?.priority ?? 0;
    if (priority !== 0 && this.#window === Infinity) this.#narrow();
    if (this.#backlog.length > 0) this.refill();
    const moved = takeArgumentTransfers(args, options?.transfer);
    this.#place(task, functionNumber, form, args, priority, moved);
    if (this.#exports === undefined) return;
    const named = this.#exports.takeNamed();
    if (named.length > 0) this.#named.set(task, named);
  }

  #place(
    task: number,
    functionNumber: number,
    form: number,
    args: readonly unknown[],
    priority: number,
    moved: Set<Transferable> | undefined,
  ): void {
    const slot = this.#backlog.length === 0 ? this.#freeSlot() : -1;
    if (slot >= 0) {
      const place = this.#encodeToSlot(slot, task, args, moved);
      if (place >= 0) {
        const block = hasBlock(place) ? this.ring.words[slot + SLOT.PAYLOAD + BLOCK.OFFSET] : -1;
        if (place !== PLACE.MESSAGE) this.#detach(task, moved, block);
        this.#publish(slot, task, functionNumber, form | place | this.#sharedObjects);
        return;
      }
    }
    const encoder = this.#encoder;
    const { words, bytes, start } = this.#backlog.reserve(priority);
    // With a free slot, it was the arena that had no room, and the encoder still holds what it
    // encoded.
    let end = slot >= 0 ? -1 : this.#encode(args, moved, words, bytes, start);
    form |= this.#sharedObjects;
    let large: Encoded | undefined;
    if (end >= 0) {
      form |= PLACE.INLINE | ((end - start) << WORDS_SHIFT);
    } else {
      const place = this.#placeSpilled(task, words, start, moved);
      form |= place;
      end = place === PLACE.SHARED ? start + BLOCK.BUFFERS + words[start + BLOCK.COUNT] : start;
      if (place !== PLACE.MESSAGE) large = takeSpilled(encoder);
    }
    if ((form & PLACE.MASK) !== PLACE.MESSAGE) this.#detach(task, moved, -1);
    this.#backlog.commit(task, functionNumber, form, end, large);
    this.#numbers[task] = IN_BACKLOG;
    this.ring.setBacklog(true);
  }

  /** Encodes arguments into a payload's words; as {@linkcode Encoder.encodeList}. */
  #encode(
    args: readonly unknown[],
    moved: Set<Transferable> | undefined,
    words: Int32Array,
    bytes: Uint8Array,
    start: number,
  ): number {
    // Nothing can be moved to another process: it is copied, and then detached from the sender.
    const copies = this.#exports !== undefined || isCopied(moved, MOST_COPIED_AHEAD);
    const end = start + SLOT_PAYLOAD_WORDS;
    return this.#encoder.encodeList(args, words, bytes, start, end, moved, copies);
  }

  /**
   * Detaches from the sender what no message has moved. The task is not queued yet, and will not be
   * if this throws.
   */
  #detach(task: number, moved: Set<Transferable> | undefined, block: number): void {
    try {
      detach(moved);
    } catch (error) {
      if (block >= 0) this.arena.release(block);
      this.buffers.release(task);
      this.#unpark(task);
      throw error;
    }
  }

  #unpark(task: number): void {
    const parked = this.#parked.get(task);
    if (parked === undefined) return;
    this.#parked.delete(task);
    close(parked);
  }

  /**
   * Encodes a task's arguments into a slot, or into the place that the slot names; returns the
   * place as in a form, or -1 when there is no room.
   */
  #encodeToSlot(
    slot: number,
    task: number,
    args: readonly unknown[],
    moved: Set<Transferable> | undefined,
  ): number {
    const encoder = this.#encoder;
    const { words, bytes } = this.ring;
    const start = slot + SLOT.PAYLOAD;
    const end = this.#encode(args, moved, words, bytes, start);
    if (end >= 0) return PLACE.INLINE | ((end - start) << WORDS_SHIFT);
    const place = this.#placeSpilled(task, words, start, moved);
    if (place === PLACE.MESSAGE) return place;
    if (!this.#reserveBlock(slot, encoder.blockBytes, externBaseOf(0, encoder.spillWords))) {
      return -1;
    }
    if (place === PLACE.BLOCK) words[start + BLOCK.LENGTH] = encoder.blockBytes;
    const block = words[start + BLOCK.OFFSET];
    try {
      // Fails if a getter has detached a buffer that was met before it.
      encoder.copyTo(this.arena.words, this.arena.bytes, block);
    } catch (error) {
      this.arena.release(block);
      throw error;
    } finally {
      encoder.reset();
    }
    return place;
  }

  /**
   * Chooses the place for what the encoder has spilled, and sends ahead what goes by message: all
   * of it, or the shared buffers that no worker knows yet.
   */
  #placeSpilled(
    task: number,
    words: Int32Array,
    payload: number,
    moved: Set<Transferable> | undefined,
  ): number {
    const { extras, blockBytes } = this.#encoder;
    const isShared = extras.length > 0 && extras.length <= MOST_BUFFERS &&
      extras.every((extra) => extra instanceof SharedArrayBuffer);
    if (blockBytes > this.arena.largestBlock || (extras.length > 0 && !isShared)) {
      this.#park(task, moved);
      return PLACE.MESSAGE;
    }
    if (!isShared) return PLACE.BLOCK;
    words[payload + BLOCK.COUNT] = extras.length;
    const numbers = this.buffers.introduce(task, [...extras] as SharedArrayBuffer[]);
    words.set(numbers, payload + BLOCK.BUFFERS);
    return PLACE.SHARED;
  }

  /** The bit of a form that says whether what was encoded last holds shared objects. */
  get #sharedObjects(): number {
    return this.#encoder.handles > 0 ? SHARED_OBJECTS : 0;
  }

  /**
   * Posts what the encoder has spilled to a port of its own. This detaches from the sender all that
   * is moved, even what was copied.
   */
  #park(task: number, moved: Set<Transferable> | undefined): void {
    const message = takeSpilled(this.#encoder);
    const channel = new MessageChannel();
    try {
      channel.port1.postMessage(message, [message.block, ...transferList(moved)]);
    } catch (error) {
      close(channel);
      throw error;
    }
    this.#parked.set(task, channel);
  }

  /** Hands the port with the arguments of a claimed task to `send`. */
  sendParked(task: number, send: (port: MessagePort) => void): void {
    const channel = this.#parked.get(task)!;
    this.#parked.delete(task);
    send(channel.port2);
    // Not at once: a port whose partner is closed cannot be sent. In a browser, the message may
    // still be on its way then, and Firefox would drop it: there the worker's close ends both.
    if (platform.servesBlocked) soon(() => channel.port1.close());
  }

  /** Makes the slot refer to a new block of the arena; false when there is no room. */
  #reserveBlock(slot: number, blockBytes: number, externBase: number): boolean {
    const offset = this.arena.allocate(blockBytes);
    if (offset < 0) return false;
    const { words } = this.ring;
    words[slot + SLOT.PAYLOAD + BLOCK.OFFSET] = offset;
    words[slot + SLOT.PAYLOAD + BLOCK.EXTERNS] = offset + externBase;
    return true;
  }

  #freeSlot(): number {
    const { ring } = this;
    if (ring.unclaimed >= this.#window) {
      ring.hasReady(); // Passes tasks that were taken back.
      if (ring.unclaimed >= this.#window) return -1;
    }
    return ring.freeSlot();
  }

  #publish(slot: number, task: number, functionNumber: number, form: number): void {
    const { words } = this.ring;
    words[slot + SLOT.TASK] = task;
    words[slot + SLOT.FUNCTION] = functionNumber;
    words[slot + SLOT.FORM] = form;
    this.#numbers[task] = this.ring.publish();
  }

  /** Publishes waiting tasks as far as there is room. */
  refill(): void {
    this.#compact();
    const backlog = this.#backlog;
    const { words } = this.ring;
    while (backlog.length > 0) {
      const waiting = backlog.peek()!;
      const { task, start, end, large } = waiting;
      if (this.#numbers[task] === DROPPED) {
        this.#drop(task);
        backlog.shift();
        continue;
      }
      const slot = this.#freeSlot();
      if (slot < 0) return;
      const payload = slot + SLOT.PAYLOAD;
      for (let i = start; i < end; i++) words[payload + i - start] = waiting.words[i];
      if (large !== undefined) {
        if (!this.#reserveBlock(slot, large.block.byteLength, large.externBase)) return;
        if ((waiting.form & PLACE.MASK) === PLACE.BLOCK) {
          words[payload + BLOCK.LENGTH] = large.block.byteLength;
        }
        this.arena.bytes.set(new Uint8Array(large.block), words[payload + BLOCK.OFFSET]);
      }
      this.#publish(slot, task, waiting.functionNumber, waiting.form);
      backlog.shift();
    }
    this.ring.setBacklog(false);
  }

  /**
   * From now on keeps tasks in the backlog, where they can be put in order, and takes back the
   * tasks in the ring beyond the first `#window` that nobody has claimed. Their arguments leave the
   * arena: a task that overtakes them may need the room.
   */
  #narrow(): void {
    this.#window = this.#narrowWindow;
    const old = this.#backlog;
    const backlog = this.#backlog = new Backlog();
    let kept = this.#window;
    try {
      for (const number of this.ring.waiting()) {
        if (kept-- <= 0) this.#withdraw(number, backlog);
      }
    } finally {
      this.#move(old, backlog);
      this.ring.setBacklog(!this.isPublished);
    }
  }

  /** Moves a task from the ring to a backlog, unless a worker has claimed it. */
  #withdraw(number: number, backlog: Backlog): void {
    const { ring, arena } = this;
    const { words } = ring;
    const slot = ring.slotOf(number);
    const payload = slot + SLOT.PAYLOAD;
    const form = words[slot + SLOT.FORM];
    const block = hasBlock(form) ? words[payload + BLOCK.OFFSET] : -1;
    // The memory first: there may be none. A worker may claim the task meanwhile.
    const { words: to, start } = backlog.reserve(0);
    const large = block < 0 ? undefined : {
      block: arena.copyOf(block),
      externBase: words[payload + BLOCK.EXTERNS] - block,
      extras: [],
    };
    if (!ring.cancel(number)) return;
    if (block >= 0) arena.release(block);
    const task = words[slot + SLOT.TASK];
    const end = start + SLOT_PAYLOAD_WORDS;
    to.set(words.subarray(payload, payload + SLOT_PAYLOAD_WORDS), start);
    backlog.commit(task, words[slot + SLOT.FUNCTION], form, end, large);
    this.#numbers[task] = IN_BACKLOG;
  }

  /**
   * Removes the tasks that were taken back from the backlog, once they are half of it: behind a
   * task that does not end, their turn may never come.
   */
  #compact(): void {
    if (this.#dropped <= MOST_DROPPED || this.#dropped * 2 < this.#backlog.length) return;
    // Not while a task is being written to it: encoding may call a getter of the user's, which may
    // have led here.
    if (this.#backlog.isOpen) return;
    const old = this.#backlog;
    this.#move(old, this.#backlog = new Backlog());
  }

  /** Moves the waiting tasks to another backlog, but for those that were taken back. */
  #move(from: Backlog, to: Backlog): void {
    while (from.length > 0) {
      const waiting = from.peek()!;
      const { task, functionNumber, form, priority, words, start, end, large } = waiting;
      if (this.#numbers[task] === DROPPED) {
        this.#drop(task);
      } else {
        const region = to.reserve(priority);
        region.words.set(words.subarray(start, end), region.start);
        to.commit(task, functionNumber, form, region.start + end - start, large);
      }
      from.shift();
    }
  }

  /** A task in the backlog that was taken back leaves it. */
  #drop(task: number): void {
    this.#dropped--;
    this.#onDropped(task);
  }

  /** Drops what was kept for a task that has its outcome. */
  release(task: number): void {
    this.buffers.release(task);
    if (this.#named.size > 0) this.#named.delete(task);
  }

  /** True while no worker has claimed the task. */
  isWaiting(task: number): boolean {
    const number = this.#numbers[task];
    return number < 0 || this.ring.isWaiting(number);
  }

  /** The task's number in the ring; negative when it has not been published. */
  numberOf(task: number): number {
    return this.#numbers[task];
  }

  /**
   * Takes a task back, unless a worker has claimed it. "taken" frees its index at once; "left in
   * backlog" does when `onDropped` is called, and keeps at most a small record until then. Neither
   * task will run.
   */
  takeBack(task: number): "claimed" | "taken" | "left in backlog" {
    const number = this.#numbers[task];
    const isPublished = number >= 0;
    if (!isPublished) {
      this.#numbers[task] = DROPPED;
      this.#backlog.empty(task);
      this.#dropped++;
    } else if (this.ring.cancel(number)) {
      this.#releaseBlock(this.ring.slotOf(number));
    } else {
      return "claimed";
    }
    this.#unpark(task);
    return isPublished ? "taken" : "left in backlog";
  }

  /**
   * Takes back what a worker has claimed and not begun to read, and returns the indexes of the
   * tasks that it has not finished copying. Call when the worker claims nothing more, and is
   * ignored from now on.
   */
  recover({ number, state }: WorkerLink): number[] {
    const { words } = this.ring;
    const slots = this.ring.recover(number);
    for (const slot of slots) this.#releaseBlock(slot);
    // With a slot, the owner also gets back the block that it names.
    const block = slots.length === 0 ? state.takeBlock() : 0;
    if (block !== 0) this.arena.release(block);
    return slots.map((slot) => words[slot + SLOT.TASK]);
  }

  /** Gives back the arena block of the task in a slot, which nobody will read, if it has one. */
  #releaseBlock(slot: number): void {
    const { words } = this.ring;
    if (!hasBlock(words[slot + SLOT.FORM])) return;
    this.arena.release(words[slot + SLOT.PAYLOAD + BLOCK.OFFSET]);
  }
}

function close({ port1, port2 }: MessageChannel): void {
  port1.close();
  port2.close();
}
