/** Webhooks on a Redis Cluster of three masters: each partition's keys lie together, wherever that is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import type { Commands } from "../../src/redis/commands.ts";
import { hashSlot } from "../../src/redis/hash-slot.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
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
  // Of so few partitions one of the two may be wanted for none.
  assert.ok(dispatchers.some(({ outbox }) => outbox.counters.wakeUps > 0));
  const load = decide(400);
  await until("the load has begun", () => decided > 250);
  await cluster.moveSlot(hashSlot(keys.key(0, "ev")));
  await load;
  await allThere();
  await decide(50);
  await allThere();
  assert.equal(keeper.counts.unordered, 0);
});

test("what a dispatcher cannot reach is dispatched by another one, until it can", async (t) => {
  const cluster = await startRedisCluster(t);
  const partitions = 24;
  const redis = { cluster: cluster.nodes, partitions };
  const keys = createKeys(redis);
  // Not the first: that one has partition 0.
  const lost = cluster.servers.at(-1);
  const beyond = new Set<number>();
  for (let p = 0; p < partitions; p++) {
    if ((await cluster.ownerOf(hashSlot(keys.key(p)))) === lost) beyond.add(p);
  }
  assert.equal(beyond.size, partitions / 3);
  let isCut = false;
  const reach = async <T>(key: string, call: () => Promise<T>): Promise<T> => {
    const isBeyond = beyond.has(keys.partitionOfTopic(key) ?? -1);
    if (isCut && isBeyond) throw new RedisUnavailableError("One master cannot be reached.");
    return call();
  };
  const wrap = (inner: Commands): Commands => ({
    ...inner,
    runScript: (script, all, args) => reach(all[0] ?? "", () => inner.runScript(script, all, args)),
    call: (command, key, ...args) => reach(key, () => inner.call(command, key, ...args)),
  });

  const receiver = await openReceiver(t);
  const apps = appRegistry(app("app", { webhooks: [endpoint("one", { url: receiver.url })] }));
  const unlucky = await openDispatcher(t, { apps, redis, wrap });
  await until("it has everything", () => unlucky.outbox.owned === partitions);
  isCut = true;
  const other = await openDispatcher(t, { apps, redis });
  const { commands, bus } = other.redis;
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  const channels = Array.from({ length: 40 }, (_, n) => `room-${n}`);
  const decideAll = async () => {
    for (const channel of channels) {
      await producer.append("app", channel, channelEvent("channel_occupied", channel));
    }
  };
  await decideAll();
  const arrived = (times: number) => {
    const heard = receiver.channels();
    return channels.every((channel) => heard.filter((name) => name === channel).length >= times);
  };
  await until("events of all partitions arrive", () => arrived(1));
  await until("the other has what cannot be reached", () => other.outbox.owned >= beyond.size);

  isCut = false;
  await until("partitions are shared as if nothing had been", async () => {
    const names = (await Promise.all(
      Array.from({ length: partitions }, (_, p) => commands.call("GET", keys.key(p, "disp"))),
    )) as string[];
    const sum = unlucky.outbox.owned + other.outbox.owned;
    return sum === partitions && unlucky.outbox.owned > 0 && new Set(names).size === 2;
  });
  await decideAll();
  await until("events of all partitions arrive again", () => arrived(2));
});
