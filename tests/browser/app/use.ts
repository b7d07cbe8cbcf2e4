/** What is tried of a bundle: each attempt gives a result, or the text of an error. */

import { Lock, Queue, Thread, ThreadPoolExecutor, Timer } from "@concurrent/futures";

/** The results that the test reads. */
export interface Tried {
  tried?: Record<string, unknown>;
}

export async function use(work: typeof import("./work.ts")): Promise<void> {
  const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
  const queue = new Queue<number>();
  const double = (n: number): number => n * 2;
  const put = (queue: Queue<number>, n: number): void => queue.putSync(n);
  const attempts: Record<string, () => unknown> = {
    inline: () => pool.submit(double, 21),
    map: () => pool.map(double, [1, 2, 3]).toArray(),
    lock: () => pool.submit((lock: Lock) => lock.acquireSync({ blocking: false }), new Lock()),
    queue: async () => {
      await pool.submit(put, queue, 3);
      return await queue.get();
    },
    task: () => pool.submit(work.lcm, 4, 6),
    look: () => pool.submit(work.look, new Lock()),
    error: async () => {
      const error = await pool.submit(work.check, 11).exception();
      if (error instanceof work.LimitError) return error.limit;
      throw error;
    },
    thread: async () => {
      const thread = new Thread({ target: put, args: [queue, 5] });
      thread.start();
      await thread.join();
      return await queue.get({ block: false });
    },
    timer: async () => {
      const timer = new Timer(1, put, { args: [queue, 6] });
      timer.start();
      await timer.join();
      return await queue.get({ block: false });
    },
  };
  const tried: Record<string, unknown> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      tried[name] = await attempt();
    } catch (error) {
      tried[name] = (error as Error).message;
    }
  }
  await pool.shutdown();
  (globalThis as Tried).tried = tried;
}
