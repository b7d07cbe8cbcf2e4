import { testSleeping } from "./_sleeping_suite.ts";

testSleeping("processes", { noun: "processes", reportsByHand: true });
