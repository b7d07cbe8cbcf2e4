/** What the platform for browsers says when a worker cannot start, with a stand-in for `Worker`. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createBrowserPlatform } from "../../_platform/browser.ts";
import type { WorkerThread } from "../../_platform/mod.ts";
import { test } from "../_support/leaks.ts";

/** The platform keeps its ports, as there is one in a thread. */
const KEEPS_PORTS = { sanitizeOps: false, sanitizeResources: false };

const POLICY = "it needs worker-src blob:, in Firefox also 'self', or the package's host";

/** Starts a worker whose constructor is replaced by another; tells its errors to `onError`. */
function startWorker(Stand: unknown, onError: (message: string) => void = () => {}): WorkerThread {
  const own = Object.getOwnPropertyDescriptor(globalThis, "Worker")!;
  const platform = createBrowserPlatform();
  Object.defineProperty(globalThis, "Worker", { value: Stand, configurable: true });
  try {
    return platform.startWorker({
      entry: "worker",
      module: "https://example.org/worker.js",
      bundle: undefined,
      name: "stand-in",
      onError,
    });
  } finally {
    Object.defineProperty(globalThis, "Worker", own);
  }
}

test(
  "A worker that is refused at once is reported with what a policy must allow",
  KEEPS_PORTS,
  () => {
    const refusal = new DOMException("The operation is insecure.", "SecurityError");
    const error = assertThrows(
      () =>
        startWorker(
          class {
            constructor() {
              throw refusal;
            }
          },
        ),
      Error,
      "Cannot start worker: SecurityError: The operation is insecure.; a Content-Security-Policy",
    );
    assertStringIncludes(error.message, POLICY);
    assertStringIncludes(error.message, "a default policy where it requires Trusted Types");
    assertEquals(error.cause, refusal);
  },
);

test(
  "A worker that loads no modules is reported with what a policy must allow",
  KEEPS_PORTS,
  () => {
    const told: string[] = [];
    let worker: { onerror?: (event: object) => void } = {};
    startWorker(
      class {
        constructor() {
          worker = this;
        }
      },
      (message) => told.push(message),
    );
    const modules =
      "TypeError: error loading dynamically imported module: https://example.org/a.js";
    for (const message of ["", modules, "Error: odd"]) {
      worker.onerror!({ message, preventDefault() {} });
    }
    assertEquals(told, [
      `its file "https://example.org/worker.js" could not be loaded, or a Content-Security-Policy forbids the worker: ${POLICY}`,
      `${modules}; a Content-Security-Policy may forbid it: ${POLICY}`,
      "Error: odd",
    ]);
  },
);
