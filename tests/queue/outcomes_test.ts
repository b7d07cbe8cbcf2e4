/**
 * In a process, each member of each class does what it does in a worker thread: the same result,
 * the same error.
 */

import { assertEquals } from "@std/assert";
import { test } from "../_support/leaks.ts";
import { ELSEWHERE, shareProcesses } from "../contracts/elsewhere.ts";
import { differences, membersLeftOut, type Outcome } from "../contracts/outcomes.ts";
import { actsOf, SUBJECTS, tellOutcomes } from "./fixtures/outcome_tasks.ts";

shareProcesses(1);

for (const [name, { Class, make }] of Object.entries(SUBJECTS)) {
  test(`${name}: each member does in a process what it does in a worker`, async () => {
    const acts = actsOf(make());
    assertEquals(membersLeftOut(Class, acts), []);
    const told: Outcome[][] = [];
    for (const elsewhere of ELSEWHERE) {
      await using crew = elsewhere.crew(1);
      told.push(await crew.submit(tellOutcomes, make()));
    }
    const [byWorker, byProcess] = told;
    assertEquals(byWorker.map(([act]) => act), acts);
    assertEquals(differences(byWorker, byProcess), []);
  });
}
