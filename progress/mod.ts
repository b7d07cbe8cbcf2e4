/**
 * Shows how far a loop and the tasks behind it are: Python's `tqdm` for what `map`, `asCompleted`
 * and `stream` return.
 *
 * A separate entry point, because it has a dependency, which draws the bars.
 *
 * @example
 * ```ts
 * import { asCompleted, ThreadPoolExecutor } from "@concurrent/futures";
 * import { progress } from "@concurrent/futures/progress";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new ThreadPoolExecutor({ maxWorkers: 2 });
 * const futures = [1, 2, 3].map((n) => pool.submit((n: number) => n * n, n));
 * let sum = 0;
 * for await (const future of progress(asCompleted(futures), { label: "squares" })) {
 *   sum += await future;
 * }
 * assertEquals(sum, 14);
 * ```
 *
 * @module
 */

export { progress, type ProgressOptions } from "./progress.ts";
