/**
 * What the system reports about processes and their threads in `/proc`, which Linux has.
 *
 * @module
 */

/** A process or a thread at one moment. */
export interface Stat {
  readonly name: string;
  /** One letter: `R` computes, `S` sleeps, `T` is stopped, `Z` is a zombie. */
  readonly state: string;
  /** The number of the process's parent. */
  readonly parent: number;
}

/**
 * The state of a process, given by its number, or of one of {@linkcode threadsOf}; `undefined` when
 * it does not exist.
 */
export function statOf(id: number | string): Stat | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${id}/stat`);
  } catch {
    return undefined;
  }
  // The name may contain anything, even parentheses.
  const end = text.lastIndexOf(")");
  const [state, parent] = text.slice(end + 2).split(" ");
  return { name: text.slice(text.indexOf("(") + 1, end), state, parent: Number(parent) };
}

/** The threads of a process, `"self"` for this one; none where the system does not list them. */
export function threadsOf(pid: number | "self"): string[] {
  try {
    return Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name }) => `${pid}/task/${name}`);
  } catch {
    return [];
  }
}

/** Whether all threads of a process are stopped: until then, it may still take a signal. */
export function isStopped(pid: number): boolean {
  const threads = threadsOf(pid);
  return threads.length > 0 && threads.every((thread) => statOf(thread)?.state === "T");
}
