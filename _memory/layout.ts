/**
 * Size and word names of every shared block, in one table. All words are 32 bits. Words that are
 * often written by different threads lie {@linkcode LINE} words apart, so that they do not share a
 * cache line.
 *
 * @module
 */

/** Words in a cache line of 64 bytes. */
export const LINE = 16;

/** Bytes in a word. */
export const WORD_BYTES: number = Int32Array.BYTES_PER_ELEMENT;

/**
 * Head of the table of threads; see `thread_table.ts`. The threads' places follow it, then the
 * nodes.
 */
export const THREAD_TABLE = {
  /** Two random words, the same however a reference to the table arrived: they identify it. */
  IDENTITY: 0,
  /** Threads that have ended or were given up, modulo 2^32. */
  DEATHS: 2,
  /** Where the search for a free place begins. */
  NEXT: 3,
  /** One more than the highest place ever taken. */
  HIGHEST: 4,
  /** Chunks of nodes ever handed out. */
  CHUNKS: 5,
  /** Chunks given back: index of the first one plus 1, and a tag in the upper half. */
  FREE_CHUNKS: 6,
  /** Id of the main thread, 0 where it has no place. Written once, by that thread. */
  MAIN: 7,
  /** How many numbers for threads' names were given out. */
  NUMBERED: 8,
  SIZE: LINE,
} as const;

/** A thread's place in the table. */
export const THREAD = {
  /** Its doorbell; see `doorbell.ts`. */
  BELL: 0,
  /** The node granted last, behind which the others are chained; 0 when there is none. */
  GRANTED: 1,
  /** Bits of `FLAG`; see `thread_table.ts`. */
  FLAGS: 2,
  /** Id of the thread that starts this one, and that it ends with; 0 for none. */
  HOST: 3,
  /** 1 while the thread is inside latches, where the runtime could stop it; see `inside.ts`. */
  INSIDE: 4,
  /** Which thread sits here: FREE, CLAIMING, an id, or minus an id. */
  ID: LINE,
  /** How many threads have had this place. */
  GENERATION: LINE + 1,
  /** A random number of the thread's own, the same in each table that it has a place in. */
  TOKEN: LINE + 2,
  /** Bytes of the thread's name, which follows in UTF-8. */
  NAME_LENGTH: LINE + 3,
  NAME: LINE + 4,
  SIZE: 2 * LINE,
} as const;

/** A node, which queues for a thread in a list of waiters; see `wait_list.ts`. */
export const NODE = {
  NEXT: 0,
  PREVIOUS: 1,
  /**
   * Number of the list that the node is in, among the lists of its object; 0 when it is in none.
   */
  LIST: 2,
  /** The waiting thread's id. */
  THREAD: 3,
  /** What the waiting thread is granted. */
  GRANT: 4,
  /** The node of the same thread that was granted before it. */
  NEXT_GRANTED: 5,
  /** For the object's own use. */
  ARGUMENT: 6,
  SIZE: 8,
} as const;

/** A list of waiters within an object's words; see `wait_list.ts`. */
export const WAIT_LIST = { HEAD: 0, TAIL: 1, SIZE: 2 } as const;

/** Control block of a task ring; see `task_ring.ts`. The slots follow it. */
export const TASK_RING = {
  /** Number of the next task to be claimed. */
  HEAD: 0,
  /** Workers asleep. */
  SLEEPING: LINE,
  /** Workers awake that are looking for a task. */
  LOOKING: 2 * LINE,
  /** 1 once no further task will be published. */
  CLOSED: 3 * LINE,
  /**
   * Whether the owner wants to be told of the next worker that begins a task: 1 if others wait in
   * the ring then, 2 in any case.
   */
  ASKED: 3 * LINE + 1,
  /** Tasks that processes have returned and none has taken since. */
  RETURNED: 3 * LINE + 2,
  /** 1 while tasks wait at the owner for room. */
  BACKLOG: 3 * LINE + 3,
  /** Workers of the pool, asleep or not. Owned by the owner. */
  WORKERS: 3 * LINE + 4,
  SIZE: 4 * LINE,
} as const;

/** Control block of a record ring; see `record_ring.ts`. The records follow it. */
export const RECORD_RING = {
  /** Words ever written, modulo 2^32. Owned by the writer. */
  WRITTEN: 0,
  /** Words ever read, modulo 2^32. Owned by the reader. */
  READ: LINE,
  /** 1 while the writer sleeps for room. */
  WRITER_WAITS: LINE + 1,
  SIZE: 2 * LINE,
} as const;

