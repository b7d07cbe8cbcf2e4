/** Modules that cannot be loaded or used: their text, and what the error says. */

export const UNLOADABLE: Record<string, { text: string; says: string }> = {
  "throws at its top level": {
    text: `throw new RangeError("not today"); export function run() {}`,
    says: "not today",
  },
  "rejects at its top level": {
    text: `await Promise.reject(new RangeError("not ever")); export function run() {}`,
    says: "not ever",
  },
  "throws undefined at its top level": {
    text: `throw undefined; export function run() {}`,
    says: "failed to import",
  },
  "has a syntax error": { text: "export function run( {", says: "failed to import" },
  "imports a file that is missing": {
    text: `import "./nowhere.ts"; export function run() {}`,
    says: "nowhere.ts",
  },
  "imports a name that is missing": {
    text: `import { nothing } from "node:path"; nothing(); export function run() {}`,
    says: "nothing",
  },
  "does not export the task": { text: "export function walk() {}", says: '"run"' },
  "exports something else under the task's name": {
    text: "export const run = 42;",
    says: '"run"',
  },
};
