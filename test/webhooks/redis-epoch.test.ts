/** Ids of events begin with the epoch of their partition: those of two epochs are never mixed up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { openConnections } from "../redis/open-connections.ts";
import { startRedis } from "../support/redis-server.ts";
import { BOUNDS } from "./redis-dispatcher.ts";
import { createProducer } from "./redis-producer.ts";

test("an event is not moved under an id of an epoch that is over", async (t) => {
  const server = await startRedis(t);
  const { keys, commands, bus } = await openConnections(t, { url: server.url, partitions: 1 });
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  const outbox = createRedisOutbox({
    redis: { commands, bus },
    keys,
    owner: "owner",
    sweep: async () => undefined,
    now: Date.now,
    bounds: BOUNDS,
  });
  const occupy = (channel: string) =>
    producer.append("app", channel, channelEvent("channel_occupied", channel));
  const routeAll = async () => {
    const events = await outbox.read(0, undefined, 10);
    const routes = events.map(({ id }) => ({ id, endpointIds: ["one"] }));
    return outbox.route(0, undefined, routes, () => 0);
  };
  const lane = { partition: 0, appId: "app", endpointId: "one" };

  await outbox.claim(0);
  await occupy("a");
  await routeAll();
  await occupy("b");
  // As after a loss of everything: the lease alone does not tell, it may have been taken anew since.
  await server.call("HSET", keys.key(0, "meta"), "#epoch", "4321");
  assert.equal(await routeAll(), "lost");
  assert.equal(await server.call("XLEN", keys.key(0, "ev")), 1);
  assert.equal(await server.call("XLEN", keys.key(0, "q", "app:one")), 1);

  assert.equal(await outbox.claim(0), "new");
  assert.deepEqual(await routeAll(), { left: 0, enqueued: 1, pushedOut: [] });
  const { events } = await outbox.head(lane, 10, 1e6);
  assert.match(events[1]?.id ?? "", /^4321-0-/);
});
