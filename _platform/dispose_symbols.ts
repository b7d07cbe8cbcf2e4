/**
 * Defines `Symbol.dispose` and `Symbol.asyncDispose` where they are missing: in contexts of
 * `node:vm` before Node 24, as test runners make them, and in browsers that do not know `using`.
 * There a method `[Symbol.dispose]` would be called "undefined", and no `using` would find it.
 *
 * What compilers make of `using` looks for `Symbol.dispose`; where that is missing, it throws, or
 * looks for `Symbol.for("Symbol.dispose")`. So the symbols get that value: then the method is found
 * either way, also from another copy of this package.
 *
 * A class reads the symbols when it is defined, so this file must have run before. `mod.ts` imports
 * it, on which everything that can be disposed of depends.
 *
 * @module
 */

for (const name of ["dispose", "asyncDispose"]) {
  if (name in Symbol) continue;
  Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
}
