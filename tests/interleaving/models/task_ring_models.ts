/**
 * The ring of tasks: one owner, two workers.
 *
 * @module
 */

import { OwnedTaskRing, SLOT, SLOT_PAYLOAD_WORDS, TaskRing } from "../../../_memory/task_ring.ts";
import { defineModel, type Model } from "../model.ts";

/** The tasks of one full lap of the ring. */
const SLOTS = 1024;

/** Publishes a task whose payload is its number; returns false if the ring is full. */
function publish(ring: OwnedTaskRing): boolean {
  const slot = ring.freeSlot();
  if (slot < 0) return false;
  ring.words[slot + SLOT.PAYLOAD] = ring.next;
  ring.publish();
  return true;
}

/** Claims a task, if there is one, and reads it. */
function claim(ring: TaskRing, worker: number): number[] {
  const number = ring.claim(worker);
  return number < 0 ? [] : read(ring, worker, number);
}

/** Reads a task that was claimed, unless it is taken back. */
function read(ring: TaskRing, worker: number, number: number): number[] {
  const payload = new Int32Array(SLOT_PAYLOAD_WORDS);
  ring.copyPayload(number, payload, 1);
  if (!ring.release(number, worker)) return [];
  if (payload[0] !== number) throw new Error(`task ${number} reads ${payload[0]}`);
  return [number];
}

/** Claims all that is left. */
function claimRest(ring: TaskRing): number[] {
  const rest: number[] = [];
  for (let next = claim(ring, 0); next.length > 0; next = claim(ring, 0)) rest.push(...next);
  return rest;
}

function assertOnce(found: number[], expected: number[]): void {
  const sorted = found.sort((a, b) => a - b);
  if (sorted.join() !== expected.join()) throw new Error(`tasks ${expected} came as ${sorted}`);
}

/** Opens the ring: thread 0 owns it. */
function open({ buffer }: { buffer: SharedArrayBuffer }, thread: number): TaskRing {
  return thread === 0 ? new OwnedTaskRing(buffer) : new TaskRing(buffer);
}

const publishAndCancel = defineModel({
  name: "TaskRing: cancel",
  threads: 3,
  setUp: () => ({ buffer: new OwnedTaskRing().buffer }),
  open,
  thread(thread, ring) {
    if (!(ring instanceof OwnedTaskRing)) return claim(ring, thread).concat(claim(ring, thread));
    publish(ring);
    publish(ring);
    return ring.cancel(0) ? [0] : [];
  },
  check({ buffer }, results) {
    // Each task either ran once or was taken back.
    assertOnce([...results.flat(), ...claimRest(new TaskRing(buffer))], [0, 1]);
  },
});

/**
 * Like {@linkcode open}, but at the end of a lap in which thread 1 has not yet given back the first
 * slot.
 */
function openNextLap(shared: { buffer: SharedArrayBuffer }, thread: number): TaskRing {
  const ring = open(shared, thread);
  if (!(ring instanceof OwnedTaskRing)) return ring;
  for (let number = 0; number < SLOTS; number++) {
    publish(ring);
    ring.claim(1);
    if (number > 0) ring.release(number, 1);
  }
  return ring;
}

const nextLap = defineModel({
  name: "TaskRing: next lap",
  threads: 3,
  setUp: () => ({ buffer: new OwnedTaskRing().buffer }),
  open: openNextLap,
  thread(thread, ring) {
    if (ring instanceof OwnedTaskRing) return publish(ring) ? [-1] : [];
    if (thread === 1) ring.release(0, 1);
    return claim(ring, thread);
  },
  check({ buffer }, [published, ...claimed]) {
    const expected = published.length === 0 ? [] : [SLOTS];
    assertOnce([...claimed.flat(), ...claimRest(new TaskRing(buffer))], expected);
  },
});

const givenUp = defineModel({
  name: "TaskRing: given up",
  threads: 3,
  // Each look at a slot is a step.
  preemptions: 1,
  setUp: () => ({ buffer: new OwnedTaskRing().buffer }),
  open: openNextLap,
  // The first slot still belongs to thread 1, which is given up and reads on; by then, thread 2 has
  // its worker number.
  thread(thread, ring) {
    if (ring instanceof OwnedTaskRing) {
      const taken = ring.recover(1).length === 0 ? [] : [0];
      return publish(ring) ? [...taken, -1] : taken;
    }
    return thread === 1 ? read(ring, 1, 0) : claim(ring, 1);
  },
  check({ buffer }, [owner, first, second]) {
    const expected = owner.includes(-1) ? [0, SLOTS] : [0];
    const back = owner.filter((number) => number >= 0);
    assertOnce([...back, ...first, ...second, ...claimRest(new TaskRing(buffer))], expected);
  },
});

/** See `models.ts`. */
export const models: readonly Model[] = [publishAndCancel, nextLap, givenUp];
