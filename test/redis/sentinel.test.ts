import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrameMessage } from "../../src/redis/message.ts";
import { MASTER_NAME, startSentinel } from "../support/redis-sentinel.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { openConnections } from "./open-connections.ts";

test("when the master dies, commands, publishes and topics go to the replica that follows it", async (t) => {
  const master = await startRedis(t);
  const replica = await startRedis(t, { args: ["--replicaof", "127.0.0.1", `${master.port}`] });
  const sentinel = await startSentinel(t, master);
  const messages: string[] = [];
  const again: string[] = [];
  const connections = await openConnections(
    t,
    { sentinels: [{ host: "127.0.0.1", port: sentinel.port }], masterName: MASTER_NAME },
    ({ bus }) => {
      bus.on("event", (topic) => messages.push(topic));
      bus.onResubscribed((topics) => again.push(...topics));
    },
  );
  const { bus, keys, commands } = connections;
  const topic = keys.topic("1", "a");
  await bus.subscribe(topic);
  await commands.call("SET", keys.key(0, "x"), "before");
  await until(
    "the replica has it",
    async () => (await replica.call("GET", keys.key(0, "x"))) !== null,
  );
  await master.stop();
  await until(
    "the replica is the master",
    async () => (await sentinel.masterPort()) === replica.port,
  );
  await until("Redis is back", () => connections.isUp());
  await until("the topic is heard again", () => again.includes(topic));
  await bus.publish(topic, encodeFrameMessage("event", "n", "x"));
  await until("the message has come", () => messages.length === 1);
  assert.equal(await commands.call("GET", keys.key(0, "x")), "before");
});
