/** Events, cached events and counts, from any node to clients on every other. protocol.md §2.6, §5, §6. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKeys } from "../../src/redis/keys.ts";
import { subscribe } from "../support/commands.ts";
import { metricOf, type Nodes, nodeAt, readFrom, startNodes } from "../support/nodes.ts";
import { until } from "../support/until.ts";

/** Every partition has a dispatcher, and nobody else hears of it. */
async function areShared({ redis, nodes }: Nodes): Promise<boolean> {
  const { partitions, wakeTopic } = createKeys();
  const topics = Array.from({ length: partitions }, (_, p) => wakeTopic(p));
  const hearers = (await redis.call("PUBSUB", "NUMSUB", ...topics)) as (string | number)[];
  const owned = await Promise.all(nodes.map((node) => metricOf(node, "outbox_partitions_owned")));
  return (
    hearers.every((hearer, n) => n % 2 === 0 || hearer === 1) &&
    owned.reduce((sum, each) => sum + each, 0) === partitions
  );
}

test("an event published on any node reaches subscribers on all of them, once and in order", async (t) => {
  const cluster = await startNodes(t, 3);
  const clients = await Promise.all(cluster.nodes.map((node) => node.connect()));
  await Promise.all(clients.map((client) => client.subscribe("room")));
  for (let n = 0; n < 9; n++) {
    await nodeAt(cluster, n % 3).pusher.trigger("room", "tick", { n });
  }
  for (const client of clients) {
    await until("all events have come", () => client.eventsOn("room").length >= 9);
    assert.deepEqual(
      client.eventsOn("room").map(({ data }) => (data as { n: number }).n),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    );
  }
});

test("the socket that an event excludes does not hear it, on whichever node it is", async (t) => {
  const cluster = await startNodes(t, 2);
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const [here, there] = [await a.connect(), await b.connect()];
  for (const client of [here, there]) await client.subscribe("room");
  await a.pusher.trigger("room", "first", 1, { socket_id: there.socketId });
  await b.pusher.trigger("room", "second", 2, { socket_id: here.socketId });
  await a.pusher.trigger("room", "last", 3);
  const names = (client: typeof here) => client.eventsOn("room").map(({ event }) => event);
  for (const client of [here, there]) {
    await until("the last event has come", () => names(client).includes("last"));
  }
  assert.deepEqual(names(here), ["first", "last"]);
  assert.deepEqual(names(there), ["second", "last"]);
});

test("a client event reaches the channel's subscribers on other nodes, and not its sender", async (t) => {
  const cluster = await startNodes(t, 2);
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const ann = await a.connect({ userId: "ann" });
  const bob = await b.connect({ userId: "bob" });
  for (const client of [ann, bob]) await client.subscribe("presence-room");
  ann.pusher.channel("presence-room").trigger("client-wave", { hand: "left" });
  await until("Bob hears it", () => bob.eventsOn("presence-room").length > 0);
  const heard = bob.received.find(({ event }) => event === "client-wave");
  assert.deepEqual(heard, {
    event: "client-wave",
    channel: "presence-room",
    data: { hand: "left" },
    user_id: "ann",
  });
  bob.pusher.channel("presence-room").trigger("client-wave-back", {});
  await until("Ann hears the answer", () => ann.eventsOn("presence-room").length > 0);
  assert.deepEqual(ann.eventsOn("presence-room"), [{ event: "client-wave-back", data: {} }]);
});

