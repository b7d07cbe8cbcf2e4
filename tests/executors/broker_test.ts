/** Calls of objects by other processes: those that come early, and those that none must make. */

import { assert, assertEquals } from "@std/assert";
import { Broker, exportTable, findExports } from "../../executors/_broker.ts";
import { ChildBrokers } from "../../executors/_child_brokers.ts";
import { type ExportNews, Exports } from "../../executors/_exports.ts";
import {
  blockPayload,
  decodePayload,
  type Payload,
  payloadOf,
  writeForProcess,
} from "../../executors/_payload.ts";
import { KIND, type RemoteCall, REPLY } from "../../executors/_protocol.ts";
import { Decoder } from "../../_memory/decoder.ts";
import { Encoder } from "../../_memory/encoder.ts";
import type { Shareable } from "../../_memory/handle.ts";
import { encode } from "../../_memory/message.ts";
import { Deputy } from "../../_memory/seat.ts";
import { ThreadTable } from "../../_memory/thread_table.ts";
import { Queue } from "../../queue/mod.ts";
import { Lock } from "../../sync/mod.ts";
import { test } from "../_support/leaks.ts";
import { turn } from "../contracts/suite.ts";

/** The side that has the objects, and what the other side has been told about them. */
function makeBroker() {
  const news: ExportNews[] = [];
  const exports = new Exports("tests", (told) => news.push(told));
  const encoder = new Encoder();
  writeForProcess(encoder, exports.handleOf);
  const decoder = new Decoder();
  const replies: [kind: number, id: number, value: unknown][] = [];
  const table = new ThreadTable();
  const broker = new Broker(
    new Deputy("child", table.buffer, table.claim("child")),
    (payload: Payload) => decodePayload(decoder, payload) as RemoteCall,
    (kind, id, value) => replies.push([kind, id, value]),
  );
  let calls = 0;
  return {
    broker,
    replies,
    /** The news of an object that is sent when it is first named. */
    newsOf(object: Shareable): ExportNews {
      exports.handleOf(object);
      return news.at(-1)!;
    },
    /** Sends what is no call. */
    say(value: unknown): void {
      broker.call(calls++, blockPayload(encode(encoder, value)));
    },
    call(object: string, method: string, ...args: unknown[]): void {
      const call = { object, method, args, patienceMs: undefined, isBlocking: true };
      broker.call(calls++, blockPayload(encode(encoder, call)));
    },
  };
}

function texts(replies: readonly (readonly unknown[])[]): unknown[] {
  return replies.map(([kind, , value]) => kind === REPLY.THROWN ? String(value) : value);
}

test("a call by another process waits for the news of its object and of those in its arguments", async () => {
  findExports();
  const { broker, replies, newsOf, call } = makeBroker();
  const [queue, lock] = [new Queue<unknown>(), new Lock()];
  const [aboutQueue, aboutLock] = [newsOf(queue), newsOf(lock)];
  call(aboutQueue.object, "qsize");
  await turn();
  assertEquals(replies, []);
  exportTable.learn(aboutQueue);
  await turn();
  assertEquals(texts(replies), [0]);

  call(aboutQueue.object, "tryPut", [lock], undefined);
  // The calls after this one wait their turn.
  call(aboutQueue.object, "qsize");
  await turn();
  assertEquals(texts(replies), [0]);
  exportTable.learn(aboutLock);
  await turn();
  const refusal =
    "a Lock goes to another thread by a message only; send it as an argument of a task";
  assertEquals(texts(replies), [
    0,
    `NotShareableError: Cannot put into Queue: ${refusal}`,
    0,
  ]);

  exportTable.learn({ ...aboutLock, data: undefined });
  call(aboutQueue.object, "tryPut", [lock], undefined);
  assertEquals(
    texts(replies).at(-1),
    "NotShareableError: Cannot use object of another process: that one has let go of it; have it keep the object, or send it again",
  );
  broker.end();
});

test("another process can call the interface of an object, and nothing else of it", () => {
  const { broker, replies, newsOf, call } = makeBroker();
  const about = newsOf(new Queue<unknown>());
  exportTable.learn(about);
  // Some are the core's own; `getSync` would block the thread that serves all processes; and `get`
  // may wait, which this call does not say.
  const others = ["constructor", "toString", "checkCall", "passOn", "data", "getSync", "get"];
  for (const method of others) call(about.object, method);
  assertEquals(
    texts(replies),
    others.map((method) => `TypeError: Cannot call "${method}": another process may not`),
  );
  call(about.object, "qsize");
  assertEquals(texts(replies).at(-1), 0);
  broker.end();
});

test("another process cannot find an object by the name of one that was sent before it", () => {
  const { broker, replies, newsOf, call } = makeBroker();
  const [secret, lock] = [newsOf(new Queue<string>()), newsOf(new Lock())];
  for (const news of [secret, lock]) exportTable.learn(news);
  const [prefix, number, key] = lock.object.split("/");
  const before = `${prefix}/${Number(number) - 1}`;
  assert(secret.object.startsWith(`${before}/`));
  const names = [before, `${before}/${key}`, `${before}/`, "", `${prefix}/x/${key}`];
  for (const name of names) call(name, "tryGet");
  const refusal =
    "NotShareableError: Cannot use object of another process: that one has let go of it; have it keep the object, or send it again";
  assertEquals(texts(replies), names.map(() => refusal));
  broker.end();
});

test("what has not the form of a call is answered with an error, also behind one that waits", async () => {
  const { broker, replies, newsOf, call, say } = makeBroker();
  const about = newsOf(new Lock());
  const good = { object: about.object, method: "locked", args: [] };
  // A list of any length takes a few words.
  const endless: unknown[] = [];
  endless.length = 2 ** 32 - 1;
  const bad = [
    null,
    5,
    {},
    { ...good, args: 5 },
    { ...good, args: endless },
    { ...good, settled: 5 },
    { ...good, settled: endless },
    { ...good, method: "putMany", args: [endless] },
    { ...good, method: "tryPutMany", args: [endless] },
    { ...good, patienceMs: "5" },
  ];
  const answers = [...bad.map(() => "no call"), false];
  const told = (): unknown[] =>
    texts(replies).map((text) => /^TypeError: Cannot/.test(String(text)) ? "no call" : text);
  call(about.object, "locked");
  for (const value of bad) say(value);
  await turn();
  assertEquals(told(), []);
  exportTable.learn(about);
  call(about.object, "locked");
  while (replies.length <= answers.length) await turn();
  assertEquals(told(), [false, ...answers]);
  broker.end();
});

test("the threads of a process take a part of the places for threads, and no more", () => {
  const table = new ThreadTable();
  const answers: unknown[] = [];
  const answer = (line: number, kind: number, _id: number, value: unknown): void => {
    answers.push([line, ...texts([[kind, 0, value]])]);
  };
  const brokers = new ChildBrokers("child", table.buffer, table.claim("child"), answer);
  const call = (line: number): unknown => {
    brokers.receive(line, KIND.CALL, 0, payloadOf(null));
    return answers.pop();
  };
  const most = 256;
  for (let line = 1; line <= most + 1; line++) {
    brokers.lineOpened(line, payloadOf("thread"));
    const [answered, text] = call(line) as [number, string];
    assertEquals([line, answered, /^TypeError/.test(text)], [line, line, line <= most]);
  }
  const last = most + 1;
  assertEquals(call(last), [
    last,
    "RuntimeError: Cannot use object of another process: 256 threads of this one do so already; let one of them end first",
  ]);
  brokers.lineEnded(1);
  assert(String(call(last)).includes("TypeError"));
  brokers.end();
});
