/** The servers and the proxy that the tests of the cluster use do what they promise. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { test } from "./_support/leaks.ts";
import { startProxy } from "./_support/proxy.ts";
import { until } from "./_support/processes.ts";
import { NEEDS_REDIS, startRedis } from "./_support/redis.ts";

/**
 * Sends a line to a port, and returns the first part of the answer; `undefined` when the connection
 * ends without one.
 */
async function ask(connection: Deno.Conn, line: string): Promise<string | undefined> {
  await connection.write(new TextEncoder().encode(`${line}\r\n`));
  const buffer = new Uint8Array(100);
  const count = await connection.read(buffer);
  return count === null ? undefined : new TextDecoder().decode(buffer.subarray(0, count));
}

for (const persistent of [true, false]) {
  test(
    `startRedis() (persistent: ${persistent}) ${
      persistent ? "keeps" : "loses"
    } what it was told when it is killed`,
    NEEDS_REDIS,
    async () => {
      await using redis = await startRedis({ persistent });
      await redis.command("SET", "key", "value");
      await redis.kill();
      await assertRejects(() => redis.command("GET", "key"), Error, "Cannot run GET");
      await redis.restart();
      assertEquals(await redis.command("GET", "key"), persistent ? "value" : "");
    },
  );
}

test("startRedis({ maxmemory }) refuses to store more", NEEDS_REDIS, async () => {
  await using redis = await startRedis({ maxmemory: 500_000 });
  assertEquals(await redis.info("maxmemory"), 500_000);
  await assertRejects(() => redis.command("SET", "key", "value"), Error, "OOM");
});

test("startRedis({ tls }) speaks TLS only, as localhost", NEEDS_REDIS, async () => {
  await using redis = await startRedis({ tls: true });
  assert(redis.url.startsWith("rediss://localhost:"));
  using connection = await Deno.connectTls({
    hostname: "localhost",
    port: redis.port,
    caCerts: [redis.ca!],
  });
  assertEquals(await ask(connection, "PING"), "+PONG\r\n");
  using stranger = await Deno.connectTls({ hostname: "localhost", port: redis.port });
  await assertRejects(() => stranger.handshake(), Error, "UnknownIssuer");
});

test("startRedis({ user }) lets nobody in without a password", NEEDS_REDIS, async () => {
  const user = { name: "reader", password: "secret", rules: "~a:* -@all +get +ping" };
  await using redis = await startRedis({ user });
  await redis.command("SET", "a:1", "value");
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: redis.port });
  assertStringIncludes((await ask(connection, "PING"))!, "-NOAUTH");
  assertEquals(await ask(connection, "AUTH reader secret"), "+OK\r\n");
  assertEquals(await ask(connection, "GET a:1"), "$5\r\nvalue\r\n");
  assertStringIncludes((await ask(connection, "GET b:1"))!, "-NOPERM");
});

test("startProxy() carries, cuts, swallows and recovers", NEEDS_REDIS, async () => {
  await using redis = await startRedis();
  await using proxy = startProxy(redis.port);
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  using first = await connect();
  assertEquals(await ask(first, "PING"), "+PONG\r\n");
  proxy.cut();
  assertEquals(await first.read(new Uint8Array(1)), null);

  using second = await connect();
  assertEquals(await ask(second, "PING"), "+PONG\r\n");
  proxy.blackHole();
  using third = await connect();
  let answers = 0;
  // The connection is accepted in a turn of its own.
  await until(() => proxy.connections === 2);
  const swallowed = [second, third].map((connection) =>
    ask(connection, "PING").then(() => answers++, () => {})
  );
  proxy.recover();
  using fourth = await connect();
  assertEquals(await ask(fourth, "PING"), "+PONG\r\n");
  assertEquals(answers, 0);
  proxy.cut();
  await Promise.all(swallowed);
});