/** One worker's block; see `executors/_worker_state.ts`. Two record rings follow it. */
export const WORKER = {
  /** AWAKE, SLEEPING or RETIRED. Written by both sides. */
  STATE: 0,
  /** COMING, ARRIVED, ALIVE or CALLED_OFF. Written by both sides. */
  LIFE: 1,
  /** 1 once the worker is ready to take tasks. */
  READY: 2,
  /**
   * BETWEEN or RUNNING. Written by the worker, like the next three; the last one also by the owner,
   * as it gives the worker up.
   */
  PHASE: LINE,
  /** Number of the task claimed last. */
  CURRENT: LINE + 1,
  /** Index of that task in the owner's table. */
  CURRENT_TASK: LINE + 2,
  /** The block of the arena that its arguments lie in, while the worker has it. */
  HELD: LINE + 3,
  /** How often a task was asked to stop. Written by the owner, like the next one. */
  ABORTS: 2 * LINE,
  /** Number of the task that was last asked to stop. */
  ABORTED: 2 * LINE + 1,
  /** Number of the task that was last begun or taken back, among those that came by the wire. */
  DECIDED: 2 * LINE + 2,
  SIZE: 3 * LINE,
} as const;

/** A lock; see `sync/_lock_words.ts`, and `sync/_rlock_core.ts` for DEPTH and CONTEXT. */
export const LOCK = {
  OWNER: 0,
  WAITERS: 1,
  DEPTH: 2,
  CONTEXT: 3,
  LATCH: LINE,
  WOKEN: LINE + 1,
  LIST: LINE + 2,
  SIZE: 2 * LINE,
} as const;

/** A condition; see `sync/_condition_core.ts`. */
export const CONDITION = { LATCH: 0, LIST: 1, SIZE: LINE } as const;

/** A semaphore; see `sync/_semaphore_core.ts`. */
export const SEMAPHORE = {
  VALUE: 0,
  WAITERS: 1,
  BOUND: 2,
  LATCH: LINE,
  WOKEN: LINE + 1,
  DEATHS: LINE + 2,
  LIST: LINE + 3,
  SIZE: 2 * LINE,
} as const;

/** An event; see `sync/_event_core.ts`. */
export const EVENT = { IS_SET: 0, LATCH: 1, LIST: 2, SIZE: LINE } as const;

/** A barrier; see `sync/_barrier_words.ts`. */
export const BARRIER = {
  PARTIES: 0,
  HAS_ACTION: 1,
  STATE: 2,
  COUNT: 3,
  ROUND: 4,
  ACTING: 5,
  LATCH: 6,
  LIST: 7,
  GATE: 9,
  SIZE: LINE,
} as const;

/** A value; see `sync/_value_core.ts`. The number has a cache line of its own; its lock follows. */
export const VALUE = { NUMBER: 0, LOCK: LINE, SIZE: LINE + LOCK.SIZE } as const;

/**
 * Control block of a queue; see `queue/_state.ts`. Its blocks follow it. Each put needs one cache
 * line, which also has the latch for puts; each take needs another. Between them are the words that
 * both read, and that neither writes as a rule.
 */
export const QUEUE = {
  PUT_LATCH: 0,
  /** Items ever put. */
  PUTS: 1,
  /** TAKES, as last seen by a thread that puts. */
  TAKES_SEEN: 2,
  /** Items put and not yet reported done. */
  UNFINISHED: 3,
  /** Where items are added; see `queue/_segments.ts`. */
  LAST: 4,
  OPEN: 5,
  OPEN_END: 6,

  MAXSIZE: LINE,
  STATE: LINE + 1,
  GETTERS: LINE + 2,
  PUTTERS: LINE + 4,
  JOINERS: LINE + 6,
  /** Waiters of each side that were woken and have not tried yet. */
  WOKEN_GETTERS: LINE + 8,
  WOKEN_PUTTERS: LINE + 9,
  /** DEATHS of the table of threads when waiters were last counted as woken. */
  DEATHS: LINE + 10,
  /** Large items that are being read in place. */
  HELD: LINE + 11,

  TAKE_LATCH: 2 * LINE,
  /** Items ever taken, or discarded. */
  TAKES: 2 * LINE + 1,
  /** PUTS, as last seen by a thread that takes. */
  PUTS_SEEN: 2 * LINE + 2,
  /** Where the next item is, if it is in a segment; see `queue/_segments.ts`. */
  NEXT: 2 * LINE + 3,
  /** What the order of the items needs; see `queue/_order.ts`. */
  ORDER: 2 * LINE + 4,

  /** Where the blocks end, and the free ones of each length; see `queue/_heap.ts`. */
  HEAP: 3 * LINE,
  /** Accounts of the threads that take items, one after the other; see {@linkcode ACCOUNT}. */
  ACCOUNTS: 9 * LINE,
  ACCOUNTS_END: 41 * LINE,
  SIZE: 41 * LINE,
} as const;

/** How many items a thread has taken from a queue and not reported done. */
export const ACCOUNT = { THREAD: 0, TAKEN: 1, SIZE: 2 } as const;
