/**
 * A later release of the same schema beside this one: what it may add to messages, to streams and to the state
 * does no harm here, and nothing of its own is lost. The test says itself what such a node would say.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKeys } from "../../src/redis/keys.ts";
import { encodeFrameMessage, messageHeader } from "../../src/redis/message.ts";
import { subscribe } from "../support/commands.ts";
import { metricOf, readFrom } from "../support/nodes.ts";
import { APP, startPipit } from "../support/pipit.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const keys = createKeys();

/** Fields and keys of a partition that this release does not know. */
async function leaveTraces(redis: RedisServer): Promise<void> {
  for (let p = 0; p < keys.partitions; p++) {
    await redis.call("HSET", keys.key(p, "meta"), "#later", "1");
    await redis.call("SET", keys.key(p, "later", APP.id), "1");
  }
}

test("messages of a later format or kind are counted and dropped, and further fields ignored", async (t) => {
  const redis = await startRedis(t);
  await leaveTraces(redis);
  const node = await startPipit(t, {}, { redis: { url: redis.url } });
  const socket = await node.raw();
  await subscribe(socket, "room");
  const topic = keys.topic(APP.id, "room");
  const frame = (event: string) => JSON.stringify({ event, channel: "room", data: "{}" });
  const now = encodeFrameMessage("event", "later", frame("known")).toString("latin1");
  const count = `${messageHeader("subscription_count")}{"count":7,"later":[1]}`;
  for (const message of [
    `\x02${now.slice(1)}`,
    `\x01\x7f${now.slice(2)}`,
    "\x7f",
    "",
    count,
    now,
  ]) {
    assert.equal(await redis.call("PUBLISH", topic, message), 1);
  }
  await socket.frame("what is known is heard", ({ event }) => event === "known");
  const heard = socket.frames.filter(({ channel }) => channel === "room").map(({ event }) => event);
  const told = ["pusher_internal:subscription_succeeded", "pusher_internal:subscription_count"];
  assert.deepEqual(heard, [...told, "known"]);
  assert.equal(await metricOf(node, "node_messages_dropped_total", { reason: "unknown" }), 4);
  assert.deepEqual(await readFrom(node, "/channels"), { channels: { room: {} } });
});

test("webhooks of a kind that only a later release knows are kept for it, others go on", async (t) => {
  const redis = await startRedis(t);
  await leaveTraces(redis);
  const receiver = await startReceiver(t, APP);
  const app = { webhooks: [{ url: receiver.url }] };
  const node = await startPipit(t, app, { redis: { url: redis.url } });
  const partition = keys.partition(APP.id, "room");
  const names = Array.from({ length: 500 }, (_, n) => `room-${n}`);
  const beside = names.filter((name) => keys.partition(APP.id, name) === partition);
  const elsewhere = names.find((name) => keys.partition(APP.id, name) !== partition) ?? "";
  const [before = "", after = ""] = beside;
  const append = async (type: string, channel: string, ...further: readonly string[]) => {
    const json = JSON.stringify({ name: type, channel });
    const event = ["a", APP.id, "c", channel, "t", type, "j", json, ...further];
    await redis.call("XADD", keys.key(partition, "ev"), "*", ...event);
    await redis.call("PUBLISH", keys.wakeTopic(partition), "1");
  };
  const told = () => receiver.events().map(({ name, channel }) => `${name} ${channel}`);

  await append("channel_occupied", before, "later", "1");
  await until("an entry with a further field is told", () => told().length === 1);
  await append("channel_renamed", "room");
  await append("channel_occupied", after);
  const held = () => redis.call("XRANGE", keys.key(partition, "hold", APP.id), "-", "+");
  await until("both wait", async () => ((await held()) as unknown[]).length === 2);
  await subscribe(await node.raw(), elsewhere);
  await until("other partitions go on", () => told().includes(`channel_occupied ${elsewhere}`));
  assert.deepEqual(told(), [`channel_occupied ${before}`, `channel_occupied ${elsewhere}`]);
  assert.equal(await metricOf(node, "webhook_held_events"), 2);
  const kept = ((await held()) as [string, string[]][]).map(([, fields]) => fields);
  for (const [n, [type, channel]] of [
    ["channel_renamed", "room"],
    ["channel_occupied", after],
  ].entries()) {
    const json = JSON.stringify({ name: type, channel });
    assert.deepEqual(kept[n]?.slice(2), ["c", channel, "t", type, "j", json]);
    assert.match(kept[n]?.join() ?? "", new RegExp(`^i,\\d+-${partition}-\\d+-\\d+,c,`));
  }
});
