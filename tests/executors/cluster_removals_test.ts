import { assertEquals } from "@std/assert";
import { Asides } from "../../executors/cluster/_asides.ts";
import { deferred } from "../../executors/cluster/_promises.ts";
import { test } from "../_support/leaks.ts";

const PATIENCE_MS = 100;

test("Asides.settled() waits while there are answers, and no longer", async () => {
  const asides = new Asides();
  const last = deferred<void>();
  asides.tell(last.promise);
  let isSettled = false;
  // Shorter than the patience, so that this time is up first however busy the machine is.
  const pause = () => new Promise((resolve) => setTimeout(resolve, PATIENCE_MS / 4));
  let paused = pause();
  const settled = asides.settled(PATIENCE_MS).then(() => isSettled = true);
  for (let i = 0; i < 12; i++) {
    await paused;
    paused = pause();
    asides.answered();
    assertEquals(isSettled, false);
  }
  await settled;
  last.resolve();
  await new Asides().settled(PATIENCE_MS);
});
