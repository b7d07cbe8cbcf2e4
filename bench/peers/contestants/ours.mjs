import { loadFutures } from "../futures.mjs";
import * as tasks from "./_ours_tasks.mjs";

const { Lock, ProcessPoolExecutor, Queue, ThreadPoolExecutor, transfer } = await loadFutures();
const QUEUE_SIZE = 1024;
const BATCH = 100;

export function start(maxWorkers, kind) {
  const Pool = kind === "processes" ? ProcessPoolExecutor : ThreadPoolExecutor;
  const pool = new Pool({ maxWorkers });
  return {
    call: (name, ...args) => pool.submit(tasks[name], ...args),
    map: (name, items) => pool.map(tasks[name], items).toArray(),
    transfer: kind === "processes"
      ? undefined
      : (name, args, buffers) => pool.submit(tasks[name], transfer(args[0], buffers)),
    end: () => pool.shutdown(),
  };
}

export const own = {
  lock: {
    start() {
      const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
      const lock = new Lock();
      const taskFor = (isBlocking) => isBlocking ? tasks.lockAndRelease : tasks.lockAndReleaseAsync;
      return {
        here: (isBlocking, count) => taskFor(isBlocking)(lock, count),
        there: (isBlocking, count) => pool.submit(taskFor(isBlocking), lock, count),
        end: () => pool.shutdown(),
      };
    },
  },
  queue: {
    start() {
      const pool = new ThreadPoolExecutor({ maxWorkers: 2 });
      const pass = async (put, get, count, batch) => {
        const queue = new Queue(QUEUE_SIZE);
        const got = pool.submit(get, queue, count, batch);
        const [ms] = await Promise.all([
          got,
          pool.submit(put, queue, count, batch),
        ]);
        return ms;
      };
      return {
        blocking: (count) => pass(tasks.putAll, tasks.getAll, count, 1),
        promise: (count) => pass(tasks.putAllAsync, tasks.getAllAsync, count, 1),
        many: (count) => pass(tasks.putAll, tasks.getAll, count, BATCH),
        end: () => pool.shutdown(),
      };
    },
  },
};
