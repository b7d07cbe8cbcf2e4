/** How pools of threads and of processes refuse options that they cannot work with. */

import { assertThrows } from "@std/assert";
import { test } from "../_support/leaks.ts";

/** Registers the test for the pool of this name, which `make` makes. */
export function refusesBadOptions(name: string, make: (options: object) => unknown): void {
  test(`${name}() refuses bad options`, () => {
    const refused = (options: object, text: string): void => {
      assertThrows(() => make(options), Error, text);
    };
    refused(4 as unknown as object, "expected options such as { maxWorkers: 2 }, got 4");
    refused({ maxWorkers: 0 }, "maxWorkers must be greater than 0");
    refused({ maxWorkers: -1 }, "maxWorkers must be greater than 0");
    refused({ maxWorkers: 1.5 }, "maxWorkers must be an integer, got 1.5");
    refused({ maxWorkers: "5" }, 'maxWorkers must be an integer, got "5"');
    refused({ maxWorkers: [] }, "maxWorkers must be an integer, got Array");
    refused({ maxWorkers: 256 }, "maxWorkers must be at most 255");
    refused({ maxTasksPerChild: 0 }, "maxTasksPerChild must be greater than 0");
    refused({ maxTasksPerChild: "2" }, 'maxTasksPerChild must be an integer, got "2"');
    refused({ idleTimeout: -1 }, "Cannot make pool: idleTimeout must be 0 or more");
    refused({ idleTimeout: "5" }, "Cannot make pool: idleTimeout must be a number");
    refused({ threadNamePrefix: Symbol("a") }, "threadNamePrefix must be a string, got Symbol(a)");
    refused({ initializer: "run" }, 'initializer must be a function, got "run"');
    refused({ initargs: "log.txt" }, 'Cannot make pool: initargs must be an array, got "log.txt"');
    refused({ initializer: () => {}, initargs: 4 }, "initargs must be an array, got 4");
    refused({ onWorkerLost: "ignore" }, "onWorkerLost");
  });
}
