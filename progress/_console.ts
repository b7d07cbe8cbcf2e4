/**
 * Lets what the program prints stand above what is drawn on the terminal.
 *
 * @module
 */

/** Those methods of `console` that print. */
const METHODS = [
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
  "timeLog",
  "timeEnd",
] as const;

/**
 * Has every call of `console` that prints made by `around`, until the returned function is called.
 *
 * @param around Is given what prints, and has to call it.
 */
export function wrapConsole(around: (print: () => void) => void): () => void {
  const restores = METHODS.map((name) => {
    const original = console[name] as (...args: unknown[]) => void;
    const wrapped = (...args: unknown[]): void => around(() => original.apply(console, args));
    console[name] = wrapped;
    return () => {
      // Somebody may have put a method of his own in its place.
      if (console[name] === wrapped) console[name] = original;
    };
  });
  return () => restores.forEach((restore) => restore());
}
