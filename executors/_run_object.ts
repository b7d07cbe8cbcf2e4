/**
 * What a process runs that was started from an object whose class overrides `run`.
 *
 * @module
 */

import { loadTarget } from "./_target.ts";
import { task } from "./task.ts";

/**
 * Makes an object of the class that a module exports, without running the constructor, gives it its fields, and runs it.
 *
 * @param url The module's URL.
 * @param name The name of the class.
 * @param fields The object's own fields.
 */
export const runObject: (url: string, name: string, fields: object) => Promise<unknown> = task(
  import.meta,
  async function runObject(url: string, name: string, fields: object): Promise<unknown> {
    const { prototype } = await loadTarget({ kind: "module", url, name });
    return Object.assign(Object.create(prototype), fields).run();
  },
);
