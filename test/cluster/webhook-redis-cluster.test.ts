/** Webhooks on a Redis Cluster of three masters: each partition's keys lie together, wherever that is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { hashSlot } from "../../src/redis/hash-slot.ts";
import { openConnections } from "../redis/open-connections.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint } from "../webhooks/fixtures.ts";
import { createOrderKeeper } from "../webhooks/order-keeper.ts";
import { openReceiver } from "../webhooks/receiver.ts";
import { openDispatcher } from "../webhooks/redis-dispatcher.ts";
import { createProducer } from "../webhooks/redis-producer.ts";

const PARTITIONS = 6;

test("no event is missing or out of order on a Redis Cluster, also while a slot moves", async (t) => {
  const cluster = await startRedisCluster(t);
  const keeper = createOrderKeeper();
  const receiver = await openReceiver(t, (delivery, response) => {
    delivery.ids.forEach((id, at) => {
      keeper.arrived(id, `${delivery.events[at]?.channel}`);
    });
    response.writeHead(200).end();
  });

  const apps = appRegistry(app("app", { webhooks: [endpoint("one", { url: receiver.url })] }));
  const redis = { cluster: cluster.nodes, partitions: PARTITIONS };
  const open = () => openDispatcher(t, { apps, redis });
  const dispatchers = [await open(), await open()];
  const owned = () => dispatchers.reduce((sum, { outbox }) => sum + outbox.owned, 0);
  await until("all partitions have an owner", () => owned() === PARTITIONS);

  const { commands, keys, bus } = await openConnections(t, redis);
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  let decided = 0;
  async function decide(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const channel = `room-${decided++ % 30}`;
      const event = channelEvent("channel_occupied", channel);
      // What the moving slot refuses was not appended.
      const id = await until("Redis takes an event", () =>
        producer.append("app", channel, event).catch(() => undefined),
      );
      keeper.expect(id);
    }
  }
  const allThere = () => until("every event has arrived", () => keeper.waiting <= 0, 20_000);

  await decide(200);
  await allThere();
  assert.ok(dispatchers.every(({ outbox }) => outbox.counters.wakeUps > 0));
  const load = decide(400);
  await until("the load has begun", () => decided > 250);
  await cluster.moveSlot(hashSlot(keys.key(0, "ev")));
  await load;
  await allThere();
  await decide(50);
  await allThere();
  assert.equal(keeper.counts.unordered, 0);
});
