/**
 * Jobs that wait here until the broker has room: by priority, then in order.
 *
 * @module
 */

/** What waits. */
export interface Held {
  readonly priority: number;
}

/** The jobs of one submitter that are not sent. */
export class HeldJobs<T extends Held> {
  #jobs: T[] = [];
  /** Index of the first that was not taken. */
  #next = 0;
  readonly #isWanted: (job: T) => boolean;
  /** How many were told to be unwanted. */
  #unwanted = 0;

  /** @param isWanted False of a job that was cancelled. */
  constructor(isWanted: (job: T) => boolean) {
    this.#isWanted = isWanted;
  }

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#next === this.#jobs.length;
  }

  /** Adds one behind those of its priority. */
  push(job: T): void {
    const jobs = this.#jobs;
    let at = jobs.length;
    while (at > this.#next && jobs[at - 1].priority < job.priority) at--;
    if (at === jobs.length) jobs.push(job);
    else jobs.splice(at, 0, job);
  }

  /** One of them is unwanted now. When that is so of half of them, they are dropped: their memory is not kept until it is their turn. */
  noteUnwanted(): void {
    if (++this.#unwanted * 2 < this.#jobs.length) return;
    this.#jobs = this.#jobs.slice(this.#next).filter(this.#isWanted);
    this.#next = this.#unwanted = 0;
  }

  /** Takes as many as `count`, of those that are still wanted; the others are dropped. */
  take(count: number): T[] {
    const taken: T[] = [];
    while (taken.length < count && !this.isEmpty) {
      const job = this.#jobs[this.#next++];
      if (this.#isWanted(job)) taken.push(job);
    }
    if (this.isEmpty || this.#next > 1024 && this.#next * 2 > this.#jobs.length) {
      this.#jobs.splice(0, this.#next);
      this.#next = 0;
    }
    return taken;
  }
}
