/**
 * The options of calls that may wait.
 *
 * @module
 */

/** How long to wait, and what ends the wait early. */
export interface WaitOptions {
  /** Milliseconds; `undefined` and `null` wait for ever, 0 does not wait. */
  timeout?: number | null | undefined;
  /**
   * Ends the wait when it aborts: the promise rejects with the signal's reason. What is waited for
   * is not touched, except that a Barrier breaks.
   */
  signal?: AbortSignal | undefined;
}

/** How long a blocking call waits. */
export interface WaitSyncOptions {
  /** Milliseconds; `undefined` and `null` wait for ever, 0 does not wait. */
  timeout?: number | null | undefined;
}

/** Whether and how long to wait for a lock or a semaphore, and what ends the wait early. */
export interface AcquireOptions extends WaitOptions {
  /** False to acquire it only if that needs no waiting; `timeout` must be left out then. */
  blocking?: boolean | undefined;
}

/** Whether and how long a blocking call waits for a lock or a semaphore. */
export interface AcquireSyncOptions extends WaitSyncOptions {
  /** False to acquire it only if that needs no waiting; `timeout` must be left out then. */
  blocking?: boolean | undefined;
}
