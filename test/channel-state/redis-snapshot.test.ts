/** What only the Redis driver promises about snapshots. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { StateUnavailableError } from "../../src/channel-state/channel-state.ts";
import type { RedisStateSettings } from "../../src/channel-state/redis-state-context.ts";
import type { ChannelSnapshot } from "../../src/channel-state/snapshot.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { type OpenedRedisState, openRedisState, SHORT_TIMES } from "./redis-state.ts";

const APP = "1";
const member = (userId: string) => ({ userId, userInfoJson: "{}" });

/** A node alone on a Redis of its own, with one partition. Redis ends last, so that the node can say good-bye. */
async function open(t: TestContext, settings: Partial<RedisStateSettings> = {}) {
  const server = await startRedis(undefined);
  const node = await openRedisState({ server, keyPrefix: "one:", partitions: 1, settings });
  t.after(async () => {
    await node.close();
    await server.stop();
  });
  return { node, server };
}

async function taken({ state }: OpenedRedisState, partition = 0): Promise<ChannelSnapshot> {
  const snapshot = await state.snapshot(APP, partition, "");
  if (typeof snapshot === "string") throw new Error(`No snapshot of ${partition}: ${snapshot}.`);
  return snapshot;
}

test("the revision outlives the events: they are delivered and deleted", async (t) => {
  const { node } = await open(t);
  const { commands, keys } = node.redis;
  node.state.setSubscriptions(APP, "room", 1, false);
  const before = await taken(node);
  const [id] = (await commands.call("XRANGE", keys.key(0, "ev"), "-", "+")) as [[string]];
  await commands.call("XDEL", keys.key(0, "ev"), id[0]);
  assert.equal(await commands.call("XLEN", keys.key(0, "ev")), 0);
  assert.deepEqual(await taken(node), before);
  assert.ok(before.revision.endsWith(`-0-${id[0]}`));
});

test("a snapshot taken twice is the same and leaves everything as it is", async (t) => {
  const { node } = await open(t);
  node.state.setSubscriptions(APP, "presence-x", 1, false);
  await node.state.addMember(APP, "presence-x", member("u"), Infinity);
  node.state.setSubscriptions(APP, "gone", 1, false);
  node.state.setSubscriptions(APP, "gone", 0, false);
  const first = await taken(node);
  // Leases and the like are written all the time: what the channels have is looked at.
  const kept = async () => {
    const { commands, keys } = node.redis;
    const pending = await commands.call("ZRANGE", keys.key(0, "pend"), 0, -1, "WITHSCORES");
    const events = await commands.call("XRANGE", keys.key(0, "ev"), "-", "+");
    const users = await commands.call("HGETALL", keys.key(0, "pu", APP, "presence-x"));
    return { pending, events, users };
  };
  const before = await kept();
  assert.deepEqual(await taken(node), first);
  assert.deepEqual(await kept(), before);
});

test("after Redis has lost the state there is no snapshot until everybody had time to tell it anew", async (t) => {
  const settings = { ...SHORT_TIMES, restoreMs: 1_000, heartbeatMs: 60_000, leaseMs: 120_000 };
  const { node, server } = await open(t, settings);
  node.state.setSubscriptions(APP, "room", 1, false);
  const before = await taken(node);
  const epoch = Number(before.revision.split("-")[0]);
  await server.call("FLUSHALL");
  // No heartbeat has noticed: the read itself does.
  await assert.rejects(taken(node), StateUnavailableError);
  const after = await until("the snapshot is back", () =>
    taken(node).catch((error: unknown) => {
      assert.ok(error instanceof StateUnavailableError);
      return undefined;
    }),
  );
  assert.deepEqual([...after.channels.keys()], ["room"]);
  const [newEpoch = 0, , ...place] = after.revision.split("-").map(Number);
  assert.ok(newEpoch > epoch);
  // The stream is gone, and its return is not told.
  assert.deepEqual(place, [0, 0]);
});

test("on a Redis Cluster the keys of the users lie where the script runs", async (t) => {
  const closers: (() => unknown)[] = [];
  const after = (close: unknown) => void closers.push(close as () => unknown);
  const cluster = await startRedisCluster({ after });
  const partitions = 6;
  const node = await openRedisState({
    server: { url: undefined },
    keyPrefix: "cluster:",
    partitions,
    redisSettings: { cluster: cluster.nodes },
  });
  t.after(async () => {
    await node.close();
    for (const close of closers) await close();
  });
  const expected = new Map<string, readonly string[]>();
  for (let n = 0; n < 20; n++) {
    const channel = `presence-${n}`;
    node.state.setSubscriptions(APP, channel, 1, false);
    await node.state.addMember(APP, channel, member(`u${n}`), Infinity);
    expected.set(channel, [`u${n}`]);
  }
  const found: [string, string[]][] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const { channels, isLast } = await taken(node, partition);
    assert.equal(isLast, partition === partitions - 1);
    for (const [channel, users] of channels) found.push([channel, [...users]]);
  }
  assert.deepEqual(new Map(found), expected);
});
