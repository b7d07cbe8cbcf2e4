import { channel, initRuntime, move, Mutex, shutdown, spawn } from "multithreading";
import * as functions from "../functions.mjs";

async function outcome(handle) {
  const { ok, value, error } = await handle.join();
  if (ok) return value;
  throw error;
}

/** There is one pool in a program. Functions are sent as their source. */
export function start(maxWorkers) {
  initRuntime({ maxWorkers });
  return {
    call: (name, ...args) => outcome(spawn(move(...args), functions[name])),
    movesAlways: true,
    transfer: (name, args) => outcome(spawn(move(...args), functions[name])),
    end: () => shutdown(),
  };
}

function lockAndRelease(mutex, count) {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) mutex.blockingLock().dispose();
  return performance.now() - startMs;
}

async function lockAndReleaseAsync(mutex, count) {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) (await mutex.lock()).dispose();
  return performance.now() - startMs;
}

function sendAll(sender, count) {
  for (let i = 0; i < count; i++) sender.blockingSend(i);
}

function receiveAll(receiver, count) {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) receiver.blockingRecv();
  return performance.now() - startMs;
}

async function sendAllAsync(sender, count) {
  for (let i = 0; i < count; i++) await sender.send(i);
}

async function receiveAllAsync(receiver, count) {
  const startMs = performance.now();
  for (let i = 0; i < count; i++) await receiver.recv();
  return performance.now() - startMs;
}

export const own = {
  lock: {
    start() {
      initRuntime({ maxWorkers: 2 });
      const mutex = new Mutex();
      return {
        here: (isBlocking, count) =>
          isBlocking ? lockAndRelease(mutex, count) : lockAndReleaseAsync(mutex, count),
        there: (isBlocking, count) =>
          outcome(
            spawn(
              move(mutex, count),
              isBlocking ? lockAndRelease : lockAndReleaseAsync,
            ),
          ),
        end: () => shutdown(),
      };
    },
  },
  queue: {
    start() {
      initRuntime({ maxWorkers: 2 });
      const pass = async (sendFn, receiveFn, count) => {
        const [sender, receiver] = channel(1024);
        const received = outcome(spawn(move(receiver, count), receiveFn));
        const [ms] = await Promise.all([
          received,
          outcome(spawn(move(sender, count), sendFn)),
        ]);
        return ms;
      };
      return {
        blocking: (count) => pass(sendAll, receiveAll, count),
        promise: (count) => pass(sendAllAsync, receiveAllAsync, count),
        end: () => shutdown(),
      };
    },
  },
};
