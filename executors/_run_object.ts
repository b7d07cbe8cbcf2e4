/**
 * The task of a process that was started from an object whose class overrides `run`.
 *
 * @module
 */

import { NotShareableError } from "../sync/errors.ts";
import { loadTarget, type Target } from "./_target.ts";
import { setLoading } from "./_thread_self.ts";
import { task } from "./task.ts";

/**
 * Makes the object for this process: an instance of a subclass, made without its constructor.
 *
 * @param target What the `run` of the class `Process` calls.
 * @returns `undefined` when `subclass` is no subclass of `Process`.
 */
export type MakeSelf = (
  subclass: unknown,
  fields: object,
  daemon: boolean,
  target: () => unknown,
) => { run(): unknown } | undefined;

let makeSelf: MakeSelf | undefined;

/**
 * Sets how objects are made; called by `process.ts` as it is loaded, which the modules of all
 * subclasses cause.
 */
export function setMakeSelf(make: MakeSelf): void {
  makeSelf = make;
}

/**
 * Makes an object of the class that a module exports, without running the constructor, gives it its
 * fields, and runs it.
 *
 * @param url The module's URL.
 * @param name The name of the class.
 * @param fields The object's own fields.
 * @param daemon Whether the process is a daemon.
 * @param target What `super.run()` calls.
 * @param args The target's arguments.
 */
export const runObject: (
  url: string,
  name: string,
  fields: object,
  daemon: boolean,
  target: Target | undefined,
  ...args: unknown[]
) => Promise<unknown> = task(
  import.meta,
  async function runObject(url, name, fields, daemon, target, ...args) {
    // The process has nothing else to do yet: only the top-level code of the modules could start
    // anything. If it fails, the process ends.
    setLoading(true);
    const subclass = await loadTarget({ kind: "module", url, name });
    const fn = target && await loadTarget(target) as (...args: unknown[]) => unknown;
    setLoading(false);
    const process = makeSelf?.(subclass, fields, daemon, () => fn?.(...args));
    if (process !== undefined) return process.run();
    throw new NotShareableError(
      `Cannot run process: "${name}" of module "${url}" is no subclass of Process here`,
    );
  },
);
