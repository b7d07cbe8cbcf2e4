/**
 * What is tried in a page that is served without the headers of isolation.
 *
 * @module
 */

import {
  AsyncExecutor,
  Barrier,
  Condition,
  Event,
  Lock,
  map,
  Queue,
  SimpleQueue,
  Thread,
  ThreadPoolExecutor,
} from "../../../mod.ts";

async function errorOf(fn: () => unknown): Promise<string> {
  try {
    return `no error, but ${await fn()}`;
  } catch (error) {
    return (error as Error).message;
  }
}

export async function withoutSharedMemory() {
  const attempts: Record<string, () => unknown> = {
    ThreadPoolExecutor: () => new ThreadPoolExecutor(),
    map: () => map((n: number) => n, [1]).toArray(),
    Thread: () => new Thread({ target: () => {} }),
    Lock: () => new Lock(),
    Condition: () => new Condition(),
    Event: () => new Event(),
    Barrier: () => new Barrier(2),
    Queue: () => new Queue(),
    SimpleQueue: () => new SimpleQueue(),
  };
  const errors: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) errors[name] = await errorOf(attempt);
  return {
    isIsolated: (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated,
    errors,
  };
}

export async function asyncExecutor() {
  const executor = new AsyncExecutor({ maxWorkers: 2 });
  const result = {
    sum: await executor.submit(
      async (a: number, b: number) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return a + b;
      },
      1,
      2,
    ),
    squares: await executor.map((n: number) => n * n, [1, 2, 3]).toArray(),
    error: await errorOf(() =>
      executor.submit(() => {
        throw new RangeError("thrown");
      })
    ),
  };
  await executor.shutdown();
  return result;
}
