/** What is said where there is no shared memory. */

import { assertStringIncludes, assertThrows } from "@std/assert";
import { test } from "../_support/leaks.ts";

test("createSharedMemory() names the headers only where they are the reason", async () => {
  const own = globalThis.SharedArrayBuffer;
  let memory: typeof import("../../_platform/memory.ts");
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    const fresh = import.meta.resolve("../../_platform/memory.ts?without");
    memory = await import(fresh);
  } finally {
    Object.defineProperty(globalThis, "SharedArrayBuffer", {
      value: own,
      writable: true,
      configurable: true,
    });
  }
  const notIsolated = "this page is not isolated, so";
  const none = "no SharedArrayBuffer in this kind of thread";
  for (
    const [globals, why] of [
      [{}, notIsolated],
      [{ crossOriginIsolated: false }, notIsolated],
      [{ crossOriginIsolated: true }, none],
      [{ crossOriginIsolated: false, ServiceWorkerGlobalScope: Object }, none],
    ] as const
  ) {
    Object.assign(globalThis, globals);
    try {
      const error = assertThrows(() => memory.createSharedMemory(8), Error, "Cannot share memory");
      assertStringIncludes(error.message, why);
    } finally {
      for (const name of Object.keys(globals)) Reflect.deleteProperty(globalThis, name);
    }
  }
});
