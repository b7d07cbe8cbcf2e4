/** The package of this repository: its source on Deno, what `deno task npm:pack` has built of it on Node. */

const load = (source, built) =>
  import(
    new URL(
      "Deno" in globalThis ? `../../${source}` : `../../npm/package/${built}`,
      import.meta.url,
    ).href
  );

/** All of it. */
export const loadFutures = () => load("mod.ts", "mod.js");

/** What modules of tasks need. */
export const loadTask = () => load("executors/task_module.ts", "task.js");
