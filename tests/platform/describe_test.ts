import { assertEquals } from "@std/assert";
import { describe } from "../../_platform/describe.ts";
import { test } from "../_support/leaks.ts";

class Job {}

test("describe() shows a value so that its type can be seen", () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const CASES: [value: unknown, text: string][] = [
    [5, "5"],
    ["5", '"5"'],
    [5n, "5n"],
    ["", '""'],
    [true, "true"],
    [null, "null"],
    [undefined, "undefined"],
    [Symbol("id"), "Symbol(id)"],
    [[], "Array"],
    [["5"], "Array"],
    [{}, "Object"],
    [Object.create(null), "Object"],
    [new Job(), "Job"],
    [Job, 'function "Job"'],
    [() => {}, "anonymous function"],
    [new AbortController(), "AbortController"],
    [revoked.proxy, "object"],
    ["x".repeat(1000), `"${"x".repeat(99)}...`],
    [Symbol("x".repeat(1000)), `Symbol(${"x".repeat(93)}...`],
  ];
  for (const [value, text] of CASES) assertEquals(describe(value), text);
});
