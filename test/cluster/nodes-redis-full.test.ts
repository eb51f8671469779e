/** Redis is full: what frees its memory must not need any. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { freePort } from "../support/free-port.ts";
import { APP } from "../support/pipit.ts";
import { listening, nodeConfig, spawnPipit, startPipitProcess } from "../support/pipit-process.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

test("when all nodes were killed and Redis is full, those that start deliver what waits", async (t) => {
  const redis = await startRedis(t);
  const receiver = await startReceiver(t, APP);
  receiver.answer = (response) => void response.writeHead(500).end();
  const config = nodeConfig(
    { webhooks: [{ url: receiver.url }] },
    { redis: { url: redis.url }, webhooks: { retry: { initial_ms: 50, max_ms: 200 } } },
  );
  const first = await startPipitProcess(t, config);
  const socket = await openRawSocket(t, first.port, `/app/${APP.key}?protocol=7`);
  await subscribe(socket, "room");
  await until("an attempt has failed", () => receiver.deliveries.length > 0);
  first.kill("SIGKILL");
  await first.exitCode();

  await redis.call("CONFIG", "SET", "maxmemory", "1");
  await assert.rejects(redis.call("SET", "a", "1"), /OOM/);
  const tried = receiver.deliveries.length;
  receiver.answer = (response) => void response.writeHead(200).end();
  await listening(spawnPipit(t, config));
  // The leases of the first end within 6 s.
  await until("it arrives", () => receiver.deliveries.length > tried, 15_000);
  const [event] = receiver.deliveries.at(-1)?.events ?? [];
  assert.deepEqual([event?.name, event?.channel], ["channel_occupied", "room"]);
  await until("nothing waits any more", async () => {
    return ((await redis.call("KEYS", "*:q:*")) as string[]).length === 0;
  });
});

test("a node that a full Redis does not let in says why, and is not ready", async (t) => {
  const redis = await startRedis(t, { args: ["--maxmemory", "1"] });
  const port = await freePort();
  const node = spawnPipit(t, nodeConfig({}, { port, redis: { url: redis.url } }));
  await until("the log says why", () => node.output().includes("let this node join"), 20_000);
  assert.match(node.output(), /Redis refuses it with OOM: it is full, raise its maxmemory/);
  const ready = await fetch(`http://127.0.0.1:${port}/health/ready`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /Redis refuses what a node must write, the log says why/);
  await redis.call("CONFIG", "SET", "maxmemory", "0");
  await listening(node);
  assert.equal(node.output().split("let this node join").length, 2, "once");
});
