/** The parts of the scripts that wait after a loss, to see who is new: on a real Redis. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { register } from "../../src/channel-state/redis-lease.ts";
import { createPeers } from "../../src/channel-state/redis-peers.ts";
import { readScript } from "../../src/channel-state/redis-script.ts";
import {
  createRedisStateCounters,
  REDIS_STATE_DEFAULTS,
} from "../../src/channel-state/redis-state-context.ts";
import { sweepPartition } from "../../src/channel-state/redis-sweep.ts";
import type { Step } from "../../src/channel-state/redis-tracked-channel.ts";
import { runWrite } from "../../src/channel-state/redis-write.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import { userEvent } from "../../src/protocol/webhook-event.ts";
import type { RedisConnections } from "../../src/redis/connections.ts";
import { openConnections } from "../redis/open-connections.ts";
import { NOBODY_HEARS } from "../support/announcements.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { until } from "../support/until.ts";
import { added, occupied, removed, vacated } from "./channel-state-under-test.ts";
import { readEvents } from "./redis-state.ts";

const P = 0;
const APP = "1";
const ROOM = "presence-room";
const ANN = `${USER_CHANNEL_PREFIX}ann`;
const NEWCOMER = "b.0";
const RESTORER = "a.1";
const SETTINGS = { ...REDIS_STATE_DEFAULTS, leaveGraceMs: 0, restoreMs: 300 };
const NOTHING = { nodeBefore: undefined, epoch: undefined, hasLostWrites: false, returnMs: 0 };

const count = (count: number, isRestored = false): Step => ({
  kind: "count",
  count,
  isAnnounced: false,
  isRestored,
});
const online = (isRestored = false): Step => ({
  kind: "count",
  count: 1,
  isAnnounced: true,
  isRestored,
});
const join = (userId: string, isRestored = false): Step => ({
  kind: "join",
  user: { userId, userInfoJson: "{}", maxMembers: 9, version: undefined, waiters: new Set() },
  isRestored,
});
const leave = (userId: string, isRestored = false): Step => ({ kind: "leave", userId, isRestored });

interface Opened {
  readonly redis: RedisConnections;
  write(node: string, seq: number, steps: readonly [string, Step][]): Promise<unknown>;
  events(): Promise<readonly string[]>;
  /** Waits until nothing is put off any longer. */
  settle(): Promise<void>;
}

