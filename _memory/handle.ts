/**
 * The cloneable form of a shared object, and how it is rebuilt elsewhere.
 *
 * A lock or a queue is a view of shared words. What is sent is its kind, and the data by which
 * those words are found again; the other side looks the kind up and builds its own view. A kind is
 * registered when the module of its class is loaded, so each side must have loaded that module.
 *
 * @module
 */

/** Stands for a shared object while it is sent. */
export interface Handle {
  /** The name under which the rebuilding function is registered, such as `"Lock"`. */
  readonly kind: string;
  /** The argument of that function; any value that the codec can carry. */
  readonly data: unknown;
}

/** The method that gives an object's {@linkcode Handle}. Shared by all copies of the package. */
export const HANDLE: unique symbol = Symbol.for("@concurrent/futures.handle");

/** An object that is shared by handle, not copied. */
export interface Shareable {
  /** Returns the handle that stands for this object while it is sent. */
  [HANDLE](): Handle;
}

const REBUILD = new Map<string, (data: unknown) => object>();

/**
 * Registers how objects of a kind are rebuilt from the data of their handle. A later registration
 * of the same kind replaces the earlier one.
 *
 * @param kind The kind that the objects' handles name.
 * @param rebuild Builds this thread's object; must not write shared words.
 */
export function registerHandle(kind: string, rebuild: (data: unknown) => object): void {
  REBUILD.set(kind, rebuild);
}

/**
 * Rebuilds a shared object.
 *
 * @param handle What the other side's object returned.
 * @returns This thread's view of the object.
 * @throws {Error} If the kind is not registered here.
 */
export function fromHandle(handle: Handle): object {
  const rebuild = REBUILD.get(handle.kind);
  if (rebuild === undefined) {
    throw new Error(
      `Cannot receive "${handle.kind}": its module is not loaded here; ` +
        `mark the task with task(import.meta, ...), and import "@concurrent/futures" in its module`,
    );
  }
  return rebuild(handle.data);
}

/** Tells whether a value is sent by handle. */
export function isShareable(value: unknown): value is Shareable {
  return value !== null && (typeof value === "object" || typeof value === "function") &&
    typeof (value as Partial<Shareable>)[HANDLE] === "function";
}
