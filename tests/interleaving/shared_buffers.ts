/**
 * Identifies shared memory: a buffer is a different object in each thread that has it, so the main
 * thread gives each a number and sends the numbers along.
 *
 * @module
 */

/** The number of memory that only one thread can see. */
export const PRIVATE = 0;

const numbers = new WeakMap<ArrayBufferLike, number>();
let last = PRIVATE;

/** The number of a buffer; {@linkcode PRIVATE} if it was in nothing that the threads share. */
export function numberOf(buffer: ArrayBufferLike): number {
  return numbers.get(buffer) ?? PRIVATE;
}

/** In a thread: registers the numbers that came with what the threads share. */
export function setNumbers(buffers: readonly SharedBuffer[]): void {
  for (const { buffer, number } of buffers) numbers.set(buffer, number);
}

/** Shared memory, and where in the model's shared value it was first found. */
export interface SharedBuffer {
  readonly buffer: SharedArrayBuffer;
  readonly number: number;
  readonly path: string;
}

/** On the main thread: finds and numbers all shared memory in a value that will be cloned. */
export function numberBuffers(value: unknown): SharedBuffer[] {
  const found: SharedBuffer[] = [];
  const seen = new Set<unknown>();
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof SharedArrayBuffer) {
      if (!numbers.has(value)) numbers.set(value, ++last);
      found.push({ buffer: value, number: numberOf(value), path });
    } else if (ArrayBuffer.isView(value)) {
      visit(value.buffer, path);
    } else {
      const entries = value instanceof Map ? value.entries() : Object.entries(value);
      for (const [key, part] of entries) visit(part, path === "" ? String(key) : `${path}.${key}`);
    }
  };
  visit(value, "");
  return found;
}
