/**
 * Look-alikes in files of what `signals.ts` is made of, for executors whose tasks run where no
 * shared memory of this machine reaches. They are sent as plain objects, and {@linkcode revive}
 * turns these back into signals.
 */

const POLL_MS = 2;

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

/** Permits of a semaphore that begins with none. Only one party acquires. */
export class FileSemaphore {
  readonly kind = "semaphore";
  #taken = 0;

  readonly #arrived: () => Promise<void>;

  /** @param arrived Awaited after a permit is there. */
  constructor(readonly path: string, arrived: () => Promise<void> = () => Promise.resolve()) {
    this.#arrived = arrived;
  }

  release(): void {
    Deno.writeTextFileSync(this.path, "x", { append: true });
  }

  async acquire(): Promise<void> {
    await until(() => this.getValue() > 0);
    this.#taken++;
    await this.#arrived();
  }

  getValue(): number {
    return sizeOf(this.path) - this.#taken;
  }
}

/** An event. */
export class FileEvent {
  readonly kind = "event";

  constructor(readonly path: string) {}

  set(): void {
    Deno.writeTextFileSync(this.path, "x");
  }

  isSet(): boolean {
    return sizeOf(this.path) > 0;
  }

  async wait(): Promise<boolean> {
    await until(() => this.isSet());
    return true;
  }
}

/** Numbers in the order in which they were put. Only one party gets. */
export class FileQueue {
  readonly kind = "queue";
  #taken = 0;

  constructor(readonly path: string) {}

  #lines(): string[] {
    try {
      return Deno.readTextFileSync(this.path).split("\n").slice(0, -1);
    } catch {
      return [];
    }
  }

  putNowait(value: number): void {
    Deno.writeTextFileSync(this.path, `${value}\n`, { append: true });
  }

  empty(): boolean {
    return this.#lines().length === this.#taken;
  }

  getNowait(): number {
    return Number(this.#lines()[this.#taken++]);
  }
}

/**
 * Makes signals in a folder, each in a file of its own.
 *
 * @param heard Resolves once the executor itself, which may be slower than the files, has reported
 *   here what tasks have done so far, and once requests to the executor have reached its hosts.
 */
export function fileSignals(folder: () => string, heard: () => Promise<void>): {
  semaphore(): FileSemaphore;
  event(): FileEvent;
  queue(): FileQueue;
  reached(): Promise<void>;
} {
  let made = 0;
  const next = (): string => `${folder()}/${made++}`;
  return {
    semaphore: () => new FileSemaphore(next(), heard),
    event: () => new FileEvent(next()),
    queue: () => new FileQueue(next()),
    reached: heard,
  };
}

const KINDS = { semaphore: FileSemaphore, event: FileEvent, queue: FileQueue };

/** Turns signals among received arguments from plain objects back into signals. */
export function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const { kind, path } = value as { kind?: keyof typeof KINDS; path?: string };
  if (kind !== undefined && path !== undefined && kind in KINDS) return new KINDS[kind](path);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}
