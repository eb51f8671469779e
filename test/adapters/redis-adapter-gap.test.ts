/** A topic that was heard, while the subscriber's connection is being made anew. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRedisAdapter } from "../../src/adapters/redis-adapter.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections } from "../../src/redis/connections.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

test("whoever subscribes to a topic that is not heard just now waits until it is again", async (t) => {
  const server = await startRedis(t);
  const open = async (nodeId: string, deliver: (frame: string) => void) => {
    const redis = createRedisConnections({ url: server.url }, SILENT_LOG, { nodeId });
    const { bus, keys } = redis;
    const adapter = createRedisAdapter({
      bus,
      keys,
      nodeId,
      deliver: (_kind, _topic, frame) => deliver(frame),
    });
    await redis.connect();
    t.after(() => redis.close());
    return { adapter, bus, keys };
  };
  const heard: string[] = [];
  const here = await open("here", (frame) => heard.push(frame));
  const there = await open("there", () => {});
  await here.adapter.subscribe("app:room");
  assert.equal(here.adapter.subscribe("app:room"), undefined, "heard: nothing to wait for");

  await server.call("CLIENT", "KILL", "TYPE", "pubsub");
  const topic = here.keys.topic("app", "room");
  await until("the loss is noticed", () => !here.bus.isHeard(topic));
  await here.adapter.subscribe("app:room");
  await there.adapter.publish("event", "app:room", "after");
  await until("what was published after it has come", () => heard.includes("after"));
});
