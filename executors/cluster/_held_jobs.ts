/**
 * Jobs that wait here until the broker has room: by priority, then in order.
 *
 * @module
 */

/** The part of a job that its order depends on. */
export interface Held {
  readonly priority: number;
}

/** The jobs of one submitter that are not sent. */
export class HeldJobs<T extends Held> {
  #jobs: T[] = [];
  /** Index of the first job that was not taken. */
  #next = 0;
  readonly #isWanted: (job: T) => boolean;
  /** How many jobs were reported as unwanted since the last clean-up. */
  #unwanted = 0;

  /** @param isWanted Whether a job is still wanted; false once it was cancelled. */
  constructor(isWanted: (job: T) => boolean) {
    this.#isWanted = isWanted;
  }

  /** Whether no job waits. */
  get isEmpty(): boolean {
    return this.#next === this.#jobs.length;
  }

  /** Adds a job behind those of its priority. */
  push(job: T): void {
    const jobs = this.#jobs;
    let at = jobs.length;
    while (at > this.#next && jobs[at - 1].priority < job.priority) at--;
    if (at === jobs.length) jobs.push(job);
    else jobs.splice(at, 0, job);
  }

  /**
   * Notes that one of the jobs has become unwanted. Once half of them are, these are dropped, so
   * that their memory is not kept until their turn.
   */
  noteUnwanted(): void {
    if (++this.#unwanted * 2 < this.#jobs.length) return;
    this.#jobs = this.#jobs.slice(this.#next).filter(this.#isWanted);
    this.#next = this.#unwanted = 0;
  }

  /** Takes up to `count` of the jobs that are still wanted; drops unwanted ones before these. */
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
