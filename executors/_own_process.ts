/**
 * What a process that was started by a `Process` or a pool knows about itself.
 *
 * @module
 */

let ownName: string | undefined;

/** Has this thread's process be known by a name. */
export function setOwnProcess(name: string): void {
  ownName = name;
}

/** The name that this process was started with; `undefined` in the main process. */
export function ownProcessName(): string | undefined {
  return ownName;
}
