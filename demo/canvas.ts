/// <reference lib="dom" />
/**
 * Canvases as sharp as the screen, and the colours of the page for what is drawn on them.
 *
 * @module
 */

/** The colours and the font of the style sheet. */
export interface Theme {
  readonly text: string;
  readonly muted: string;
  readonly lane: string;
  readonly good: string;
  readonly late: string;
  readonly bad: string;
  readonly threads: readonly string[];
  readonly font: string;
}

const THREADS = 8;

/** Reads the colours and the font that currently apply. */
export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("i");
  document.body.append(probe);
  const color = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const theme: Theme = {
    text: color("text"),
    muted: color("muted"),
    lane: color("lane"),
    good: color("good"),
    late: color("late"),
    bad: color("bad"),
    threads: Array.from({ length: THREADS }, (_, i) => color(`thread-${i}`)),
    font: `12px ${style.getPropertyValue("--font")}`,
  };
  probe.remove();
  return theme;
}

/** A cleared canvas, measured in CSS pixels. */
export interface Prepared {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
}

/**
 * Clears a canvas, and fits its resolution to the screen's.
 *
 * @param height The height in CSS pixels. Default: that of the style sheet.
 */
export function prepare(canvas: HTMLCanvasElement, height?: number): Prepared {
  if (height !== undefined && canvas.style.height !== `${height}px`) {
    canvas.style.height = `${height}px`;
  }
  const { clientWidth, clientHeight } = canvas;
  const ratio = devicePixelRatio;
  const pixelWidth = Math.round(clientWidth * ratio);
  const pixelHeight = Math.round(clientHeight * ratio);
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
    canvas.width = pixelWidth;
    canvas.height = pixelHeight;
  }
  const context = canvas.getContext("2d")!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, clientWidth, clientHeight);
  return { context, width: clientWidth, height: clientHeight };
}
