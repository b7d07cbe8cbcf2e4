import { testSleeping } from "./_sleeping_suite.ts";

testSleeping("sleep_threads", { noun: "threads", reportsByHand: false });
