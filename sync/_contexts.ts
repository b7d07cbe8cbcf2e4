/**
 * Which async contexts the code that runs now belongs to: the `run` calls of reentrant locks around
 * it.
 *
 * @module
 */

import { type AsyncContext, platform } from "../_platform/mod.ts";
import { doorbell } from "../_memory/doorbell.ts";

/** The ids of `run` calls, innermost first. */
export type Contexts = readonly number[];

const NONE: Contexts = [];

/**
 * Made when first needed: making it takes a runtime some milliseconds, and most threads never need
 * it.
 */
let innermost: AsyncContext<Context | undefined> | undefined;
let ids = 0;

/** One `run` call. */
export class Context {
  /** A number, unique in this thread, 1 or more. */
  readonly id: number;
  /** The `run` call around it. */
  outer: Context | undefined;
  /**
   * True once it no longer holds its lock. Code that was started inside, and may go on for ever,
   * does not count as inside then.
   */
  isOver = false;

  constructor() {
    ids = ids % 0x7fffffff + 1;
    this.id = ids;
  }

  /** Runs a function, and whatever it starts, inside this context. */
  run<R>(fn: () => R): R {
    innermost ??= create();
    this.outer = lasting(innermost.get());
    return innermost.run(this, fn);
  }
}

function create(): AsyncContext<Context | undefined> {
  // Otherwise the doorbell would run in the context of whichever code lets it listen first, and all
  // code that it calls with outcomes would count as inside the `run` calls of that code.
  doorbell.runBy((step) => callIn(undefined, step, undefined));
  return platform.createAsyncContext<Context | undefined>();
}

/** The innermost context of the code that runs now, which may be over. */
export function contextHere(): Context | undefined {
  return innermost?.get();
}

/** Calls a function inside of a context, or outside of all. */
export function callIn<A, R>(context: Context | undefined, fn: (arg: A) => R, arg: A): R {
  return innermost === undefined ? fn(arg) : innermost.run(context, () => fn(arg));
}

/** The contexts that the code that runs now belongs to. */
export function contextsHere(): Contexts {
  return innermost === undefined ? NONE : idsFrom(lasting(innermost.get()));
}

function idsFrom(context: Context | undefined): Contexts {
  if (context === undefined) return NONE;
  const found: number[] = [];
  for (; context !== undefined; context = context.outer) {
    found.push(context.id);
    context.outer = lasting(context.outer);
  }
  return found;
}

/** The first context that is not over, from this one outwards. */
function lasting(context: Context | undefined): Context | undefined {
  while (context !== undefined && context.isOver) context = context.outer;
  return context;
}
