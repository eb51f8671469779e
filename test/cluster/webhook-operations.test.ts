/** What operators do at one node, seen by the dispatchers of all: real Redis, real receivers, several dispatchers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import type { Commands } from "../../src/redis/commands.ts";
import { encodeTextMessage } from "../../src/redis/message.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
import { compareEventIds, partitionOfEventId } from "../../src/webhooks/event-id.ts";
import type { EndpointName } from "../../src/webhooks/operations.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, channelsApart, endpoint } from "../webhooks/fixtures.ts";
import { openReceiver, type Receiver, status } from "../webhooks/receiver.ts";
import { openDeployment } from "../webhooks/redis-deployment.ts";
import { BOUNDS, type Dispatcher, openDispatcher } from "../webhooks/redis-dispatcher.ts";
import { createProducer } from "../webhooks/redis-producer.ts";

const ONE: EndpointName = { appId: "app", endpointId: "one" };

/** First arrivals of each event, by channel. */
function arrivals(receiver: Receiver): Map<string, string[]> {
  const seen = new Set<string>();
  const byChannel = new Map<string, string[]>();
  for (const { ids, events } of receiver.accepted) {
    for (const [i, id] of ids.entries()) {
      const channel = events[i]?.channel ?? "";
      if (seen.has(id)) continue;
      seen.add(id);
      byChannel.set(channel, [...(byChannel.get(channel) ?? []), id]);
    }
  }
  return byChannel;
}

function hasArrived({ accepted }: Receiver, id: string): boolean {
  return accepted.some(({ ids }) => ids.includes(id));
}

async function isPaused({ webhooks }: Dispatcher): Promise<boolean> {
  return (await webhooks.endpoints())[0]?.state === "paused";
}

/** Two dispatchers that share the partitions. */
async function bothOwn(first: Dispatcher, second: Dispatcher): Promise<void> {
  await until("both own partitions", () => {
    const [a, b] = [first.outbox.owned, second.outbox.owned];
    return a > 5 && b > 5 && a + b === 64;
  });
}

test("a replay delivers dead letters with their ids and in order, wherever they lie, while new events flow", async (t) => {
  const { receiver, open, first, occupy } = await openDeployment(t, {
    retry: { initialMs: 5, maxMs: 20, budgetMs: 200 },
  });
  const second = await open();
  await bothOwn(first, second);
  receiver.respond = status(500);
  const channels = channelsApart(20);
  const died: string[] = [];
  for (let i = 0; i < 3; i++) for (const channel of channels) died.push(await occupy(channel));
  await until("all have died", async () => {
    const [one] = await first.webhooks.operations.status("app");
    return one?.deadLetters === 60;
  });
  receiver.respond = status(200);
  let isFlowing = true;
  const flowing = (async () => {
    const fresh: string[] = [];
    for (let i = 0; isFlowing; i++) fresh.push(await occupy(channels[i % 20] ?? ""));
    return fresh;
  })();
  let cursor: string | undefined;
  let replayed = 0;
  do {
    const step = await second.webhooks.operations.replay(ONE, {}, { cursor, limit: 7 });
    if ("refused" in step) throw new Error(step.refused);
    replayed += step.changed;
    cursor = step.next;
  } while (cursor !== undefined);
  isFlowing = false;
  const fresh = await flowing;
  assert.equal(replayed, 60);
  const hasAll = () => {
    const arrived = new Set([...arrivals(receiver).values()].flat());
    return [...died, ...fresh].every((id) => arrived.has(id));
  };
  await until("all have arrived", hasAll);
  const replays = new Set(died);
  for (const ids of arrivals(receiver).values()) {
    for (const part of [
      ids.filter((id) => replays.has(id)),
      ids.filter((id) => !replays.has(id)),
    ]) {
      assert.deepEqual(part, part.toSorted(compareEventIds));
    }
  }
});

test("a replay that its dispatcher was not told of is found with the next look", async (t) => {
  const { receiver, first, occupy } = await openDeployment(t, {
    retry: { initialMs: 5, maxMs: 20, budgetMs: 100 },
  });
  receiver.respond = status(500);
  const id = await occupy("a");
  await until("it has died", async () => {
    return (await first.webhooks.operations.status("app"))[0]?.deadLetters === 1;
  });
  receiver.respond = status(200);
  // Now its dispatcher believes to know all of the lane.
  const later = await occupy("a");
  await until("the next has arrived", () => hasArrived(receiver, later));
  const { commands, keys, bus } = first.redis;
  const mute = createRedisOutbox({
    redis: { commands, bus: { ...bus, on() {}, publish: async () => {} } },
    keys,
    owner: "mute",
    sweep: async () => undefined,
    now: Date.now,
    bounds: BOUNDS,
  });
  const lane = { partition: partitionOfEventId(id), ...ONE };
  await mute.desk.replay(lane, await mute.desk.letters(lane));
  const looks = first.looks();
  await until("it has arrived", () => hasArrived(receiver, id));
  assert.ok(first.looks() <= looks + 2);
});

