/** Tasks for the wire, which carries tasks that come one by one; they get no shared object. */

import { Process, task, taskContext, transfer } from "@concurrent/futures";
import { existsSync, readlinkSync, writeFileSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers";

/** Whether the calling task came by the wire: such tasks have numbers of their own range. */
export const isWired = task(import.meta, function isWired(): boolean {
  return (taskContext().id as number) % 2 ** 32 >= 2 ** 31;
});

/** Returns the id of the task. */
export const ownId = task(import.meta, function ownId(): number {
  return taskContext().id as number;
});

/** Returns its argument, and whether it came by the wire. */
export const wiredEcho = task(import.meta, function wiredEcho<T>(value: T): [T, boolean] {
  return [value, isWired()];
});

/** Like {@linkcode wiredEcho}, but a turn of the event loop later. */
export const wiredLater = task(import.meta, async function wiredLater<T>(value: T) {
  const before = isWired();
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  return [value, before && isWired()] as const;
});

/** Reports that it runs, and loops for ever. */
export const spinOnWire = task(import.meta, function spinOnWire(): never {
  taskContext().report(isWired() ? 0.5 : 0.25);
  for (;;);
});

/** Reports that it runs, and loops until its signal aborts. */
export const spinUntilTold = task(import.meta, function spinUntilTold(): boolean {
  taskContext().report(isWired() ? 0.5 : 0.25);
  const { signal } = taskContext();
  while (!signal.aborted);
  return true;
});

/** Reports that it runs, and waits until its signal aborts. */
export const pendUntilTold = task(import.meta, function pendUntilTold(): Promise<never> {
  const { signal } = taskContext();
  taskContext().report(isWired() ? 0.5 : 0.25);
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
});

/**
 * Leaves a timer that, as soon as the task is over, keeps the worker busy until the file at `path`
 * exists.
 */
export const leaveBusyTimer = task(import.meta, function leaveBusyTimer(path: string): void {
  setTimeout(() => {
    writeFileSync(`${path}.begun`, "");
    while (!existsSync(path));
  }, 0);
});

/** Writes an empty file. */
export const leaveFile = task(import.meta, function leaveFile(path: string): void {
  writeFileSync(path, "");
});

/** Reports progress the given number of times, and returns. */
export const reportAndReturn = task(import.meta, function reportAndReturn(times: number): boolean {
  for (let i = 1; i <= times; i++) taskContext().report(i / times);
  return isWired();
});

/** Throws. */
export const failOnWire = task(import.meta, function failOnWire(): never {
  throw new RangeError(`wired: ${isWired()}`, { cause: new Error("cause") });
});

/** Returns an array whose memory is moved. */
export const giveMoved = task(import.meta, function giveMoved(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(7);
  return transfer(bytes, [bytes.buffer]);
});

/** Returns a value that cannot be sent. */
export const giveFunction = task(import.meta, function giveFunction(): unknown {
  return () => {};
});

/** Writes to a file what the fifth descriptor of this process refers to. */
export const tellFifth = task(import.meta, function tellFifth(path: string): void {
  writeFileSync(path, readlinkSync("/proc/self/fd/4"));
});

/** Runs {@linkcode tellFifth} in another process. */
export const tellFifthOfProcess = task(
  import.meta,
  async function tellFifthOfProcess(path: string) {
    const process = new Process({ target: tellFifth, args: [path] });
    process.start();
    await process.join();
  },
);

/** Ends the process in the middle of a task. */
export const exitOnWire = task(import.meta, function exitOnWire(code: number): void {
  process.exit(code);
});

/** Ends the process as soon as the task is over. */
export const exitAfter = task(import.meta, function exitAfter(code: number): boolean {
  setTimeout(() => process.exit(code), 0);
  return isWired();
});
