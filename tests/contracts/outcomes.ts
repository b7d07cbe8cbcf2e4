/**
 * The outcomes of calls on an object, in a form that can be compared: where the object is used must
 * make no difference.
 */

/** What can be done with an object, by name. Each name begins with that of a member. */
export type Acts<T> = Record<string, (object: T) => unknown>;

/** The name of what was done, and its outcome. */
export type Outcome = readonly [act: string, outcome: unknown];

/** Does one thing after the other, and returns the outcome of each. */
export async function outcomesOf<T>(acts: Acts<T>, object: T): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, act] of Object.entries(acts)) {
    try {
      outcomes.push([name, describe(await act(object))]);
    } catch (error) {
      outcomes.push([name, describeError(error)]);
    }
  }
  return outcomes;
}

/** The differences between two lists of outcomes of the same acts. */
export function differences(
  here: readonly Outcome[],
  there: readonly Outcome[],
): (readonly [act: string, here: unknown, there: unknown])[] {
  return here
    .map(([act, outcome], i) => [act, outcome, there[i]?.[1]] as const)
    .filter(([, ours, theirs]) => Deno.inspect(ours) !== Deno.inspect(theirs));
}

function describe(value: unknown): unknown {
  if (value === undefined) return "undefined";
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return `object of ${value.constructor.name}`;
}

/** The class, name and text of an error, and what the package adds to it. */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const { constructor, name, message } = error;
  const { count } = error as { count?: number };
  // Left out: which of several items cannot be cloned, as told in a process.
  const text = message.replace(/ at \[\d+\] cannot be cloned/, " cannot be cloned");
  return `${constructor.name} "${name}": ${text}${count === undefined ? "" : ` (${count})`}`;
}

/** The members of a class that are meant for callers that have an object of it. */
export function membersOf(Class: { readonly prototype: object }): string[] {
  const members = new Set<string>();
  let at = Class.prototype;
  while (at !== Object.prototype) {
    for (const key of Reflect.ownKeys(at)) {
      members.add(typeof key === "string" ? key : key.description!.replace("Symbol.", ""));
    }
    at = Object.getPrototypeOf(at);
  }
  for (const member of ["constructor", "@concurrent/futures.handle"]) members.delete(member);
  return [...members];
}

/** The members that no act uses. */
export function membersLeftOut(
  Class: { readonly prototype: object },
  acts: readonly string[],
): string[] {
  const tried = new Set(acts.map((act) => act.match(/^\w+/)![0]));
  return membersOf(Class).filter((member) => !tried.has(member));
}

/** How long a wait that is in vain lasts. */
export const MOMENT_MS = 5;

/** A signal that aborts after {@linkcode MOMENT_MS}. */
export function soon(reason: unknown): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), MOMENT_MS);
  return controller.signal;
}

/** Returns what a promise rejects with; throws when it does not reject. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("It did not reject");
}
