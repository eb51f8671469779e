/** The parts of the scripts that tell receivers of webhooks who is online, on a real Redis. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { register } from "../../src/channel-state/redis-lease.ts";
import { readScript, withKeys } from "../../src/channel-state/redis-script.ts";
import { REDIS_STATE_DEFAULTS } from "../../src/channel-state/redis-state-context.ts";
import { sweepPartition } from "../../src/channel-state/redis-sweep.ts";
import { runWrite, type WriteOutcome } from "../../src/channel-state/redis-write.ts";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import { userEvent } from "../../src/protocol/webhook-event.ts";
import type { RedisConnections } from "../../src/redis/connections.ts";
import { openConnections } from "../redis/open-connections.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { readEvents } from "./redis-state.ts";

const P = 0;
const APP = "1";
const NODE = "n.0";
const CHANNEL = `${USER_CHANNEL_PREFIX}u1`;
/** Who leaves is offline with the next sweep. */
const SETTINGS = { ...REDIS_STATE_DEFAULTS, leaveGraceMs: 0 };
const ONLINE = userEvent("user_online", "u1").json;
const OFFLINE = userEvent("user_offline", "u1").json;

interface Opened {
  readonly redis: RedisConnections;
  /** Writes that `node` has so many connections of the user, 1 or 0. `isTold`: receivers want to know. */
  write(
    seq: number,
    count: number,
    options?: { isTold?: boolean; isRestored?: boolean; node?: string },
  ): Promise<WriteOutcome>;
  events(): Promise<readonly string[]>;
  sweep(): Promise<unknown>;
}

describe("users in the scripts", () => {
  const shared = shareRedis();

  async function open(t: TestContext): Promise<Opened> {
    const keyPrefix = shared.keyPrefix();
    const redis = await openConnections(t, { url: shared.server.url, keyPrefix, partitions: 1 });
    for (const node of [NODE, "m.0"]) {
      await register(redis, SETTINGS, P, node);
    }
    return {
      redis,
      write(seq, count, { isTold = true, isRestored = false, node = NODE } = {}) {
        const channel = { appId: APP, name: CHANNEL, isUser: true };
        const step = { kind: "count", count, isAnnounced: isTold, isRestored } as const;
        return runWrite(redis, SETTINGS, { partition: P, node, seq, steps: [{ channel, step }] });
      },
      events: async () => (await readEvents(redis, P)).map(({ json }) => json),
      sweep: () => sweepPartition(redis, P),
    };
  }

  const rule = (sentence: string, run: (opened: Opened) => Promise<void>) =>
    test(sentence, async (t) => run(await open(t)));

  rule("a repeated write and a repeated sweep tell nothing twice", async (opened) => {
    const { write, events, sweep } = opened;
    for (let twice = 0; twice < 2; twice++) await write(1, 1);
    assert.deepEqual(await events(), [ONLINE]);
    for (let twice = 0; twice < 2; twice++) await write(2, 0);
    await Promise.all([sweep(), sweep()]);
    await sweep();
    assert.deepEqual(await events(), [ONLINE, OFFLINE]);
  });

  rule("events stand in the stream of the user's channel, in its partition", async (opened) => {
    await opened.write(1, 1);
    const [event] = await readEvents(opened.redis, P);
    assert.deepEqual([event?.appId, event?.channel, event?.type], [APP, CHANNEL, "user_online"]);
  });

  rule("a user on two nodes is offline when the second has left", async (opened) => {
    const { write, events, sweep } = opened;
    await write(1, 1);
    await write(1, 1, { node: "m.0" });
    await write(2, 0);
    await sweep();
    assert.deepEqual(await events(), [ONLINE]);
    await write(2, 0, { node: "m.0" });
    await sweep();
    assert.deepEqual(await events(), [ONLINE, OFFLINE]);
  });

  rule("without a lease nothing is told; once reaped, the user is offline once", async (opened) => {
    const { write, events, sweep, redis } = opened;
    await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NODE);
    assert.deepEqual(await write(1, 1), { outcome: "unregistered" });
    assert.deepEqual(await events(), []);
    await write(1, 1, { node: "m.0" });
    await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, "m.0");
    for (let twice = 0; twice < 2; twice++) await write(0, 0, { node: "m.0", isTold: false });
    await sweep();
    assert.deepEqual(await events(), [ONLINE, OFFLINE]);
  });

  rule("where no receiver wants to know nothing is appended and nothing kept", async (opened) => {
    const { write, events, sweep, redis } = opened;
    const kept = () => redis.commands.call("HLEN", redis.keys.key(P, "na", APP));
    await write(1, 1, { isTold: false });
    assert.equal(await kept(), 0);
    await write(2, 0, { isTold: false });
    await sweep();
    assert.deepEqual(await events(), []);
    await write(3, 1);
    assert.equal(await kept(), 1);
    await write(4, 0);
    await sweep();
    assert.equal(await kept(), 0);
    assert.deepEqual(await events(), [ONLINE, OFFLINE]);
  });

  rule("who is restored after a loss is no news, and his going away is", async (opened) => {
    const { write, events, sweep } = opened;
    await write(1, 1, { isRestored: true });
    await write(2, 0);
    await sweep();
    assert.deepEqual(await events(), [OFFLINE]);
    await write(3, 0, { isRestored: true });
    await sweep();
    assert.deepEqual(await events(), [OFFLINE, OFFLINE], "who was gone when Redis was back");
  });

  rule("a node of an older release still writes users and ends their graces", async (opened) => {
    const { write, events, redis } = opened;
    const { commands, keys, bus } = redis;
    const goOffline = (...args: readonly string[]) =>
      commands.runScript(
        withKeys(readScript("go-offline", 5), 2),
        [keys.key(P, "pend"), keys.watchTopic(APP, "u1")],
        [`u\0${APP}\0${CHANNEL}`, bus.publishCommand, ...args],
      );
    await write(1, 1, { isTold: false });
    await write(2, 0, { isTold: false });
    assert.equal(await goOffline(), 1);
    assert.equal(await goOffline(), 0);
    assert.deepEqual(await events(), []);
  });
});
