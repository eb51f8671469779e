/** One master of a Redis Cluster is away: what would reach only some of its channels reaches none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashSlot } from "../../src/redis/hash-slot.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { subscribe } from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { metricOf } from "../support/nodes.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

function publish(node: Pipit, name: string, channels: readonly string[]) {
  return sendSigned(node.port, { path: "/events", body: { name, channels, data: "{}" } });
}

function publishBatch(node: Pipit, name: string, channels: readonly string[]) {
  const batch = channels.map((channel) => ({ name, channel, data: "{}" }));
  return sendSigned(node.port, { path: "/batch_events", body: { batch } });
}

function heard({ frames }: RawSocket): readonly string[] {
  return frames
    .filter(({ event }) => !event.startsWith("pusher"))
    .map(({ event, channel }) => `${event} ${channel}`);
}

test("an event for channels on several masters is refused as a whole while one of those is away", async (t) => {
  const cluster = await startRedisCluster(t);
  const redis = { cluster: cluster.nodes.map(({ host, port }) => `${host}:${port}`) };
  const [a, b] = [await startPipit(t, {}, { redis }), await startPipit(t, {}, { redis })];
  const keys = createKeys();
  const ownerOf = (channel: string) => cluster.ownerOf(hashSlot(keys.topic(APP.id, channel)));
  const [there, elsewhere, cached] = ["room-there", "room-elsewhere", "cache-elsewhere"].map(
    (name) => Array.from({ length: 200 }, (_, n) => `${name}-${n}`),
  );
  const master = await ownerOf("room-there-0");
  const find = async (names: readonly string[] = [], isWanted: (owner: RedisServer) => boolean) => {
    for (const name of names) if (isWanted(await ownerOf(name))) return name;
    throw new Error("No name lies there.");
  };
  const isThere = (owner: RedisServer) => owner === master;
  const away = await find(there, isThere);
  const alsoAway = await find(there?.slice(1), isThere);
  const near = await find(elsewhere, (owner) => owner !== master);
  const nearCached = await find(cached, (owner) => owner !== master);
  const sockets = [await a.raw(), await b.raw()];
  for (const socket of sockets) {
    for (const channel of [away, near, nearCached]) await subscribe(socket, channel);
  }

  async function assertRefusedAsAWhole(): Promise<void> {
    for (const node of [a, b]) {
      for (const send of [publish, publishBatch]) {
        // Another partition of the master, of which the node has not asked for anything yet.
        for (const channels of [
          [near, away],
          [nearCached, near, alsoAway],
        ]) {
          const refused = await send(node, "in-part", channels);
          assert.equal(refused.status, 503, channels.join());
          assert.ok(Number(refused.headers["retry-after"]) >= 1);
        }
      }
    }
    const sent = await publish(a, "marker", [near]);
    assert.equal(sent.status, 200, "masters that are there go on");
    for (const socket of sockets) {
      await until("the marker is heard", () => heard(socket).at(-1) === `marker ${near}`);
      assert.deepEqual(
        heard(socket).filter((line) => line.startsWith("in-part")),
        [],
      );
    }
  }

  async function untilAllIsHeard(name: string): Promise<void> {
    await until(
      "all masters take events again",
      async () => (await publish(a, name, [near, away, nearCached])).status === 200,
      20_000,
    );
    for (const socket of sockets) {
      for (const channel of [near, away, nearCached]) {
        await until("it is heard", () => heard(socket).includes(`${name} ${channel}`), 20_000);
      }
      assert.equal(socket.closed, undefined);
    }
  }

  master.suspend();
  for (const node of [a, b]) assert.equal((await publish(node, "first", [away])).status, 503);
  await assertRefusedAsAWhole();
  master.resume();
  await untilAllIsHeard("again");

  await master.stop();
  for (const node of [a, b]) {
    await until("the node knows", async () => (await metricOf(node, "redis_up")) === 0);
  }
  await assertRefusedAsAWhole();
});
