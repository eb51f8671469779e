/** A master of a Redis Cluster dies and its replica takes its place, under nodes with clients and webhooks. */
import { test } from "node:test";
import { sendSigned } from "../support/http-request.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver } from "../support/webhook-receiver.ts";
import { createAudience } from "./nodes-audience.ts";

const HALLS = Array.from({ length: 12 }, (_, n) => `presence-hall-${n}`);
const ROOMS = Array.from({ length: 24 }, (_, n) => `room-${n}`);

/** Longer than an election, of 1 to 2 s, and the 25 s in which nothing is read or left where writes were lost. */
const WITHIN_MS = 40_000;

async function publish(node: Pipit, name: string, channels: readonly string[]): Promise<number> {
  const body = { name, channels, data: "{}" };
  return (await sendSigned(node.port, { path: "/events", body })).status;
}

test("when a replica takes over a shard, clients stay and everything ends as it is", async (t) => {
  const receiver = await startReceiver(t, APP);
  const closers: (() => unknown)[] = [];
  const redisCluster = await startRedisCluster(
    { after: (close: unknown) => void closers.push(close as () => unknown) },
    { hasReplicas: true, nodeTimeoutMs: 1_000 },
  );
  const redis = { cluster: redisCluster.nodes.map(({ host, port }) => `${host}:${port}`) };
  const app = { enable_subscription_count: true, webhooks: [{ url: receiver.url }] };
  const nodes = [await startPipit(t, app, { redis }), await startPipit(t, app, { redis })];
  for (const close of closers) t.after(async () => void (await close()));
  const [a, b] = nodes as [Pipit, Pipit];
  const audience = createAudience();
  const guests = await Promise.all(
    [a, a, b, b].map((node, n) =>
      audience.join(node, `guest-${n}`, [...HALLS, ...ROOMS.filter((_, r) => r % 4 === n)]),
    ),
  );
  await audience.agrees(nodes);
  const told = (name: string, channel: string): boolean =>
    firstArrivals(receiver).some((event) => event.name === name && event.channel === channel);
  await until("all is told", () => ROOMS.every((room) => told("channel_occupied", room)));

  const [master] = redisCluster.servers;
  const [replica] = redisCluster.replicas;
  // What this one writes the replica may never get: then nobody is told, but the state is right all the same.
  guests[2]?.leave();
  await master?.stop("SIGKILL");
  // While nobody holds the slots, somebody leaves.
  guests[3]?.leave();
  await until(
    "the replica is a master",
    async () => String(await replica?.call("ROLE")).startsWith("master"),
    WITHIN_MS,
  );
  await audience.agrees(nodes);

  for (const node of nodes) {
    for (const name of [...HALLS, ...ROOMS]) {
      await until(
        "every channel takes events",
        async () => (await publish(node, `from-${nodes.indexOf(node)}`, [name])) === 200,
        WITHIN_MS,
      );
    }
  }
  for (const { client, channels } of guests.slice(0, 2)) {
    for (const channel of channels) {
      await until("every client hears events of both nodes again", () => {
        const names = client.eventsOn(channel).map(({ event }) => event);
        return names.includes("from-0") && names.includes("from-1");
      });
    }
  }
  for (const room of ROOMS.filter((_, n) => n % 4 === 3)) {
    await until("who left meanwhile is told", () => told("channel_vacated", room), WITHIN_MS);
  }
  const late = await audience.join(b, "late", [...HALLS, ...ROOMS.map((room) => `${room}-late`)]);
  await audience.agrees(nodes);
  for (const room of late.channels.filter((name) => name.endsWith("-late"))) {
    await until("webhooks of all shards go on", () => told("channel_occupied", room), WITHIN_MS);
  }
});
