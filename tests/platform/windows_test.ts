/**
 * What can be tested about Windows on another system: the tests run on Linux.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { addedTo } from "../../_platform/_child_process.ts";
import { findConfig, pathOf } from "../../_platform/deno_config.ts";
import { test } from "../_support/leaks.ts";

test("pathOf() writes paths as Windows does: drives, shares, and what is escaped in addresses", () => {
  const CASES: [string, string][] = [
    ["file:///C:/Program%20Files/deno.json", "C:\\Program Files\\deno.json"],
    ["file:///c:/%C3%A9t%C3%A9/", "c:\\été\\"],
    ["file://server/share/p/deno.json", "\\\\server\\share\\p\\deno.json"],
  ];
  for (const [address, path] of CASES) assertEquals(pathOf(new URL(address), true), path);
});

test("pathOf() writes paths as this system does", () => {
  assertEquals(pathOf(new URL("file:///opt/a%20b/%25/d.json")), "/opt/a b/%/d.json");
  assertEquals(pathOf(new URL("file:///C:/d.json"), false), "/C:/d.json");
});

test("a program on a drive that has no configuration finds none", () => {
  for (
    const module of ["file:///C:/x/main.ts", "file:///main.ts", undefined, "https://a.b/c"]
  ) {
    assertEquals(findConfig(module), undefined);
  }
});

test("addedTo() takes names that differ in case for the same name on Windows, and there alone", () => {
  const env = { Path: "old", TEMP: "t", HOME: undefined };
  const added = { PATH: "new" };
  assertEquals(addedTo(env, added, true), { TEMP: "t", HOME: undefined, PATH: "new" });
  assertEquals(addedTo(env, added, false), { ...env, ...added });
  assertEquals(addedTo(env, undefined, true), env);
});
