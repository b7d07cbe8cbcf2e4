/**
 * The block of arguments that a worker holds when it is given up: which side gives it back.
 *
 * @module
 */

import { Arena, ArenaView } from "../../../_memory/arena.ts";
import { WORD_BYTES, WORKER } from "../../../_memory/layout.ts";
import { load } from "../../../_platform/atomics.ts";
import { WorkerState } from "../../../executors/_worker_state.ts";
import { defineModel, type Model } from "../model.ts";

/** Memory for a block of one word, and for no other. */
const ARENA_BYTES = 16;
const BLOCK_BYTES = 4;
const BLOCK = ARENA_BYTES - 8;

/** What the worker has to read, and what another one has to. */
const ITS_OWN = 1;
const ANOTHERS = 2;

interface Shared {
  readonly state: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
}

interface View {
  readonly state: WorkerState;
  readonly arena: ArenaView;
}

const heldBlock = defineModel({
  name: "WorkerState: held block",
  threads: 2,
  preemptions: 3,
  setUp: (): Shared => ({
    state: new SharedArrayBuffer(new WorkerState().buffer.byteLength),
    arena: new SharedArrayBuffer(ARENA_BYTES, { maxByteLength: ARENA_BYTES }),
  }),
  open(shared, thread): View {
    const state = new WorkerState(shared.state);
    if (thread === 1) return { state, arena: new ArenaView(shared.arena) };
    const arena = new Arena(shared.arena);
    state.hold(arena.allocate(BLOCK_BYTES));
    arena.words[BLOCK / WORD_BYTES] = ITS_OWN;
    return { state, arena };
  },
  thread(_, { state, arena }: View): string {
    if (arena instanceof Arena) {
      const block = state.takeBlock();
      if (block !== 0) arena.release(block);
      if (arena.allocate(BLOCK_BYTES) < 0) return "no room";
      arena.words[BLOCK / WORD_BYTES] = ANOTHERS;
      return "another's";
    }
    if (!state.beginReading(BLOCK)) return "taken";
    const found = load(arena.words, BLOCK / WORD_BYTES);
    if (found !== ITS_OWN) throw new Error(`the worker reads ${found}`);
    arena.release(BLOCK);
    return state.endReading(BLOCK) ? "read" : "left";
  },
  check({ state, arena }, [owner, worker]) {
    const isFree = load(new Int32Array(arena), 0) === 0;
    if (isFree !== (owner === "no room")) throw new Error(`${owner}, ${worker}, free: ${isFree}`);
    if (worker === "taken" && isFree) throw new Error("nobody has it, and it was not free");
    const held = load(new Int32Array(state), WORKER.HELD);
    if (held !== 0) throw new Error(`held: ${held}`);
  },
});

/** See `models.ts`. */
export const models: readonly Model[] = [heldBlock];
