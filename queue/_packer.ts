/**
 * Encoding what is put into a queue.
 *
 * @module
 */

import { RuntimeError } from "../sync/errors.ts";
import { Batch } from "./_batch.ts";
import { checkOwnKey, type PriorityKey } from "./_keys.ts";
import type { QueueState } from "./_state.ts";

/**
 * Where items lie from when they are encoded until they are put or copied, in the same turn, for
 * all queues of this thread; emptied before each use.
 */
const outbox = new Batch();
let isPacking = false;

/** Encodes items for a queue. */
export class Packer {
  /**
   * Whether items must come with a key; otherwise a queue that sorts takes the items themselves as
   * keys.
   */
  needsKeys = false;
  readonly #state: QueueState;
  readonly #act: string;

  constructor(state: QueueState) {
    this.#state = state;
    this.#act = `put into ${state.label}`;
  }

  /** Encodes one item; valid until this thread packs again. */
  pack(item: unknown, key: PriorityKey | undefined): Batch {
    const batch = this.#open();
    try {
      this.#add(batch, item, key);
    } finally {
      this.#close(batch);
    }
    this.#state.checkSizes(batch);
    return batch;
  }

  /** Encodes items, in as many batches as they need; valid until this thread packs again. */
  packAll(items: readonly unknown[], keys: readonly PriorityKey[] | undefined): Batch[] {
    const first = this.#open();
    const batches = [first];
    try {
      let batch = first;
      for (let i = 0; i < items.length; i++) {
        if (this.#add(batch, items[i], keys?.[i])) continue;
        batches.push(batch = new Batch());
        this.#add(batch, items[i], keys?.[i]);
      }
    } finally {
      this.#close(first);
    }
    for (const batch of batches) this.#state.checkSizes(batch);
    return batches;
  }

  /**
   * An empty batch: the common one, or a new one when a getter in an item that is being encoded
   * puts another item.
   */
  #open(): Batch {
    if (isPacking) return new Batch();
    isPacking = true;
    outbox.clear();
    return outbox;
  }

  #close(batch: Batch): void {
    if (batch === outbox) isPacking = false;
  }

  /** Adds an item and its key; false when there is no room for it. */
  #add(batch: Batch, item: unknown, key: PriorityKey | undefined): boolean {
    const act = this.#act;
    if (!this.#state.sorts) return batch.add(act, item);
    if (key !== undefined) {
      if (!batch.addKey(act, key) || !batch.add(act, item)) return false;
      batch.keys.push(key);
      return true;
    }
    if (this.needsKeys) {
      throw new RuntimeError(
        "Cannot put into PriorityQueue: it sorts by a function that is not here; set queue.priority in each thread that puts",
      );
    }
    const own = checkOwnKey(act, item);
    if (!batch.add(act, item)) return false;
    batch.keys.push(own);
    return true;
  }
}