test("a 410 at one node stops the POSTs of all, and a resume at another delivers all in order", async (t) => {
  const { receiver, open, first, occupy } = await openDeployment(t);
  const second = await open();
  await bothOwn(first, second);
  receiver.respond = status(410);
  const channels = channelsApart(30);
  const ids = [await occupy(channels[0] ?? "")];
  await until("both know of the pause", async () => {
    return (await isPaused(first)) && (await isPaused(second));
  });
  const before = receiver.deliveries.length;
  receiver.respond = status(200);
  for (let i = 0; i < 2; i++) for (const channel of channels) ids.push(await occupy(channel));
  await until("all wait", async () => {
    return (await first.webhooks.operations.status("app"))[0]?.backlog === ids.length;
  });
  const looks = [first.looks(), second.looks()];
  await until("both have looked twice", () => {
    return first.looks() > (looks[0] ?? 0) + 2 && second.looks() > (looks[1] ?? 0) + 2;
  });
  assert.equal(receiver.deliveries.length, before);
  await second.webhooks.operations.resume(ONE);
  await until("all have arrived", () => ids.every((id) => hasArrived(receiver, id)));
  for (const own of arrivals(receiver).values()) {
    assert.deepEqual(own, own.toSorted(compareEventIds));
  }
  assert.equal((await isPaused(first)) || (await isPaused(second)), false);
});

test("a pause by a 410 that Redis does not take at once holds at its node until it does", async (t) => {
  const server = await startRedis(t);
  const receiver = await openReceiver(t, status(410));
  const apps = appRegistry(app("app", { webhooks: [endpoint("one", { url: receiver.url })] }));
  let refusals = 0;
  const wrap = (inner: Commands): Commands => ({
    ...inner,
    async runScript(script, ...rest) {
      if (script.name !== "pause" || refusals === 3) return inner.runScript(script, ...rest);
      refusals += 1;
      throw new RedisUnavailableError("The pause was refused on purpose.");
    },
  });
  const node = await openDispatcher(t, { apps, redis: { url: server.url }, wrap });
  const { commands, keys, bus } = node.redis;
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  await producer.append("app", "a", channelEvent("channel_occupied", "a"));
  await until("it is stored", async () => {
    return (await commands.call("HLEN", keys.key(0, "paused"))) === 1;
  });
  assert.equal(refusals, 3);
  assert.equal(receiver.deliveries.length, 1);
  const looks = node.looks();
  await until("it has looked once more", () => node.looks() > looks + 1);
  assert.equal(await isPaused(node), true);
});

test("a pause outlives all nodes, and none that starts or takes over sends before it has heard of it", async (t) => {
  const { receiver, open, first, occupy } = await openDeployment(t);
  assert.equal(await first.webhooks.operations.pause(ONE), undefined);
  const ids: string[] = [];
  for (const channel of channelsApart(10)) ids.push(await occupy(channel));
  await until("all wait", async () => {
    return (await first.webhooks.operations.status("app"))[0]?.backlog === ids.length;
  });
  await first.crash();
  const second = await open();
  await until("the next owns all", () => second.outbox.owned === 64);
  const third = await open();
  await bothOwn(second, third);
  await second.webhooks.close(1_000);
  await until("the last owns all", () => third.outbox.owned === 64);
  const looks = third.looks();
  await until("it has looked twice", () => third.looks() > looks + 2);
  assert.equal(receiver.deliveries.length, 0);
  const [one] = await third.webhooks.operations.status("app");
  assert.equal(one?.pause?.reason, "operator");
  await third.webhooks.operations.resume(ONE);
  await until("all have arrived", () => ids.every((id) => hasArrived(receiver, id)));
});

