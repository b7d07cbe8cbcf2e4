/**
 * From a function to its name on the wire: `module#export`. A URL never crosses, and neither does
 * code.
 *
 * @module
 */

import { NotShareableError } from "../../sync/errors.ts";
import { type AnyFunction, markOf } from "../_target.ts";

const NAME = /^[A-Za-z_][\w.-]*$/;

/** Checks the name of a module. */
export function checkModuleName(name: string): void {
  if (NAME.test(name)) return;
  throw new TypeError(
    `Cannot name module ${
      JSON.stringify(name)
    }: expected a letter, then letters, digits, "_", "." or "-"`,
  );
}

/** Splits a job's name; `undefined` when it is not one. */
export function partsOf(name: string): { module: string; task: string } | undefined {
  const [module, task, ...more] = name.split("#");
  if (task === undefined || more.length > 0 || !NAME.test(module) || task === "") return undefined;
  return { module, task };
}

/** The modules of one executor, by their addresses. */
export class ModuleNames {
  readonly #byUrl = new Map<string, string>();
  readonly #byFunction = new WeakMap<AnyFunction, string>();

  constructor(modules: Readonly<Record<string, string | URL>>) {
    for (const [name, url] of Object.entries(modules)) {
      checkModuleName(name);
      if (!URL.canParse(String(url))) {
        throw new TypeError(
          `Cannot list module "${name}": "${url}" is no URL; write import.meta.resolve("./${name}.ts")`,
        );
      }
      this.#byUrl.set(new URL(url).href, name);
    }
  }

  /**
   * The name of a task.
   *
   * @throws {NotShareableError} When the function is not a task of a listed module.
   */
  nameOf(fn: AnyFunction): string {
    const known = this.#byFunction.get(fn);
    if (known !== undefined) return known;
    const mark = markOf(fn);
    if (mark === undefined) {
      throw new NotShareableError(
        `Cannot submit function "${fn.name}" to a cluster: code does not cross; export it from a module, mark it with task(import.meta, ...), and list the module in \`modules\``,
      );
    }
    const module = this.#byUrl.get(mark.url);
    if (module === undefined) {
      const listed = [...this.#byUrl.values()].join(", ") || "none";
      throw new NotShareableError(
        `Cannot submit task "${mark.name}": its module "${mark.url}" is not listed (listed: ${listed}); add modules: { ${
          suggestionFor(mark.url)
        }: "${mark.url}" } to ClusterExecutor.connect(), and --module to the workers`,
      );
    }
    if (mark.name === "") {
      throw new NotShareableError(
        `Cannot submit a task without a name, of module "${module}": give it the name of its export, as the third argument of task()`,
      );
    }
    const name = `${module}#${mark.name}`;
    this.#byFunction.set(fn, name);
    return name;
  }
}

function suggestionFor(url: string): string {
  const base = /([^/]*?)(?:\.[cm]?[jt]sx?)?$/.exec(new URL(url).pathname)?.[1] ?? "";
  return /^[A-Za-z_$][\w$]*$/.test(base) ? base : "tasks";
}
