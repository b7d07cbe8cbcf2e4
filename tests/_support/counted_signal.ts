/** A signal, how many listeners it has, and how often one was added. */
export interface CountedSignal {
  readonly controller: AbortController;
  readonly signal: AbortSignal;
  listeners(): number;
  added(): number;
}

/** Counts the listeners of a new signal, of which each is added and removed once. */
export function countedSignal(): CountedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  let added = 0;
  let removed = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    added++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    removed++;
    removeEventListener.apply(signal, args);
  };
  return { controller, signal, listeners: () => added - removed, added: () => added };
}
