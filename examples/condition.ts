/**
 * A producer puts ten loaves on a shelf that holds three; two consumers take them off.
 *
 *   deno run -A examples/condition.ts
 *
 * Two conditions share the lock that guards the shelf. The producer, an async function, waits while
 * the shelf is full; a consumer, a thread, blocks while it is empty. After each change, one side
 * notifies one waiter of the other.
 *
 * It prints, for instance:
 *
 *   Producer puts loaf 1, 1 on the shelf
 *   Producer puts loaf 2, 2 on the shelf
 *   Producer puts loaf 3, 3 on the shelf
 *   Consumer A takes loaf 1, 2 on the shelf
 *   Producer puts loaf 4, 3 on the shelf
 *   Consumer A takes loaf 2, 2 on the shelf
 *   Producer puts loaf 5, 3 on the shelf
 *   Consumer B takes loaf 3, 2 on the shelf
 *   Producer puts loaf 6, 3 on the shelf
 *   Consumer A takes loaf 4, 2 on the shelf
 *   Producer puts loaf 7, 3 on the shelf
 *   Consumer B takes loaf 5, 2 on the shelf
 *   Producer puts loaf 8, 3 on the shelf
 *   Consumer A takes loaf 6, 2 on the shelf
 *   Producer puts loaf 9, 3 on the shelf
 *   Consumer B takes loaf 7, 2 on the shelf
 *   Producer puts loaf 10, 3 on the shelf
 *   Consumer A takes loaf 8, 2 on the shelf
 *   Consumer B takes loaf 9, 1 on the shelf
 *   Consumer A takes loaf 10, 0 on the shelf
 *
 *   A has eaten 6, B has eaten 4
 *
 * @module
 */

import { Condition, Event, Lock, task, ThreadPoolExecutor } from "@concurrent/futures";

const LOAVES = 10;
const ROOM = 3;
const CONSUMERS = 2;
const MEAL_MS = 10;

/**
 * The shelf's shared words: how many loaves were put there, how many were taken, and whether no
 * more will come.
 */
const PUT = 0;
const TAKEN = 1;
const IS_CLOSED = 2;

interface Bakery {
  readonly shelf: Int32Array;
  readonly notFull: Condition;
  readonly notEmpty: Condition;
}

/** How many loaves are on the shelf. Call with the lock held. */
function onShelf(shelf: Int32Array): number {
  return shelf[PUT] - shelf[TAKEN];
}

async function produce({ shelf, notFull, notEmpty }: Bakery): Promise<void> {
  for (let loaf = 1; loaf <= LOAVES; loaf++) {
    using _ = await notFull.hold();
    await notFull.waitFor(() => onShelf(shelf) < ROOM);
    shelf[PUT]++;
    console.log(`Producer puts loaf ${loaf}, ${onShelf(shelf)} on the shelf`);
    notEmpty.notify();
  }
  using _ = await notEmpty.hold();
  shelf[IS_CLOSED] = 1;
  notEmpty.notifyAll();
}

/** Takes and eats loaves until no more will come. Returns how many it has eaten. */
export const consume = task(import.meta, function consume(bakery: Bakery, name: string): number {
  let eaten = 0;
  for (; take(bakery, name); eaten++) {
    new Event().waitSync({ timeout: MEAL_MS }); // Nobody sets this event.
  }
  return eaten;
});

/** Takes a loaf once there is one. Returns false when there is none, and none will come. */
function take({ shelf, notFull, notEmpty }: Bakery, name: string): boolean {
  using _ = notEmpty.holdSync();
  notEmpty.waitForSync(() => onShelf(shelf) > 0 || shelf[IS_CLOSED] === 1);
  if (onShelf(shelf) === 0) return false;
  const loaf = ++shelf[TAKEN];
  console.log(`Consumer ${name} takes loaf ${loaf}, ${onShelf(shelf)} on the shelf`);
  notFull.notify();
  return true;
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: CONSUMERS });
  const lock = new Lock({ name: "shelf" });
  const bakery: Bakery = {
    shelf: new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)),
    notFull: new Condition(lock),
    notEmpty: new Condition(lock),
  };
  const consumers = ["A", "B"].map((name) => pool.submit(consume, bakery, name));
  await produce(bakery);
  const [a, b] = await Promise.all(consumers);
  console.log(`\nA has eaten ${a}, B has eaten ${b}`);
}
