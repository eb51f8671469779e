/** Redis loses everything, and a node with another number of partitions is the first to come after that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { nodeAt, startNodes } from "../support/nodes.ts";
import type { Pipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

/** Longer than from one heartbeat to the next. */
const WITHIN_MS = 10_000;

async function readiness(node: Pipit) {
  const reply = await fetch(node.url("/health/ready"));
  const { reasons } = (await reply.json()) as { reasons: readonly string[] };
  return { status: reply.status, reasons };
}

test("a node whose key prefix others have taken is not ready, serves on, and is well when it has it again", async (t) => {
  const cluster = await startNodes(t, 1);
  const node = nodeAt(cluster, 0);
  const client = await node.raw();
  await subscribe(client, "room");
  await cluster.redis.call("HSET", "pipit:meta", "partitions", 8);
  await until("it is not ready", async () => (await readiness(node)).status === 503, WITHIN_MS);
  assert.deepEqual((await readiness(node)).reasons, [
    "Redis belongs to another deployment, the log says which.",
  ]);
  assert.equal((await fetch(node.url("/health/live"))).status, 200);
  const body = { name: "tick", channel: "room", data: "{}" };
  assert.equal((await sendSigned(node.port, { path: "/events", body })).status, 200);
  await client.frame("its clients are served", ({ event }) => event === "tick");

  await cluster.redis.call("HSET", "pipit:meta", "partitions", 64);
  await until("it is ready", async () => (await readiness(node)).status === 200, WITHIN_MS);
  assert.deepEqual((await readiness(node)).reasons, []);
  assert.equal(client.closed, undefined);
});

test("after a flush the key of the deployment is there again before a heartbeat is over", async (t) => {
  const cluster = await startNodes(t, 1);
  await cluster.redis.call("FLUSHALL");
  const partitions = () => cluster.redis.call("HGET", "pipit:meta", "partitions");
  await until("it is there", async () => (await partitions()) === "64", WITHIN_MS);
});
