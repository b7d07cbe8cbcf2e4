/// <reference lib="dom" />
/**
 * The page of the demonstration.
 *
 * @module
 */

import { ThreadPoolExecutor } from "@concurrent/futures";
import { readTheme, type Theme } from "./canvas.ts";
import { drawLanes } from "./lanes.ts";
import { drawPendulums, Pulse } from "./pulse.ts";

// A dynamic import, so that the bundler makes a separate file of it: workers import it too, and
// have no use for the page's code.
const job = await import("./job.ts");

/** About how long a pair takes on this machine; `?each=5` makes a run shorter. */
const PAIR_MS = Number(new URLSearchParams(location.search).get("each") ?? 20);

/** The state of a run. */
interface Run {
  readonly card: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  names: readonly string[];
  log: Int32Array | undefined;
  /** Whether it runs on the main thread. */
  readonly isOnMain: boolean;
  /** When it began, by the clock of `performance.now()`. */
  beganMs: number;
  tookMs: number | undefined;
}

function find<E extends HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

function makeRun(id: string, names: readonly string[]): Run {
  return {
    card: find(id),
    canvas: find(`${id}-lanes`),
    names,
    isOnMain: id === "linear",
    log: undefined,
    beganMs: 0,
    tookMs: undefined,
  };
}

const pulse = new Pulse();
const linear = makeRun("linear", ["main thread"]);
const pool = makeRun("pool", []);
const slider = find<HTMLInputElement>("workers");
const buttons = ["run-both", "run-linear", "run-pool"].map((id) => find<HTMLButtonElement>(id));
let theme: Theme = readTheme();
let pairs: ReturnType<typeof job.makePairs> = [];
/** Whether the lanes, which do not change by themselves, must be drawn again. */
let isStale = true;

