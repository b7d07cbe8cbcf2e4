/**
 * Lines of text, for anything but an interactive terminal: for a log.
 *
 * @module
 */

import { platform } from "../_platform/mod.ts";
import type { Meter } from "./_meter.ts";
import { logLine } from "./_text.ts";
import { View } from "./_view.ts";

const INTERVAL_MS = 5_000;

class Lines extends View {
  protected override draw(): void {
    for (const meter of this.meters) this.#write(meter);
  }

  override close(meter: Meter): void {
    super.close(meter);
    if (meter.settings.leave) this.#write(meter);
  }

  #write(meter: Meter): void {
    platform.standardError.write(logLine(meter.read()) + "\n");
  }
}

/** The log of this thread. */
export const lines: View = new Lines(INTERVAL_MS);
