import { assertEquals } from "@std/assert";
import { type Deferred, deferred } from "../../executors/cluster/_promises.ts";
import { Removals } from "../../executors/cluster/_removals.ts";
import { test } from "../_support/leaks.ts";

const PATIENCE_MS = 100;

/** Jobs in one message. */
const BATCH = 500;

const nothing = () => Promise.resolve();

test("Removals tells the broker of the jobs of one turn at once, and of those in a host's hands", async () => {
  const told: string[][] = [];
  const abandoned: string[] = [];
  const removals = new Removals({
    remove: (ids) => {
      told.push([...ids]);
      return Promise.resolve(ids.filter((id) => id === "b"));
    },
    abandon: (id) => Promise.resolve(void abandoned.push(id)),
  });
  for (const id of ["a", "b", "a"]) removals.add(id);
  assertEquals(told, []);
  await removals.settled(PATIENCE_MS);
  assertEquals(told, [["a", "b"]]);
  assertEquals(abandoned, ["b"]);
});

test("Removals.settled() resolves although the broker refuses", async () => {
  const removals = new Removals({
    remove: () => Promise.reject(new Error("read only")),
    abandon: nothing,
  });
  removals.add("a");
  await removals.settled(PATIENCE_MS);
});

test("Removals.settled() waits while there are answers, and no longer", async () => {
  const MESSAGES = 12;
  const answers: Deferred<string[]>[] = [];
  let asked = deferred<void>();
  const removals = new Removals({
    remove: () => {
      const answer = deferred<string[]>();
      answers.push(answer);
      asked.resolve();
      return answer.promise;
    },
    abandon: nothing,
  });
  for (let i = 0; i < MESSAGES * BATCH; i++) removals.add(`${i}`);
  let isSettled = false;
  // Shorter than the patience, so that this time is up first however busy the machine is.
  const pause = () => new Promise((resolve) => setTimeout(resolve, PATIENCE_MS / 4));
  let paused = pause();
  const settled = removals.settled(PATIENCE_MS).then(() => isSettled = true);
  for (let i = 0; i < MESSAGES - 1; i++) {
    await asked.promise;
    asked = deferred<void>();
    await paused;
    paused = pause();
    answers[i].resolve([]);
    assertEquals(isSettled, false);
  }
  // The last message stays without an answer.
  await settled;
  assertEquals(answers.length, MESSAGES);
  answers[MESSAGES - 1].resolve([]);
  await new Removals({ remove: () => Promise.resolve([]), abandon: nothing }).settled(PATIENCE_MS);
});