function say(text: string): void {
  find("status").textContent = text;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function namesOfWorkers(): string[] {
  return Array.from({ length: Number(slider.value) }, (_, i) => `worker ${i}`);
}

// Drawing

function draw(atMs: number): void {
  pulse.beat(atMs);
  drawPendulums(find("pendulums"), atMs, theme);
  pulse.drawStrip(find("frames"), atMs, theme);
  find("rate").textContent = String(pulse.rate(atMs));
  const isRunning = document.body.dataset.state === "running";
  if (isRunning || isStale) {
    const spanMs = Math.max(
      linear.tookMs ?? 0,
      pool.tookMs ?? 0,
      pairs.length * PAIR_MS,
      isRunning && pool.tookMs === undefined ? performance.now() - pool.beganMs : 0,
    ) * 1.02;
    for (const run of [linear, pool]) drawRun(run, spanMs);
    isStale = false;
  }
  requestAnimationFrame(draw);
}

function drawRun(run: Run, spanMs: number): void {
  const { canvas, names, isOnMain, log, beganMs, tookMs } = run;
  const entries = log === undefined ? [] : job.entriesOf(log);
  const nowMs = log === undefined || tookMs !== undefined ? undefined : performance.now() - beganMs;
  const colors = isOnMain ? [theme.muted] : theme.threads;
  drawLanes(canvas, { names, colors, entries, spanMs, nowMs }, theme);
}

/** Resolves when the page has been drawn in its present state. */
function drawn(): Promise<void> {
  return new Promise((resolve) =>
    requestAnimationFrame(() => requestAnimationFrame(() => resolve()))
  );
}

// Running

async function runLinear(): Promise<void> {
  begin(linear, ["main thread"]);
  say("In a loop on the main thread: the page stands still until it is done.");
  await drawn();
  const jobs = jobsOf(linear);
  const answers: number[] = [];
  for (const each of jobs) answers.push(job.gcd(each));
  await end(linear, answers);
}

async function runPool(): Promise<void> {
  const maxWorkers = Number(slider.value);
  begin(pool, namesOfWorkers());
  say(`On ${maxWorkers} ${maxWorkers === 1 ? "worker" : "workers"}: the page goes on.`);
  await drawn();
  const jobs = jobsOf(pool);
  const executor = new ThreadPoolExecutor({ maxWorkers, threadNamePrefix: "worker" });
  // One pair for each task, so that the workers share the pairs evenly.
  const answers = await executor.map(job.gcd, jobs, { chunksize: 1 }).toArray();
  const isOver = end(pool, answers);
  await executor.shutdown();
  await isOver;
}

function begin(run: Run, names: readonly string[]): void {
  run.names = names;
  run.log = undefined;
  run.tookMs = undefined;
  run.card.dataset.done = "false";
  for (const figure of run.card.querySelectorAll("[data-figure]")) figure.textContent = "…";
  find("verdict").hidden = true;
}

/** Begins a run now, with a new log. Returns its jobs, one for each pair. */
function jobsOf(run: Run): Parameters<typeof job.gcd>[0][] {
  const log = run.log = job.createLog();
  run.beganMs = performance.now();
  const beganMs = job.nowMs();
  return pairs.map((pair, index) => ({ index, pair, log, beganMs }));
}

async function end(run: Run, answers: readonly number[]): Promise<void> {
  const endedMs = performance.now();
  run.tookMs = endedMs - run.beganMs;
  // Only now is the frame over that the run kept waiting.
  await drawn();
  const { frames, longestMs } = pulse.between(run.beganMs, endedMs);
  const right = answers.filter((answer, i) => answer === job.euclid(pairs[i])).length;
  const figures: Record<string, string> = {
    took: seconds(run.tookMs),
    longest: longestMs < 1000 ? `${Math.round(longestMs)} ms` : seconds(longestMs),
    frames: String(frames),
    right: `${right} of ${pairs.length}`,
  };
  for (const [name, text] of Object.entries(figures)) {
    run.card.querySelector(`[data-figure=${name}]`)!.textContent = text;
  }
  run.card.dataset.done = "true";
  // For programs that drive this page, such as tests.
  Object.assign(run.card.dataset, { tookMs: run.tookMs, longestMs, frames, right });
  run.canvas.ariaLabel = `${pairs.length} bars in ${run.names.length} lanes, ${figures.took}`;
  isStale = true;
}

function compare(): void {
  const verdict = find("verdict");
  if (linear.tookMs === undefined || pool.tookMs === undefined) return;
  const times = linear.tookMs / pool.tookMs;
  const workers = pool.names.length;
  verdict.textContent = times >= 1.1
    ? `${times.toFixed(1)} times as fast on ${workers} workers, and the page stayed alive.`
    : `As fast as the loop on ${
      workers === 1 ? "one worker" : `${workers} workers`
    }, but the page stayed alive.`;
  verdict.hidden = false;
}

/** Runs the steps, with all controls disabled meanwhile. */
async function perform(steps: readonly (() => Promise<void>)[]): Promise<void> {
  document.body.dataset.state = "running";
  for (const control of [...buttons, slider]) control.disabled = true;
  try {
    for (const step of steps) await step();
    compare();
    say("Done. Move the slider, and run again.");
    document.body.dataset.state = "done";
  } catch (error) {
    say(String(error));
    document.body.dataset.state = "failed";
  } finally {
    for (const control of [...buttons, slider]) control.disabled = false;
  }
}

// Controls

function setWorkers(): void {
  find("workers-value").textContent = slider.value;
  if (pool.log === undefined) pool.names = namesOfWorkers();
  isStale = true;
}

const THEMES = ["auto", "light", "dark"];

function setTheme(name: string): void {
  document.documentElement.dataset.theme = name;
  find("theme-name").textContent = name;
  theme = readTheme();
  isStale = true;
}

async function start(): Promise<void> {
  const cores = navigator.hardwareConcurrency;
  slider.max = String(Math.max(4, Math.min(16, 2 * cores)));
  slider.value = String(Math.max(2, Math.min(Number(slider.max), cores)));
  find("cores").textContent = `this machine has ${cores} ${cores === 1 ? "core" : "cores"}`;
  find("count").textContent = String(job.PAIRS);
  setTheme("auto");
  setWorkers();
  slider.addEventListener("input", setWorkers);
  find("theme").addEventListener("click", () => {
    const current = THEMES.indexOf(document.documentElement.dataset.theme ?? "auto");
    setTheme(THEMES[(current + 1) % THEMES.length]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme = readTheme();
    isStale = true;
  });
  addEventListener("resize", () => isStale = true);
  const [both, alone, threads] = buttons;
  both.addEventListener("click", () => perform([runLinear, runPool]));
  alone.addEventListener("click", () => perform([runLinear]));
  threads.addEventListener("click", () => perform([runPool]));
  requestAnimationFrame(draw);
  await drawn();
  pairs = job.makePairs(PAIR_MS);
  isStale = true;
  for (const control of buttons) control.disabled = false;
  say(`Ready: ${job.PAIRS} pairs, some ${PAIR_MS} ms each.`);
  document.body.dataset.state = "ready";
}

start();
