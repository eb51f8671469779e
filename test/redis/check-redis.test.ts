import assert from "node:assert/strict";
import { test } from "node:test";
import { checkRedis } from "../../src/redis/check-redis.ts";
import { startRedis } from "../support/redis-server.ts";
import { openConnections } from "./open-connections.ts";

test("a Redis that can be used has no problems, and nothing was written there", async (t) => {
  const server = await startRedis(t);
  assert.deepEqual(await checkRedis({ url: server.url }), { problems: [], warnings: [] });
  assert.deepEqual(await server.call("KEYS", "*"), []);
});

test("one that may evict is a warning", async (t) => {
  const server = await startRedis(t, { args: ["--maxmemory-policy", "allkeys-lru"] });
  const { problems, warnings } = await checkRedis({ url: server.url });
  assert.deepEqual(problems, []);
  assert.match(warnings.join(), /allkeys-lru/);
});

test("another deployment's number of partitions is a problem", async (t) => {
  const server = await startRedis(t);
  await openConnections(t, { url: server.url, partitions: 8 });
  const { problems } = await checkRedis({ url: server.url, partitions: 16 });
  assert.match(problems.join(), /has 8 partitions, redis\.partitions is 16/);
  assert.deepEqual((await checkRedis({ url: server.url, partitions: 8 })).problems, []);
});

test("who is not there, does not answer, or wants a password is told of in time, without the password", async (t) => {
  const away = await startRedis(t);
  await away.stop();
  assert.match((await checkRedis({ url: away.url })).problems.join(), /ECONNREFUSED/);
  const hanging = await startRedis(t);
  hanging.suspend();
  assert.match((await checkRedis({ url: hanging.url }, 100)).problems.join(), /100 ms/);
  const locked = await startRedis(t);
  await locked.call("CONFIG", "SET", "requirepass", "right");
  const refused = await checkRedis({ url: locked.url, password: "wrong-password" });
  assert.match(refused.problems.join(), /WRONGPASS/);
  assert.doesNotMatch(refused.problems.join(), /wrong-password/);
  assert.deepEqual((await checkRedis({ url: locked.url, password: "right" })).problems, []);
});
