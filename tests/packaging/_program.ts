/**
 * A program that tries what the package has, wherever it is loaded from; it prints the results as
 * JSON.
 */

import {
  Lock,
  Process,
  ProcessPoolExecutor,
  Queue,
  task,
  Thread,
  ThreadPoolExecutor,
  Timer,
} from "@concurrent/futures";

export const gcd = task(import.meta, function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
});

if (import.meta.main) {
  const double = (n: number): number => n * 2;
  const put = (queue: Queue<number>, n: number): void => queue.putSync(n);
  const queue = new Queue<number>();
  const tried: Record<string, unknown> = {};
  {
    await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });
    tried.inline = await pool.submit(double, 21);
    tried.task = await pool.submit(gcd, 48, 36);
    tried.blocking = pool.submit(gcd, 48, 36).resultSync();
    tried.lock = await pool.submit(
      (lock: Lock) => lock.acquireSync({ blocking: false }),
      new Lock(),
    );
  }
  const thread = new Thread({ target: put, args: [queue, 5] });
  thread.start();
  await thread.join();
  tried.thread = queue.getNowait();
  const timer = new Timer(1, put, { args: [queue, 6] });
  timer.start();
  await timer.join();
  tried.timer = queue.getNowait();
  {
    // The package itself is imported all the same, wherever it is.
    const permissions = { import: false };
    await using pool = new ProcessPoolExecutor({ maxWorkers: 1, permissions });
    tried.inlineInProcess = await pool.submit(double, 21);
    tried.taskInProcess = await pool.submit(gcd, 48, 36);
    const process = new Process({ target: gcd, args: [4, 6], permissions });
    process.start();
    await process.join();
    tried.exitcode = process.exitcode;
  }
  console.log(JSON.stringify(tried));
}
