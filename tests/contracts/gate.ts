/**
 * Holds tasks up, and reports when they have reached a point, so that no test has to sleep. It uses
 * shared words of its own, for the tests of what waits in shared memory: it wakes nobody by the
 * means that are under test. Tasks in another process need `signals.ts`.
 */

/** Longer than any test: the timer only keeps the event loop alive. */
const HOLD_MS = 2 ** 30;

/** Resolves once the shared word satisfies `isMet`. Whoever changes the word must notify it. */
async function wordBecomes(
  words: Int32Array,
  index: number,
  isMet: (value: number) => boolean,
): Promise<void> {
  const hold = setInterval(() => {}, HOLD_MS);
  try {
    for (let seen = Atomics.load(words, index); !isMet(seen); seen = Atomics.load(words, index)) {
      await Atomics.waitAsync(words, index, seen).value;
    }
  } finally {
    clearInterval(hold);
  }
}

const ENTERED = 0;
const OPEN = 1;

/** The part of a {@linkcode Gate} that is passed to tasks. */
export type GateWords = Int32Array<SharedArrayBuffer>;

/**
 * A gate before which tasks wait (see the task `pass`). The end of its `using` block opens it at
 * the latest.
 */
export class Gate implements Disposable {
  readonly words: GateWords = new Int32Array(new SharedArrayBuffer(8));

  /** Resolves once `count` tasks have come to the gate. */
  entered(count = 1): Promise<void> {
    return wordBecomes(this.words, ENTERED, (value) => value >= count);
  }

  /** How many tasks have come to the gate. */
  get count(): number {
    return Atomics.load(this.words, ENTERED);
  }

  /** Lets all tasks through, also later ones. */
  open(): void {
    openGate(this.words);
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

/** Reports that a task has come to a gate. */
export function enterGate(words: GateWords): void {
  Atomics.add(words, ENTERED, 1);
  Atomics.notify(words, ENTERED);
}

/** Opens a gate. */
export function openGate(words: GateWords): void {
  Atomics.store(words, OPEN, 1);
  Atomics.notify(words, OPEN);
}

/** Whether a gate is open. */
export function isGateOpen(words: GateWords): boolean {
  return Atomics.load(words, OPEN) === 1;
}

/** Blocks until a gate is open. */
export function gateOpensSync(words: GateWords): void {
  Atomics.wait(words, OPEN, 0);
}

/** Resolves once a gate is open. */
export function gateOpens(words: GateWords): Promise<void> {
  return wordBecomes(words, OPEN, (value) => value === 1);
}
