/**
 * A thread of a model: runs its part of each schedule that the main thread begins.
 *
 * @module
 */

import type { ControlMemory } from "./control.ts";
import { OUTCOME } from "./control_layout.ts";
import { loadModel } from "./models.ts";
import { setNumbers, type SharedBuffer } from "./shared_buffers.ts";
import { ThreadControl } from "./thread_control.ts";

/** What the main thread sends first. */
export interface Introduction {
  readonly memory: ControlMemory;
  readonly thread: number;
  /** Address of the model's module. */
  readonly module: string;
  readonly name: string;
}

/** What the main thread sends for each schedule. */
export interface Shared {
  readonly shared: unknown;
  readonly buffers: readonly SharedBuffer[];
}

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data }: MessageEvent<Introduction>): Promise<void> => {
  const { memory, thread, module, name } = data;
  const control = new ThreadControl(memory, thread);
  // This comes before any code of the library runs, which may read these values once, when it is
  // loaded.
  Object.defineProperty(performance, "now", { value: () => control.nowMs });
  Object.defineProperty(navigator, "hardwareConcurrency", { value: 1 });
  const { setControl } = await import("./stepped_atomics.ts");
  const model = await loadModel(module, name);

  const run = ({ shared, buffers }: Shared): void => {
    setNumbers(buffers);
    try {
      let view = shared;
      control.prepare(() => view = model.open === undefined ? shared : model.open(shared, thread));
      setControl(control);
      const result = model.thread(thread, view);
      setControl();
      control.end(result);
    } catch (error) {
      setControl();
      control.fail(OUTCOME.THREW, error);
    }
  };
  scope.onmessage = ({ data }: MessageEvent<Shared>): void => run(data);
  scope.postMessage("ready");
};
