/**
 * Bars on a terminal, drawn by cli-progress.
 *
 * The library draws into a stream that this module provides, and this module decides when. The
 * library's own timer would keep the program running, and would stand still while the thread is
 * blocked. No cursor is hidden and no mode of the terminal is changed beyond a frame, so there is
 * nothing to restore, however the program ends.
 *
 * log-update is newer and draws just as well, but it reads environment variables when it is
 * imported: without the permission to read them, that ends the program, or prompts for the
 * permission on the same terminal.
 *
 * @module
 */

import cliProgress from "cli-progress";
import { platform } from "../_platform/mod.ts";
import { wrapConsole } from "./_console.ts";
import type { Meter } from "./_meter.ts";
import { barLine } from "./_text.ts";
import { View } from "./_view.ts";

const INTERVAL_MS = 100;
/** Used if the terminal does not report its size. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/**
 * Lines that are too long are cut, not wrapped: if a line became two, only one of them would be
 * drawn over.
 */
const NO_WRAP = "\x1b[?7l";
const WRAP = "\x1b[?7h";

/** What is used of cli-progress, which comes without types. */
interface Library {
  readonly MultiBar: new (options: object) => MultiBar;
  readonly Format: { BarFormat(fraction: number, style: BarStyle): string };
}

interface MultiBar {
  /** The library's timer, which is set by every drawing. */
  readonly timer: ReturnType<typeof setTimeout> | null;
  create(total: number, start: number, payload: { readonly meter: Meter }): Bar;
  remove(bar: Bar): void;
  /** Writes text above the bars at the next drawing. */
  log(text: string): void;
  update(): void;
  /** Takes the bars off the screen; a drawing brings them back. */
  stop(): void;
}

/** A bar of the library, which only passes back to it. */
type Bar = { readonly payload: object };

interface BarStyle {
  readonly barsize: number;
  readonly barCompleteString: string;
  readonly barIncompleteString: string;
  readonly barGlue: string;
}

const { MultiBar, Format } = cliProgress as Library;

function drawBar(fraction: number, columns: number): string {
  return Format.BarFormat(fraction, {
    barsize: columns,
    barCompleteString: "█".repeat(columns),
    barIncompleteString: "░".repeat(columns),
    barGlue: "",
  });
}

function lineOf(meter: Meter): string {
  // The last column is left free: some terminals move to the next line after it.
  const columns = (platform.standardError.size().columns || DEFAULT_COLUMNS) - 1;
  return barLine(meter.read(), columns, drawBar);
}

class Bars extends View {
  /** What the library has written in the present frame. */
  #frame = "";
  readonly #bars = new Map<Meter, Bar>();
  #made: MultiBar | undefined;
  #isPrinting = false;
  #unwrapConsole: () => void = () => {};

  constructor() {
    super(INTERVAL_MS);
  }

  /**
   * Made for the first bar, not earlier: the library then inspects the process, which takes a
   * while.
   */
  get #multi(): MultiBar {
    return this.#made ??= new MultiBar({
      stream: {
        isTTY: true,
        columns: Infinity,
        write: (text: string) => {
          this.#frame += text;
          return true;
        },
      },
      format: (_options: object, _state: object, { meter }: { meter: Meter }) => lineOf(meter),
      clearOnComplete: true,
      forceRedraw: true,
      linewrap: true,
    });
  }

  override open(meter: Meter, nowMs: number): void {
    if (this.isEmpty) this.#unwrapConsole = wrapConsole((print) => this.#printAbove(print));
    super.open(meter, nowMs);
    this.draw();
  }

  protected override draw(): void {
    this.#inFrame(() => {
      this.#fit();
      this.#multi.update();
    });
  }

  /**
   * Has as many bars as the terminal has room for now, those of the first meters. The others are
   * shown once there is room, or when they are closed.
   */
  #fit(): void {
    const room = (platform.standardError.size().rows || DEFAULT_ROWS) - 1;
    if (this.#bars.size > room) {
      // The library removes them one by one, and would each time draw all that are left.
      this.#multi.stop();
      this.#made = undefined;
      this.#bars.clear();
    }
    for (const meter of this.meters) {
      if (this.#bars.size >= room) break;
      if (!this.#bars.has(meter)) this.#bars.set(meter, this.#multi.create(0, 0, { meter }));
    }
  }

  override close(meter: Meter): void {
    super.close(meter);
    const bar = this.#bars.get(meter);
    this.#bars.delete(meter);
    this.#inFrame(() => {
      this.#fit();
      if (meter.settings.leave) this.#multi.log(lineOf(meter) + "\n");
      if (bar !== undefined) this.#multi.remove(bar);
      this.#multi.update();
      if (this.#bars.size === 0) this.#multi.stop();
    });
    if (this.isEmpty) this.#unwrapConsole();
  }

  /** Takes the bars away while the program prints something, which then appears above them. */
  #printAbove(print: () => void): void {
    if (this.#isPrinting) return print();
    this.#isPrinting = true;
    this.#inFrame(() => this.#multi.stop());
    try {
      print();
    } finally {
      this.#isPrinting = false;
      this.draw();
    }
  }

  /** Lets the library draw, and writes all that it has drawn at once. */
  #inFrame(change: () => void): void {
    change();
    if (this.#multi.timer !== null) clearTimeout(this.#multi.timer);
    const frame = this.#frame;
    this.#frame = "";
    if (frame !== "") platform.standardError.write(NO_WRAP + frame + WRAP);
  }
}

/** The terminal of this program. */
export const bars: View = new Bars();
