/** Nodes that start before their Redis does, and several that share a port. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { freePort } from "../support/free-port.ts";
import { sendSigned } from "../support/http-request.ts";
import { metricOf, nodeAt, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import { listening, nodeConfig, spawnPipit, startPipitProcess } from "../support/pipit-process.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

async function readiness(port: number): Promise<{ status: number; reasons: readonly string[] }> {
  const reply = await fetch(`http://127.0.0.1:${port}/health/ready`);
  const { reasons } = (await reply.json()) as { reasons: readonly string[] };
  return { status: reply.status, reasons };
}

test("without Redis a node is alive and not ready, says why, and joins when Redis comes", async (t) => {
  const redis = await startRedis(t);
  await redis.stop();
  const port = await freePort();
  const node = spawnPipit(t, nodeConfig({}, { port, redis: { url: redis.url } }));
  await until("the log says why", () => /redis is away/.test(node.output()));
  assert.match(node.output(), /ECONNREFUSED/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200);
  const { status, reasons } = await readiness(port);
  assert.equal(status, 503);
  assert.match(reasons.join(" "), /starting.*Redis cannot be reached/);
  const read = await sendSigned(port, { method: "GET", path: "/channels" });
  assert.equal(read.status, 503, "it does not answer from drivers of its own");
  assert.doesNotMatch(node.output(), /is listening/);

  await redis.restart();
  await listening(node);
  assert.deepEqual(await readiness(port), { status: 200, reasons: [] });
  await subscribe(await openRawSocket(t, port, `/app/${APP.key}?protocol=7`), "room");
  // Others may have waited with it, and be about to tell what they hold: it refuses reads until they had the time.
  const reads = () => sendSigned(port, { method: "GET", path: "/channels" });
  assert.equal((await reads()).status, 503);
  const { json } = await until("reads are answered", async () => {
    const reply = await reads();
    return reply.status === 200 && reply;
  });
  assert.deepEqual(json, { channels: { room: {} } });
});

test("a Redis that may throw away state makes a node say that it is not well", async (t) => {
  const cluster = await startNodes(t, 1, { redisArgs: ["--maxmemory-policy", "allkeys-lru"] });
  const node = nodeAt(cluster, 0);
  const { status, reasons } = await readiness(node.port);
  assert.equal(status, 200);
  assert.match(reasons.join(), /maxmemory-policy allkeys-lru/);
  assert.equal(await metricOf(node, "redis_masters", { maxmemory_policy: "allkeys-lru" }), 1);
  assert.equal(await metricOf(node, "degraded"), 1);
});

test("SIGTERM ends a node that waits for Redis, quickly, with 0 and without an error", async (t) => {
  const redis = await startRedis(t);
  await redis.stop();
  const config = nodeConfig({}, { redis: { url: redis.url }, shutdown: { grace_s: 30 } });
  const node = spawnPipit(t, config);
  await until("it waits", () => /redis is away/.test(node.output()));
  const askedMs = performance.now();
  node.kill("SIGTERM");
  assert.equal(await node.exitCode(), 0, node.output());
  assert.ok(performance.now() - askedMs < 3_000);
  assert.doesNotMatch(node.output(), /^pipit:/m);
});

test("a node whose Redis is killed lives on, and logs when that begins and when it ends", async (t) => {
  // With its data: after a loss reads would be refused for 25 s.
  const redis = await startRedis(t, { args: ["--appendonly", "yes", "--appendfsync", "always"] });
  const node = await startPipitProcess(t, nodeConfig({}, { redis: { url: redis.url } }));
  const path = `/app/${APP.key}?protocol=7`;
  const socket = await openRawSocket(t, node.port, path);
  await subscribe(socket, "room");
  await redis.stop();
  socket.send({ event: "pusher:unsubscribe", data: { channel: "room" } });
  await until("the log says so", () => /channel state cannot be written/.test(node.output()));
  await redis.restart();
  await until("the log says that it is over", () => /written again/.test(node.output()));
  const read = () => sendSigned(node.port, { method: "GET", path: "/channels" });
  await until("reads are answered", async () => (await read()).status === 200);
  assert.deepEqual((await read()).json, { channels: {} });
  await socket.settled();
  for (const phrase of ["redis is away", "cannot be written", "written again"]) {
    assert.equal(node.output().split(phrase).length, 2, `${phrase}: once`);
  }
});

test("a node of another number of partitions ends with 1 and says how to go on", async (t) => {
  const redis = { url: (await startRedis(t)).url };
  await startPipitProcess(t, nodeConfig({}, { redis }));
  const other = spawnPipit(t, nodeConfig({}, { redis: { ...redis, partitions: 128 } }));
  assert.equal(await other.exitCode(), 1);
  assert.match(
    other.output(),
    /^pipit: .*has 64 partitions, redis\.partitions is 128: set it to 64/m,
  );
});

test("with reuse_port two processes share the clients of one port and are one server", async (t) => {
  const redis = { url: (await startRedis(t)).url };
  const port = await freePort();
  const shared = nodeConfig({}, { port, reuse_port: true, redis });
  const [first] = await Promise.all([startPipitProcess(t, shared), startPipitProcess(t, shared)]);
  const sockets = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const socket = await openRawSocket(t, port, `/app/${APP.key}?protocol=7`);
      await subscribe(socket, "room");
      return socket;
    }),
  );
  const body = { name: "tick", channel: "room", data: "{}" };
  assert.equal((await sendSigned(port, { path: "/events", body })).status, 200);
  for (const socket of sockets) {
    await socket.frame("everybody hears it", ({ event }) => event === "tick");
  }

  const alone = spawnPipit(t, nodeConfig({}, { port, redis }));
  assert.equal(await alone.exitCode(), 1, "who does not share is refused");
  assert.match(alone.output(), /^pipit: Cannot listen on 127\.0\.0\.1/m);

  first?.kill("SIGKILL");
  await first?.exitCode();
  for (const socket of sockets) socket.send({ event: "pusher:ping", data: {} });
  for (const socket of sockets) {
    await until("it has lost its server or is answered", () => {
      return socket.closed !== undefined || socket.frames.at(-1)?.event === "pusher:pong";
    });
  }
  const left = sockets.filter(({ closed }) => closed === undefined).length;
  assert.ok(left > 0 && left < 40, `${left} of 40 were on the other process`);
  await subscribe(await openRawSocket(t, port, `/app/${APP.key}?protocol=7`), "room");
});
