/**
 * Makes what the program prints appear above what is drawn on the terminal.
 *
 * @module
 */

/** The methods of `console` that print, some of them only to say that something is wrong. */
const METHODS = [
  "assert",
  "log",
  "info",
  "debug",
  "warn",
  "error",
  "dir",
  "dirxml",
  "table",
  "trace",
  "group",
  "groupCollapsed",
  "count",
  "countReset",
  "time",
  "timeLog",
  "timeEnd",
] as const;

/**
 * Wraps all calls of `console` that print in `around`, until the returned function is called.
 *
 * @param around Gets a function that prints, and has to call it.
 */
export function wrapConsole(around: (print: () => void) => void): () => void {
  const restores = METHODS.map((name) => {
    const original = console[name] as (...args: unknown[]) => void;
    const wrapped = (...args: unknown[]): void => {
      const print = (): void => original.apply(console, args);
      // What holds is often asserted in a loop, and prints nothing.
      if (name === "assert" && args[0]) print();
      else around(print);
    };
    console[name] = wrapped;
    return () => {
      // The program may have put a method of its own in its place.
      if (console[name] === wrapped) console[name] = original;
    };
  });
  return () => restores.forEach((restore) => restore());
}
