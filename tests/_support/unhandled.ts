/** Collects rejections that nobody handles, so that they do not make the test fail. */

/** The reasons of the rejections so far, until the end of the `using` block. */
export class UnhandledRejections implements Disposable {
  readonly reasons: unknown[] = [];
  readonly #listener = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    this.reasons.push(event.reason);
    this.#onNext?.();
  };
  #onNext: (() => void) | undefined;

  constructor() {
    addEventListener("unhandledrejection", this.#listener);
  }

  /** Resolves once there are that many: the runtime reports them in some later turn. */
  async reach(count: number): Promise<void> {
    while (this.reasons.length < count) {
      await new Promise<void>((resolve) => this.#onNext = resolve);
    }
  }

  [Symbol.dispose](): void {
    removeEventListener("unhandledrejection", this.#listener);
  }
}
