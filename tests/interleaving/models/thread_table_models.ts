/**
 * The table of threads: places, chunks of nodes, and the stack of granted nodes.
 *
 * @module
 */

import { NODE } from "../../../_memory/layout.ts";
import { ThreadTable } from "../../../_memory/thread_table.ts";
import { defineModel, type Model } from "../model.ts";
import { wipedTable } from "./_seats.ts";
import { assertOneOf } from "./_support.ts";

interface Shared {
  readonly threads: SharedArrayBuffer;
}

function setUp(): Shared {
  return { threads: wipedTable().buffer };
}

function open({ threads }: Shared): ThreadTable {
  return new ThreadTable(threads);
}

function assertDifferent(numbers: readonly number[]): void {
  if (new Set(numbers).size < numbers.length) throw new Error(`one twice: ${numbers}`);
}

/** Each thread takes a place, leaves it, and takes one again: no two ids are ever equal. */
const places = defineModel({
  name: "ThreadTable: places",
  threads: 2,
  setUp,
  open,
  thread(thread, table) {
    return [1, 2].map((round) => {
      const name = `thread ${thread}, round ${round}`;
      const id = table.claim(name);
      if (!table.isAlive(id) || table.nameOf(id) !== name) throw new Error(`${name} is not there`);
      table.leave(id);
      if (table.isAlive(id)) throw new Error(`${name} is still there`);
      return id;
    });
  },
  check({ threads }, ids) {
    assertDifferent(ids.flat());
    assertOneOf(new ThreadTable(threads).deaths, ids.flat().length);
  },
});

/**
 * A thread leaves while it is given up, and its place is taken anew: its death is counted once, or
 * once for each of the two.
 */
const leftAndRetired = defineModel({
  name: "ThreadTable: leave and retire",
  threads: 3,
  preemptions: 3,
  setUp() {
    const table = wipedTable();
    return { threads: table.buffer, id: table.claim("dies") };
  },
  open: ({ id, ...shared }) => ({ table: open(shared), id }),
  thread(thread, { table, id }) {
    if (thread === 0) table.leave(id);
    else if (thread === 1) table.declareDead(id);
    else return table.claim("comes");
    if (table.isAlive(id)) throw new Error("still alive");
    return 0;
  },
  check({ threads, id }, [, , newcomer]) {
    const table = new ThreadTable(threads);
    assertOneOf(
      [table.deaths, table.isAlive(id), table.isAlive(newcomer)],
      [1, false, true],
      [2, false, true],
    );
    table.leave(newcomer);
    // The next two get the two places that were ever used, both free.
    const ids = [table.claim("next"), table.claim("next")];
    assertDifferent([id, newcomer, ...ids]);
  },
});

/**
 * A thread leaves while it is given up, and a place is claimed for one that ends with it: that one
 * is declared dead, with the thread that ends with it in turn.
 */
const hosted = defineModel({
  name: "ThreadTable: host dies",
  threads: 3,
  setUp() {
    const table = wipedTable();
    return { threads: table.buffer, host: table.claim("host") };
  },
  open: ({ host, ...shared }) => ({ table: open(shared), host }),
  thread(thread, { table, host }) {
    if (thread === 0) table.leave(host);
    else if (thread === 1) table.declareDead(host);
    else {
      const child = table.claim("child", 0, host);
      return [child, table.claim("grandchild", 0, child)];
    }
    return [];
  },
  check({ threads }, [, , descendants]) {
    const table = new ThreadTable(threads);
    assertOneOf(descendants.map((id) => table.isAlive(id)), [false, false]);
    assertOneOf([table.deaths], [3], [4]);
  },
});

/**
 * Two chunks are free. One thread takes one; the other takes two if it can, and gives back the
 * first.
 */
const chunks = defineModel({
  name: "ThreadTable: chunks",
  threads: 2,
  preemptions: 3,
  setUp() {
    const table = wipedTable();
    const firsts = [table.takeChunk()[0], table.takeChunk()[0]];
    for (const first of firsts) table.giveChunk(first);
    return { threads: table.buffer };
  },
  open,
  thread(thread, table) {
    const [first] = table.takeChunk();
    if (thread === 0) return first;
    const [second] = table.takeChunk();
    table.giveChunk(first);
    return second;
  },
  check({ threads }, taken) {
    const table = new ThreadTable(threads);
    const rest = [1, 2, 3].map(() => table.takeChunk()[0]);
    assertDifferent([...taken, ...rest]);
  },
});

/**
 * Two threads push two granted nodes each onto the stack of a third, which takes all nodes from it,
 * twice.
 */
const granted = defineModel({
  name: "ThreadTable: granted",
  threads: 3,
  preemptions: 3,
  setUp() {
    const table = wipedTable();
    const id = table.claim("waits");
    const nodes = table.takeChunk().slice(0, 4);
    for (const node of nodes) table.words[node + NODE.THREAD] = id;
    return { threads: table.buffer, id, nodes };
  },
  open: ({ id, nodes, ...shared }) => ({ table: open(shared), id, nodes }),
  thread(thread, { table, id, nodes }) {
    if (thread === 2) return [...takeAll(table, id), ...takeAll(table, id)];
    for (const node of nodes.slice(2 * thread, 2 * thread + 2)) table.pushGranted(node);
    return [];
  },
  check({ threads, id, nodes }, [, , taken]) {
    const all = [...taken, ...takeAll(new ThreadTable(threads), id)];
    assertOneOf(all.sort((a, b) => a - b), nodes);
  },
});

/** Takes all granted nodes of a thread. */
function takeAll(table: ThreadTable, id: number): number[] {
  const nodes: number[] = [];
  for (let node = table.takeGranted(id); node !== 0;) {
    nodes.push(node);
    node = table.words[node + NODE.NEXT_GRANTED];
  }
  return nodes;
}

/** See `models.ts`. */
export const models: readonly Model[] = [places, leftAndRetired, hosted, chunks, granted];
