/** What stands in Redis can be read by whoever can read Redis: no secret may be in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint, KEY, SECRET } from "./fixtures.ts";
import { openReceiver, status } from "./receiver.ts";
import { openDispatcher } from "./redis-dispatcher.ts";
import { createProducer } from "./redis-producer.ts";

test("no secret, signature, url or header of an endpoint is ever sent to Redis", async (t) => {
  const server = await startRedis(t, { args: ["--rdbcompression", "no"] });
  const receiver = await openReceiver(t, status(500));
  const webhooks = [
    endpoint("one", { url: receiver.url, headers: { authorization: "Bearer topsecret" } }),
  ];
  const sent: string[] = [];
  const retry = { initialMs: 10, maxMs: 20, budgetMs: 100 };
  const { redis, webhooks: room } = await openDispatcher(t, {
    apps: appRegistry(app("app", { webhooks })),
    redis: { url: server.url, partitions: 2 },
    settings: { retry },
    wrap: (inner) => ({
      ...inner,
      runScript(script, keys, args) {
        sent.push(script.lua, ...keys, ...args.map(String));
        return inner.runScript(script, keys, args);
      },
      call(command, ...args) {
        sent.push(command, ...args.map(String));
        return inner.call(command, ...args);
      },
    }),
  });
  const producer = createProducer(redis.commands, redis.keys, redis.bus.publishCommand);
  await producer.register();
  for (const channel of ["a", "b", "c"]) {
    await producer.append("app", channel, channelEvent("channel_occupied", channel));
  }
  await until("all are dead letters", async () => {
    return (await room.deadLetters("app", "one")).length === 3;
  });
  const signatures = receiver.deliveries.map(({ headers }) => headers["x-pusher-signature"]);
  const { hostname, port } = new URL(receiver.url);
  const secrets = [SECRET, KEY, "topsecret", `${hostname}:${port}`, ...signatures.map(String)];
  const all = sent.join("\n");
  assert.ok(all.includes("channel_occupied") || all.includes("dispatchers"), "it was recorded");
  for (const secret of secrets) assert.ok(!all.includes(secret), secret);
  for (const key of (await server.call("KEYS", "*")) as string[]) {
    const dump = String(await server.call("DUMP", key));
    for (const secret of secrets) assert.ok(!dump.includes(secret), `${secret} in ${key}`);
  }
});
