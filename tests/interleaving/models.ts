/**
 * Finds models: every module in `models/`, and in `self_test/`, exports an array `models`.
 *
 * @module
 */

import type { Model } from "./model.ts";

/** A model, and the address of its module. */
export interface FoundModel {
  readonly model: Model;
  readonly module: string;
}

/** All models of a folder beside this file, sorted by the names of their modules. */
export async function findModels(folder: string): Promise<FoundModel[]> {
  const at = new URL(`${folder}/`, import.meta.url);
  const files = Array.fromAsync(Deno.readDir(at), (entry) => entry.name);
  const modules = (await files).filter((name) => name.endsWith("_models.ts")).sort();
  const found = await Promise.all(modules.map(async (name) => {
    const module = new URL(name, at).href;
    return (await load(module)).map((model) => ({ model, module }));
  }));
  return found.flat();
}

/** One model of a module. */
export async function loadModel(module: string, name: string): Promise<Model> {
  const found = (await load(module)).find((model) => model.name === name);
  if (found === undefined) throw new Error(`Cannot load model "${name}": not in its module`);
  return found;
}

async function load(module: string): Promise<readonly Model[]> {
  return (await import(module)).models;
}