describe("who comes after a loss", () => {
  const shared = shareRedis();

  /** Both nodes have registered; one of them remembers the epoch that is lost. */
  async function open(t: TestContext): Promise<Opened> {
    const keyPrefix = shared.keyPrefix();
    const redis = await openConnections(t, { url: shared.server.url, keyPrefix, partitions: 1 });
    await register(redis, SETTINGS, P, NEWCOMER, { ...NOTHING, nodeBefore: "b.x", epoch: 1 });
    await register(redis, SETTINGS, P, RESTORER, { ...NOTHING, nodeBefore: "a.0", epoch: 1 });
    return {
      redis,
      write(node, seq, steps) {
        const channels = new Map(
          steps.map(([name]) => [name, { appId: APP, name, isUser: name.startsWith("#") }]),
        );
        const numbered = steps.map(([name, step]) => {
          const channel = channels.get(name);
          assert.ok(channel);
          return { channel, step };
        });
        return runWrite(redis, SETTINGS, { partition: P, node, seq, steps: numbered });
      },
      events: async () => (await readEvents(redis, P)).map(({ json }) => json),
      settle: async () => {
        await until("nothing waits", async () => (await sweepPartition(redis, P)) === undefined);
      },
    };
  }

  const rule = (sentence: string, run: (opened: Opened) => Promise<void>) =>
    test(sentence, async (t) => run(await open(t)));

  const arrivals: [string, Step][] = [
    [ROOM, count(1)],
    [ROOM, join("ann")],
    [ANN, online()],
  ];

  rule("is told of once the time to come back is over, the channel first", async (opened) => {
    const { write, events, settle, redis } = opened;
    for (let twice = 0; twice < 2; twice++) await write(NEWCOMER, 1, arrivals);
    await sweepPartition(redis, P);
    assert.deepEqual(await events(), []);
    await settle();
    await Promise.all([sweepPartition(redis, P), sweepPartition(redis, P)]);
    const told = await events();
    assert.deepEqual(
      told.toSorted(),
      [occupied(ROOM), added(ROOM, "ann"), userEvent("user_online", "ann").json].toSorted(),
    );
    assert.ok(told.indexOf(occupied(ROOM)) < told.indexOf(added(ROOM, "ann")));
    await write(NEWCOMER, 2, [["later", count(1)]]);
    assert.deepEqual((await events()).slice(3), [occupied("later")], "at once from then on");
  });

  rule("is no news when somebody who held the same comes back", async (opened) => {
    const { write, events, settle } = opened;
    await write(NEWCOMER, 1, [...arrivals, [ROOM, join("bob")]]);
    await write(RESTORER, 1, [
      [ROOM, count(1, true)],
      [ROOM, join("ann", true)],
      [ANN, online(true)],
    ]);
    await settle();
    assert.deepEqual(await events(), [added(ROOM, "bob")]);
  });

  rule("is told when who held the same has left: of that receivers may know", async (opened) => {
    const { write, events, settle } = opened;
    await write(NEWCOMER, 1, arrivals);
    await write(RESTORER, 1, [
      [ROOM, leave("ann", true)],
      [ROOM, count(0, true)],
    ]);
    await settle();
    assert.deepEqual((await events()).slice(0, 2).toSorted(), [
      ...[occupied(ROOM), userEvent("user_online", "ann").json].toSorted(),
    ]);
    assert.deepEqual((await events()).slice(2), [added(ROOM, "ann")]);
  });

  rule("and leaves at once has come and gone, in that order", async (opened) => {
    const { write, events, settle } = opened;
    await write(NEWCOMER, 1, [
      [ROOM, count(1)],
      [ROOM, join("ann")],
      [ROOM, leave("ann")],
      [ROOM, count(0)],
    ]);
    await settle();
    assert.deepEqual(await events(), [
      occupied(ROOM),
      added(ROOM, "ann"),
      removed(ROOM, "ann"),
      vacated(ROOM),
    ]);
  });

  rule("is not written without a lease", async ({ write, events, settle, redis }) => {
    await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NEWCOMER);
    assert.deepEqual(await write(NEWCOMER, 1, arrivals), { outcome: "unregistered" });
    await settle();
    assert.deepEqual(await events(), []);
  });

  test("only who begins an epoch beside others makes them wait; of an older release nobody does", async (t) => {
    const meta = async (redis: RedisConnections) =>
      redis.commands.call("HGET", redis.keys.key(P, "meta"), "#lost_until");
    const fresh = async () => {
      const settings = { url: shared.server.url, keyPrefix: shared.keyPrefix(), partitions: 1 };
      return openConnections(t, settings);
    };
    const alone = await fresh();
    await register(alone, SETTINGS, P, "a.0", NOTHING);
    assert.equal(await meta(alone), null);
    await register(alone, SETTINGS, P, "b.0", { ...NOTHING, returnMs: 500 });
    assert.equal(await meta(alone), null, "the data was there");

    const beside = await fresh();
    const first = await register(beside, SETTINGS, P, "a.0", { ...NOTHING, returnMs: 500 });
    assert.ok(first !== "condemned" && first.arrivalsWaitMs > 0);
    const untilMs = await meta(beside);
    assert.equal(untilMs, `${first.epoch + 500}`);
    await register(beside, SETTINGS, P, "a.0", { ...NOTHING, returnMs: 500 });
    assert.equal(await meta(beside), untilMs, "sent twice");

    const older = await fresh();
    const { key } = older.keys;
    const script = readScript("register", 2);
    await older.commands.runScript(script, [key(P, "hb"), key(P, "meta")], ["a.0", "", 1, 0, 1]);
    assert.equal(await meta(older), null);
  });

  test("a node finds those that have registered everywhere, however often it asks", async (t) => {
    const settings = { url: shared.server.url, keyPrefix: "peers:", partitions: 1, lingerMs: 1 };
    const peers = async () => {
      const redis = await openConnections(t, settings);
      const context = {
        redis,
        nodeName: "n",
        settings: SETTINGS,
        counters: createRedisStateCounters(),
        announce: NOBODY_HEARS,
        now: Date.now,
        random: Math.random,
        log: SILENT_LOG,
      };
      return createPeers(context);
    };
    const [one, two] = [await peers(), await peers()];
    assert.deepEqual(await Promise.all([one.returnMs(), one.returnMs()]), [0, 0]);
    for (let twice = 0; twice < 2; twice++) two.join();
    await until("it is found", async () => (await one.returnMs()) === SETTINGS.restoreMs);
    two.leave();
    await until("it is gone", async () => (await one.returnMs()) === 0);
  });
});
