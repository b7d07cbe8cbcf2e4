/**
 * What is tried in a service worker, which answers a message with what it has seen.
 *
 * @module
 */

import { AsyncExecutor, ThreadPoolExecutor } from "../../../mod.ts";

/** The part of a service worker's scope that is used. */
interface Scope {
  onmessage: (event: { source: { postMessage(message: unknown): void } }) => void;
}

(globalThis as unknown as Scope).onmessage = async ({ source }) => {
  const sum = await new AsyncExecutor().submit((a: number, b: number) => a + b, 1, 2);
  // Where a service worker has no shared memory, there is no pool.
  const submit = async (): Promise<void> => {
    await new ThreadPoolExecutor({ maxWorkers: 1 }).submit(() => {});
  };
  const message = await submit().catch((error: Error) => error.message);
  source.postMessage([sum, message]);
};
