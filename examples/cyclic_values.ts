/**
 * An array that contains itself goes to a worker, and comes back as an array that contains itself.
 *
 *   deno run -A examples/cyclic_values.ts
 *
 * Values are copied on their way, and the copy has the shape of the original: an object that
 * appears in several places, or inside itself, does so in the copy as well. (JSON refuses an object
 * that is inside itself, and turns one in several places into several objects.)
 *
 * It prints:
 *
 *   An array that contains itself: <ref *1> [ 1, [Circular *1] ]
 *     in the worker: true, back here: true, and a copy: true
 *   Two friends in one town: <ref *1> { town: { name: 'Ulm' }, friend: { town: { name: 'Ulm' }, friend: [Circular *1] } }
 *     in the worker: true, back here: true, and a copy: true
 *   A map that is a key of itself: <ref *1> Map(1) { [Circular *1] => 'itself' }
 *     in the worker: true, back here: true, and a copy: true
 *
 * @module
 */

import { task, ThreadPoolExecutor } from "@concurrent/futures";
import { inspect } from "node:util";

type Nested = (number | Nested)[];

interface Person {
  readonly town: { readonly name: string };
  friend?: Person;
}

// The worker calls these functions on what arrives there, and this thread on what comes back.

export const containsItself = task(import.meta, function containsItself(list: Nested): boolean {
  return list[1] === list;
});

export const hasFriendInTown = task(import.meta, function hasFriendInTown(person: Person): boolean {
  return person.friend?.friend === person && person.friend.town === person.town;
});

export const isKeyOfItself = task(
  import.meta,
  function isKeyOfItself(map: Map<unknown, string>): boolean {
    return map.get(map) === "itself";
  },
);

export const giveBack = task(import.meta, function giveBack<T>(value: T): T {
  return value;
});

async function sendAround<T>(
  pool: ThreadPoolExecutor,
  title: string,
  value: T,
  hasShape: (value: T) => boolean,
): Promise<void> {
  const inWorker = await pool.submit(hasShape, value);
  const back = await pool.submit(giveBack<T>, value) as T;
  console.log(`${title}: ${inspect(back, { breakLength: Infinity })}`);
  console.log(
    `  in the worker: ${inWorker}, back here: ${hasShape(back)}, and a copy: ${back !== value}`,
  );
}

// Workers import this module too, and must not run the program again.
if (import.meta.main) {
  await using pool = new ThreadPoolExecutor({ maxWorkers: 1 });

  const list: Nested = [1];
  list.push(list);
  await sendAround(pool, "An array that contains itself", list, containsItself);

  const town = { name: "Ulm" };
  const ann: Person = { town };
  ann.friend = { town, friend: ann };
  await sendAround(pool, "Two friends in one town", ann, hasFriendInTown);

  const map = new Map<unknown, string>();
  map.set(map, "itself");
  await sendAround(pool, "A map that is a key of itself", map, isKeyOfItself);
}
