/// <reference lib="dom" />
/**
 * The pulse of the main thread: an animation that it draws, and how long each frame took.
 *
 * @module
 */

import { prepare, type Theme } from "./canvas.ts";

/**
 * The time for a frame at 60 frames a second, and the time above which a frame is late by more than
 * one frame.
 */
const FRAME_MS = 1000 / 60;
const LATE_MS = 2 * FRAME_MS + 1;
const FROZEN_MS = 200;

/** How far back the strip reaches. */
const STRIP_MS = 8000;

/** A frame: when it was drawn, and how long the previous one had been visible. */
interface Frame {
  readonly atMs: number;
  readonly tookMs: number;
}

/** How many frames there were in some time, and the longest. */
export interface FrameCount {
  readonly frames: number;
  readonly longestMs: number;
}

/** Records the frames of the page. */
export class Pulse {
  readonly #frames: Frame[] = [];
  #lastMs: number | undefined;

  /** Records that a frame is drawn. */
  beat(atMs: number): void {
    if (this.#lastMs !== undefined) this.#frames.push({ atMs, tookMs: atMs - this.#lastMs });
    this.#lastMs = atMs;
    while (this.#frames.length > 0 && this.#frames[0].atMs < atMs - 4 * STRIP_MS) {
      this.#frames.shift();
    }
  }

  /** Counts the frames between two moments, at most about half a minute back. */
  between(fromMs: number, toMs: number): FrameCount {
    const seen = this.#frames.filter(({ atMs, tookMs }) => atMs > fromMs && atMs - tookMs < toMs);
    return {
      frames: seen.length,
      longestMs: Math.max(0, ...seen.map(({ tookMs }) => tookMs)),
    };
  }

  /** Returns the number of frames in the last second. */
  rate(nowMs: number): number {
    return this.#frames.filter(({ atMs }) => atMs > nowMs - 1000).length;
  }

  /** Draws the frames of the last seconds: the longer a frame took, the wider and higher it is. */
  drawStrip(canvas: HTMLCanvasElement, nowMs: number, theme: Theme): void {
    const { context, width, height } = prepare(canvas);
    const x = (ms: number): number => width * (1 - (nowMs - ms) / STRIP_MS);
    // From about a tenth of the height for a frame on time to the full height for about half a
    // second.
    const y = (ms: number): number => height * Math.min(1, 0.12 + Math.log2(ms / FRAME_MS) * 0.19);
    context.font = theme.font;
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (const { atMs, tookMs } of this.#frames) {
      if (atMs < nowMs - STRIP_MS) continue;
      const high = Math.max(3, y(tookMs));
      const from = Math.max(0, x(atMs - tookMs));
      const wide = x(atMs) - from;
      const isFrozen = tookMs >= FROZEN_MS;
      context.fillStyle = isFrozen ? theme.bad : tookMs > LATE_MS ? theme.late : theme.good;
      context.fillRect(from, height - high, Math.max(1, wide - 0.5), high);
      if (!isFrozen || wide < 90) continue;
      context.fillStyle = "white";
      context.fillText(`frozen for ${(tookMs / 1000).toFixed(1)} s`, from + wide / 2, height / 2);
    }
  }
}

const PENDULUMS = 21;

/** Draws pendulums of slightly different lengths; a missing frame shows as a jump. */
export function drawPendulums(canvas: HTMLCanvasElement, nowMs: number, theme: Theme): void {
  const { context, width, height } = prepare(canvas);
  const radius = Math.min(9, width / PENDULUMS / 3.2);
  const seconds = nowMs / 1000;
  for (let i = 0; i < PENDULUMS; i++) {
    const x = width * (i + 0.5) / PENDULUMS;
    const swing = Math.sin(2 * Math.PI * seconds * (18 + i * 0.5) / 36);
    const y = height / 2 + swing * (height / 2 - radius - 4);
    context.strokeStyle = theme.lane;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, y);
    context.stroke();
    context.fillStyle = theme.threads[Math.floor(i * theme.threads.length / PENDULUMS)];
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }
}
