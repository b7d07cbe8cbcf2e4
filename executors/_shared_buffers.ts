/**
 * Shared memory that tasks are given: each buffer is introduced to every worker once, by a message,
 * and named by a number from then on. So later tasks that are given the same shared memory, or a
 * lock made of it, cost no message, and start even while the pool's owner is blocked.
 *
 * A buffer is introduced before a task that names it is published. The owner keeps it until the
 * task has its outcome; once the owner itself no longer references it, the workers are told to
 * forget it.
 *
 * @module
 */

/** A message to a worker: a buffer and its number, or, without a buffer, a number to forget. */
export interface BufferNews {
  readonly number: number;
  readonly buffer: SharedArrayBuffer | undefined;
}

/** The owner's side: which buffers its pool's workers know. */
export class SharedBuffers {
  readonly #tell: (news: BufferNews) => void;
  readonly #numbers = new WeakMap<SharedArrayBuffer, number>();
  readonly #known = new Map<number, WeakRef<SharedArrayBuffer>>();
  /** The buffers that unfinished tasks name, by the task's index. */
  readonly #inUse = new Map<number, readonly SharedArrayBuffer[]>();
  readonly #registry = new FinalizationRegistry<number>((number) => {
    this.#known.delete(number);
    this.#tell({ number, buffer: undefined });
  });
  #next: number;

  /**
   * @param tell Tells all workers.
   * @param first The number of the first buffer.
   */
  constructor(tell: (news: BufferNews) => void, first = 0) {
    this.#tell = tell;
    this.#next = first;
  }

  /** Returns the numbers of the buffers that a task names, and introduces those that are new. */
  introduce(task: number, buffers: readonly SharedArrayBuffer[]): number[] {
    this.#inUse.set(task, buffers);
    return buffers.map((buffer) => {
      let number = this.#numbers.get(buffer);
      if (number === undefined) {
        number = this.#next;
        this.#next = (number + 1) | 0; // As the words of a payload carry it.
        this.#numbers.set(buffer, number);
        this.#known.set(number, new WeakRef(buffer));
        this.#registry.register(buffer, number);
        this.#tell({ number, buffer });
      }
      return number;
    });
  }

  /** What a new worker must be told. */
  *news(): Generator<BufferNews> {
    for (const [number, reference] of this.#known) {
      const buffer = reference.deref();
      if (buffer !== undefined) yield { number, buffer };
    }
  }

  /** Lets go of the buffers of a task that has its outcome. */
  release(task: number): void {
    if (this.#inUse.size > 0) this.#inUse.delete(task);
  }
}

/** A worker's side: the buffers that it was told of. */
export class KnownBuffers {
  readonly #buffers = new Map<number, SharedArrayBuffer>();
  #onNews: (() => void) | undefined;

  /** Takes in a message from the owner. */
  learn({ number, buffer }: BufferNews): void {
    if (buffer === undefined) this.#buffers.delete(number);
    else this.#buffers.set(number, buffer);
    const onNews = this.#onNews;
    this.#onNews = undefined;
    onNews?.();
  }

  /** The buffers with these numbers; `undefined` when one of them is still on its way. */
  find(numbers: Iterable<number>): SharedArrayBuffer[] | undefined {
    const found: SharedArrayBuffer[] = [];
    for (const number of numbers) {
      const buffer = this.#buffers.get(number);
      if (buffer === undefined) return undefined;
      found.push(buffer);
    }
    return found;
  }

  /** The buffers with these numbers, once all of them are here. */
  async wait(numbers: readonly number[]): Promise<SharedArrayBuffer[]> {
    for (;;) {
      const found = this.find(numbers);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#onNews = resolve);
    }
  }
}