test("no lane is read by a dispatcher that starts before the pauses are", async (t) => {
  const { open, first, occupy } = await openDeployment(t);
  await first.webhooks.operations.pause(ONE);
  for (const channel of channelsApart(10)) await occupy(channel);
  await first.crash();
  let hasPauses = false;
  let early = 0;
  const wrap = (inner: Commands): Commands => ({
    ...inner,
    async call(command, key, ...args) {
      if (command === "XRANGE" && key.includes(":q:") && !hasPauses) early += 1;
      if (command !== "HGETALL") return inner.call(command, key, ...args);
      // Everything else has time to get ahead.
      for (let i = 0; i < 50; i++) await inner.call("EXISTS", key);
      const reply = await inner.call(command, key, ...args);
      hasPauses = true;
      return reply;
    },
  });
  const second = await open({ wrap });
  await until("the next owns all", () => second.outbox.owned === 64 && hasPauses);
  assert.equal(early, 0);
});

test("on a Redis Cluster a pause and a replay work alike, in whatever slot", async (t) => {
  const cluster = await startRedisCluster(t);
  const receiver = await openReceiver(t, status(500));
  const apps = appRegistry(app("app", { webhooks: [endpoint("one", { url: receiver.url })] }));
  const redis = { cluster: cluster.nodes, partitions: 6 };
  const settings = { retry: { initialMs: 5, maxMs: 20, budgetMs: 200 } };
  const open = () => openDispatcher(t, { apps, redis, settings });
  const [first, second] = [await open(), await open()];
  const { commands, keys, bus } = first.redis;
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  const ids: string[] = [];
  for (let i = 0; i < 30; i++) {
    ids.push(await producer.append("app", `c${i}`, channelEvent("channel_occupied", `c${i}`)));
  }
  const { operations } = second.webhooks;
  await until("all have died", async () => {
    return (await operations.status("app"))[0]?.deadLetters === ids.length;
  });
  await operations.pause(ONE);
  await until("the other knows", () => isPaused(first));
  receiver.respond = status(200);
  const step = await operations.replay(ONE, {}, { cursor: undefined, limit: 1_000 });
  assert.deepEqual(step, { changed: 30, next: undefined });
  assert.equal((await operations.find(ONE, ids[0] ?? ""))?.place, "waiting");
  await first.webhooks.operations.resume(ONE);
  await until("all have arrived", () => ids.every((id) => hasArrived(receiver, id)));
});

test("an endpoint in a long backoff is tried at once when an operator at another node says so", async (t) => {
  const { receiver, open, first, occupy } = await openDeployment(t, {
    retry: { initialMs: 600_000, maxMs: 600_000, budgetMs: 900_000 },
  });
  const second = await open();
  await bothOwn(first, second);
  receiver.respond = status(503, { "retry-after": "600" });
  const ids: string[] = [];
  for (const channel of channelsApart(20)) ids.push(await occupy(channel));
  await until("both back off", async () => {
    const reports = await Promise.all([first, second].map(({ webhooks }) => webhooks.endpoints()));
    return reports.every(([report]) => report?.state === "backing_off");
  });
  receiver.respond = status(200);
  await first.webhooks.operations.retry(ONE);
  await until("all have arrived", () => ids.every((id) => hasArrived(receiver, id)), 5_000);
});

test("an order that a node does not know is passed over", async (t) => {
  const { receiver, open, first, occupy } = await openDeployment(t);
  const second = await open();
  const { bus, keys } = first.redis;
  const topic = keys.key(0, "control");
  const orders = ["", "null", "{", "[]", '{"from":"x"}', '{"from":"x","what":"dance"}'];
  for (const order of [...orders, '{"from":"x","what":"retry"}', '{"from":"x","what":"touched"}']) {
    await bus.publish(topic, encodeTextMessage("control", order));
  }
  await first.webhooks.operations.pause(ONE);
  await until("orders that are known still arrive", () => isPaused(second));
  await second.webhooks.operations.resume(ONE);
  const id = await occupy("a");
  await until("and events are delivered", () => hasArrived(receiver, id));
});

test("what operators do and say names neither secrets nor payloads in Redis", async (t) => {
  const { server, receiver, first, occupy } = await openDeployment(t);
  receiver.respond = status(410);
  await occupy("a");
  await until("it is paused", () => isPaused(first));
  const key = first.redis.keys.key(0, "paused");
  const stored = await until("the pause is stored", async () => {
    const all = String(await server.call("HGETALL", key));
    return all !== "" && all;
  });
  assert.match(stored, /^app:one,\d+:gone:[0-9a-f]{32}$/);
  assert.doesNotMatch(stored, /127\.0\.0\.1|hook/);
});
