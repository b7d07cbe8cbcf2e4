/**
 * What tests share with their other party, be it a thread or a process: gates, numbers, moments.
 * For a thread these are plain words, so that nothing under test is needed; for a process, which
 * shares no plain memory, they are objects of the package.
 */

import { Value } from "../../sync/mod.ts";
import { blockUntil } from "../sync/_support.ts";
import * as words from "./gate.ts";
import * as objects from "./gate_parts.ts";
import * as signals from "./signals.ts";

// Gates

/** The part of a gate that is passed to tasks. */
export type GatePass = words.GateWords | objects.GateParts;

/** A gate before which tasks wait. The end of its `using` block opens it at the latest. */
export interface AnyGate extends Disposable {
  readonly pass: GatePass;
  /** How many tasks have come to the gate. */
  readonly count: number;
  /** Resolves once `count` tasks have come to the gate. Only one call at a time. */
  entered(count?: number): Promise<void>;
  /** Lets all tasks through, also later ones. */
  open(): void;
}

/** Makes a gate for tasks of this process, or of other processes. */
export function makeGate(isProcess: boolean): AnyGate {
  const [gate, pass] = isProcess ? makeSignals() : makeWords();
  return {
    pass,
    get count() {
      return gate.count;
    },
    entered: (count) => gate.entered(count),
    open: () => gate.open(),
    [Symbol.dispose]: () => gate.open(),
  };
}

function makeWords(): [gate: words.Gate, pass: GatePass] {
  const gate = new words.Gate();
  return [gate, gate.words];
}

function makeSignals(): [gate: signals.Gate, pass: GatePass] {
  const gate = new signals.Gate();
  return [gate, gate.parts];
}

function isWords(pass: GatePass): pass is words.GateWords {
  return ArrayBuffer.isView(pass);
}

/** Reports that a task has come to a gate. */
export function enterGate(pass: GatePass): void {
  if (isWords(pass)) words.enterGate(pass);
  else objects.enterGate(pass);
}

/** Opens a gate. */
export function openGate(pass: GatePass): void {
  if (isWords(pass)) words.openGate(pass);
  else objects.openGate(pass);
}

/** Resolves once a gate is open. */
export function gateOpens(pass: GatePass): Promise<void> {
  return isWords(pass) ? words.gateOpens(pass) : objects.gateOpens(pass);
}

/** Whether a gate is open. */
export function isGateOpen(pass: GatePass): boolean {
  return isWords(pass) ? words.isGateOpen(pass) : objects.isGateOpen(pass);
}

/** Blocks until a gate is open. */
export function gateOpensSync(pass: GatePass): void {
  if (isWords(pass)) words.gateOpensSync(pass);
  else objects.gateOpensSync(pass);
}

// Numbers

/** A number that both parties read and write. */
export type Cell = Int32Array | Value<"i32">;

/** Makes numbers for tasks of this process, or of other processes. */
export function makeCells(isProcess: boolean, count: number): Cell[] {
  const numbers = new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
  return Array.from(numbers, (_, i) => isProcess ? new Value("i32") : numbers.subarray(i, i + 1));
}

/** Reads the number; a plain read where memory is shared. */
export function readCell(cell: Cell): number {
  return cell instanceof Value ? cell.value : cell[0];
}

/** Writes the number; a plain write where memory is shared. */
export function writeCell(cell: Cell, number: number): void {
  if (cell instanceof Value) cell.value = number;
  else cell[0] = number;
}

/** Adds to the number in one step; returns the sum. */
export function addToCell(cell: Cell, number: number): number {
  return cell instanceof Value ? cell.add(number) : Atomics.add(cell, 0, number) + number;
}

// Moments

/**
 * A moment for which a task waits. Only a thread of the process that has the memory can see it:
 * such a thread looks for itself; for another process, a gate opens.
 */
export type Moment = objects.GateParts | undefined;

/** Blocks until the moment has come. */
export function awaitMoment(moment: Moment, isMet: () => boolean): void {
  if (moment === undefined) blockUntil(isMet);
  else objects.gateOpensSync(moment);
}