test("a node without a subscriber receives nothing of a channel's traffic", async (t) => {
  const cluster = await startNodes(t, 3);
  const [a, b, idle] = [nodeAt(cluster, 0), nodeAt(cluster, 1), nodeAt(cluster, 2)];
  const [here, there] = [await a.connect({ userId: "ann" }), await b.connect({ userId: "bob" })];
  for (const client of [here, there]) {
    await client.subscribe("presence-room");
    await client.subscribe("private-cache-room");
  }
  const elsewhere = await idle.connect();
  await elsewhere.subscribe("other");
  await until(
    "the partitions are shared out, with many wake-ups",
    () => areShared(cluster),
    15_000,
  );
  // Probes go to every node, and one or two may come in between; they are delivered to nobody.
  const heardBefore = await metricOf(idle, "node_messages_delivered_total");
  const receivedBefore = await metricOf(idle, "node_messages_received_total");
  const busyBefore = await metricOf(b, "node_messages_received_total");
  for (let n = 0; n < 50; n++) {
    await a.pusher.trigger(["presence-room", "private-cache-room"], "tick", { n });
    here.pusher.channel("presence-room").trigger("client-tick", { n });
  }
  await until("all has come", () => there.eventsOn("presence-room").length === 100);
  assert.equal(await metricOf(idle, "node_messages_delivered_total"), heardBefore);
  const received = (await metricOf(idle, "node_messages_received_total")) - receivedBefore;
  assert.ok(received <= 2, `${received} messages that are no probes`);
  assert.ok((await metricOf(b, "node_messages_received_total")) >= busyBefore + 150);
  await a.pusher.trigger("other", "for-it", {});
  await until("it does hear its own channel", () => elsewhere.eventsOn("other").length === 1);
  assert.equal(await metricOf(idle, "node_messages_delivered_total"), heardBefore + 1);
});

test("the last event of a cache channel is there on every node, and a miss is told", async (t) => {
  const cluster = await startNodes(t, 2);
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const early = await b.raw();
  await subscribe(early, "cache-news");
  await early.frame("the miss is told", ({ event }) => event === "pusher:cache_miss");
  await a.pusher.trigger("cache-news", "headline", { n: 1 });
  await a.pusher.trigger("cache-news", "headline", { n: 2 });
  for (const node of [a, b]) {
    const late = await node.raw();
    await subscribe(late, "cache-news");
    const { data } = await late.frame("it has the last", ({ event }) => event === "headline");
    assert.equal(data, '{"n":2}');
    const { cache } = (await readFrom(node, "/channels/cache-news", { info: "cache" })) as {
      cache: { data: string };
    };
    assert.equal(cache.data, '{"n":2}');
  }
});

test("subscribers on every node are told the count of all nodes", async (t) => {
  const cluster = await startNodes(t, 2, { app: { enable_subscription_count: true } });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const here = await a.connect();
  const room = await here.subscribe("room");
  await (await a.connect()).subscribe("room");
  const there = await b.connect();
  const sameRoom = await there.subscribe("room");
  await until("both know of three", () => {
    return room.subscriptionCount === 3 && sameRoom.subscriptionCount === 3;
  });
  there.pusher.unsubscribe("room");
  await until("the leave is told", () => room.subscriptionCount === 2);
  assert.deepEqual(await readFrom(b, "/channels/room", { info: "subscription_count" }), {
    occupied: true,
    subscription_count: 2,
  });
});

test("the HTTP API of any node knows the channels of all, and who published is told the counts", async (t) => {
  const cluster = await startNodes(t, 3, { app: { enable_subscription_count: true } });
  const clients = [];
  for (const [n, node] of cluster.nodes.entries()) {
    const client = await node.connect({ userId: `user-${n}` });
    for (const name of ["room", `room-${n}`, "presence-hall"]) await client.subscribe(name);
    clients.push(client);
  }
  for (const node of cluster.nodes) {
    const info = "subscription_count";
    assert.deepEqual(await readFrom(node, "/channels", { filter_by_prefix: "room", info }), {
      channels: {
        room: { subscription_count: 3 },
        "room-0": { subscription_count: 1 },
        "room-1": { subscription_count: 1 },
        "room-2": { subscription_count: 1 },
      },
    });
    assert.deepEqual(
      await readFrom(node, "/channels", { filter_by_prefix: "presence-", info: "user_count" }),
      { channels: { "presence-hall": { user_count: 3 } } },
    );
    const { users } = (await readFrom(node, "/channels/presence-hall/users")) as {
      users: { id: string }[];
    };
    assert.deepEqual(users.map(({ id }) => id).toSorted(), ["user-0", "user-1", "user-2"]);
    const reply = await node.pusher.trigger(["room", "presence-hall"], "tick", 1, {
      info: "user_count,subscription_count",
    });
    assert.deepEqual(await reply.json(), {
      channels: {
        room: { subscription_count: 3 },
        "presence-hall": { user_count: 3 },
      },
    });
  }
  for (const client of clients) client.pusher.disconnect();
  for (const node of cluster.nodes) {
    await until("no channel is left", async () => {
      const { channels } = (await readFrom(node, "/channels")) as { channels: object };
      return Object.keys(channels).length === 0;
    });
  }
});
