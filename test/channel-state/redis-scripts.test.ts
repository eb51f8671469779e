/** Each script on a real Redis: sent twice, and after the lease is gone. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import {
  bury,
  condemn,
  heartbeat,
  MAX_ENDED,
  register,
  release,
} from "../../src/channel-state/redis-lease.ts";
import { readMessage } from "../../src/channel-state/redis-message.ts";
import { readWhoIsOnline } from "../../src/channel-state/redis-online.ts";
import { readChannels, readCounts } from "../../src/channel-state/redis-reads.ts";
import { readRoster } from "../../src/channel-state/redis-roster.ts";
import { REDIS_STATE_DEFAULTS } from "../../src/channel-state/redis-state-context.ts";
import { sweepPartition } from "../../src/channel-state/redis-sweep.ts";
import type { Step } from "../../src/channel-state/redis-tracked-channel.ts";
import { runWrite, type WriteOutcome } from "../../src/channel-state/redis-write.ts";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import type { RedisConnections } from "../../src/redis/connections.ts";
import { openConnections } from "../redis/open-connections.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { until } from "../support/until.ts";
import {
  added,
  count as countEvent,
  marker,
  occupied,
  removed,
  vacated,
} from "./channel-state-under-test.ts";
import { readEvents } from "./redis-state.ts";

const P = 0;
const ROOM = "presence-room";
const NODE = "n.0";
const SETTINGS = { ...REDIS_STATE_DEFAULTS, leaveGraceMs: 60_000, countWindowMs: 60_000 };
/** What is put off is due at once. */
const NO_GRACE = { ...SETTINGS, leaveGraceMs: 0, countWindowMs: 0 };

/** What a node knows when it registers. */
const remembering = (nodeBefore?: string, epoch?: number, hasLostWrites = false, returnMs = 0) => ({
  nodeBefore,
  epoch,
  hasLostWrites,
  returnMs,
});

/** Whatever is read. */
const believe = () => undefined;

/** Everything in one partition, so that a test sees all keys. */
interface Opened {
  readonly redis: RedisConnections;
  readonly messages: string[];
  write(
    seq: number,
    steps: readonly [string, Step][],
    options?: WriteOptions,
  ): Promise<WriteOutcome>;
  events(): Promise<readonly string[]>;
  /** All keys and what is in them, in a form that can be compared. */
  contents(): Promise<unknown>;
}

interface WriteOptions {
  readonly node?: string;
  readonly settings?: typeof SETTINGS;
}

const subscriptions = (count: number, isAnnounced = false, isRestored = false): Step => ({
  kind: "count",
  count,
  isAnnounced,
  isRestored,
});
const join = (userId: string, maxMembers = Number.POSITIVE_INFINITY, isRestored = false): Step => ({
  kind: "join",
  user: { userId, userInfoJson: "{}", maxMembers, version: undefined, waiters: new Set() },
  isRestored,
});
const leave = (userId: string, isRestored = false): Step => ({ kind: "leave", userId, isRestored });
const record = (name: string): Step => ({
  kind: "record",
  event: { type: "client_event", json: marker(name) },
});

describe("scripts of the channel state", () => {
  const shared = shareRedis();

  async function open(t: TestContext): Promise<Opened> {
    const settings = { url: shared.server.url, keyPrefix: shared.keyPrefix(), partitions: 1 };
    const messages: string[] = [];
    const redis = await openConnections(t, settings, ({ bus }) => {
      for (const kind of ["member", "subscription_count", "watch"] as const) {
        bus.on(kind, (_topic, bytes) =>
          messages.push(`${kind} ${JSON.stringify(readMessage(bytes))}`),
        );
      }
      bus.on("wake", () => messages.push("wake"));
    });
    const { keys, bus } = redis;
    const topics = [
      keys.topic("1", ROOM),
      keys.topic("1", "a"),
      keys.watchTopic("1", "u1"),
      keys.wakeTopic(P),
    ];
    await Promise.all(topics.map((topic) => bus.subscribe(topic)));
    await register(redis, SETTINGS, P, NODE);
    return {
      redis,
      messages,
      write: (seq, steps, { node = NODE, settings = SETTINGS } = {}) =>
        runWrite(redis, settings, { partition: P, node, seq, steps: stepsOf(steps) }),
      events: async () => (await readEvents(redis, P)).map(({ json }) => json),
      async contents() {
        const names = (await shared.server.call("KEYS", `${settings.keyPrefix}v1*`)) as string[];
        const entries = names
          .sort()
          .map(async (name) => [name, await shared.server.call("DUMP", name)]);
        return Promise.all(entries);
      },
    };
  }

  /** Steps of one channel share an object, as they do in a lane. */
  function stepsOf(steps: readonly [string, Step][]) {
    const channels = new Map<string, { appId: string; name: string; isUser: boolean }>();
    return steps.map(([name, step]) => {
      const isUser = name.startsWith(USER_CHANNEL_PREFIX);
      const channel = channels.get(name) ?? { appId: "1", name, isUser };
      channels.set(name, channel);
      return { channel, step };
    });
  }

  const rule = (sentence: string, run: (opened: Opened) => Promise<void>) =>
    test(sentence, async (t) => run(await open(t)));

  describe("write", () => {
    rule("a repeated write changes nothing and answers what stands", async (opened) => {
      const { write, contents, events, messages } = opened;
      const steps: [string, Step][] = [
        [ROOM, subscriptions(2, true)],
        [ROOM, join("u1")],
        [ROOM, record("one")],
        [ROOM, join("u2", 1)],
        ["a", subscriptions(1)],
        ["a", subscriptions(0)],
        [`${USER_CHANNEL_PREFIX}u1`, subscriptions(1)],
      ];
      const first = await write(1, steps);
      assert.ok(first.outcome === "ok");
      const [, version, , full, , , atUs] = first.replies;
      assert.equal(typeof version, "number");
      assert.equal(full, "full");
      assert.equal(typeof atUs, "number");
      const before = await contents();
      const second = await write(1, steps);
      assert.deepEqual(second, {
        outcome: "ok",
        replies: [undefined, version, undefined, "full", undefined, undefined, undefined],
      });
      assert.deepEqual(await contents(), before);
      assert.deepEqual(await events(), [
        occupied(ROOM),
        countEvent(ROOM, 2),
        added(ROOM, "u1"),
        marker("one"),
        occupied("a"),
      ]);
      await until("all messages have come", () => messages.length >= 5);
      assert.deepEqual(messages.map((text) => text.split(" ")[0]).sort(), [
        "member",
        "subscription_count",
        "wake",
        "wake",
        "watch",
      ]);
    });

    rule(
      "a repeated write does not bring back who came and went in it",
      async ({ write, contents }) => {
        const steps: [string, Step][] = [
          [ROOM, join("u1")],
          [ROOM, join("u2")],
          [ROOM, leave("u1")],
        ];
        await write(1, steps);
        const before = await contents();
        await write(1, steps);
        assert.deepEqual(await contents(), before);
      },
    );

    rule(
      "without a lease nothing is written, before registration and after condemnation",
      async (opened) => {
        const { write, contents, redis } = opened;
        const steps: [string, Step][] = [
          [ROOM, subscriptions(1)],
          [ROOM, join("u1")],
          [ROOM, record("one")],
        ];
        await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NODE);
        const before = await contents();
        assert.deepEqual(await write(1, steps), { outcome: "unregistered" });
        assert.deepEqual(await write(1, steps, { node: "stranger.0" }), {
          outcome: "unregistered",
        });
        assert.deepEqual(await contents(), before);
      },
    );

    rule("a late copy of an older write changes nothing", async ({ write, contents }) => {
      await write(1, [["a", subscriptions(5)]]);
      await write(2, [["a", subscriptions(0)]]);
      const before = await contents();
      assert.deepEqual(await write(1, [["a", subscriptions(5)]]), { outcome: "stale" });
      assert.deepEqual(await contents(), before);
    });

    rule(
      "a write notices that those before it are lost, and changes nothing",
      async ({ write, contents }) => {
        await write(1, [["a", subscriptions(5)]]);
        const before = await contents();
        assert.deepEqual(await write(3, [["a", subscriptions(0)]]), { outcome: "lost" });
        assert.deepEqual(await contents(), before);
      },
    );

    rule("only a condemned node is reaped, and twice is as good as once", async (opened) => {
      const { write, contents, events, redis } = opened;
      await write(1, [
        [ROOM, subscriptions(1, true)],
        [ROOM, join("u1")],
      ]);
      const reaping: [string, Step][] = [
        [ROOM, leave("u1")],
        [ROOM, subscriptions(0)],
      ];
      const before = await contents();
      assert.deepEqual(await write(0, reaping), { outcome: "alive" });
      assert.deepEqual(await write(0, reaping, { node: "gone.0" }), { outcome: "alive" });
      assert.deepEqual(await contents(), before);
      await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NODE);
      await write(0, reaping, { settings: NO_GRACE });
      const after = await contents();
      await write(0, reaping, { settings: NO_GRACE });
      assert.deepEqual(await contents(), after);
      await sweepPartition(redis, P);
      assert.deepEqual((await events()).slice(-3), [
        countEvent(ROOM, 0),
        removed(ROOM, "u1"),
        vacated(ROOM),
      ]);
    });

    rule(
      "the dispatcher is woken by the first event and by the earliest leave, not by others",
      async (opened) => {
        const { write, messages, redis } = opened;
        const wakes = () => messages.filter((text) => text === "wake").length;
        await write(1, [
          ["a", subscriptions(1)],
          [ROOM, subscriptions(1)],
        ]);
        await until("the first event has woken", () => wakes() === 1);
        await write(2, [[ROOM, subscriptions(0)]]);
        await until("the first leave has woken", () => wakes() === 2);
        await write(3, [["a", subscriptions(0)]]);
        await write(
          4,
          [
            ["b", subscriptions(1)],
            ["b", subscriptions(0)],
          ],
          { settings: NO_GRACE },
        );
        await until("an earlier leave has woken", () => wakes() === 3);
        await redis.bus.publish(redis.keys.wakeTopic(P), Buffer.from("1"));
        await until("the marker has come", () => wakes() === 4);
      },
    );

    rule(
      "versions of a roster grow when it is born again, and name the version before",
      async (opened) => {
        const { write, redis } = opened;
        const versions: number[] = [];
        for (const [n, userId] of ["u1", "u2", "u1"].entries()) {
          await write(2 * n + 1, [[ROOM, join(userId)]]);
          versions.push((await readRoster(redis, "1", ROOM)).version);
          await write(2 * n + 2, [[ROOM, leave(userId)]]);
          assert.equal((await readRoster(redis, "1", ROOM)).version, 0);
        }
        assert.deepEqual(
          [...versions].sort((a, b) => a - b),
          versions,
        );
        await until(
          "all changes have come",
          () => opened.messages.filter((text) => text.startsWith("member")).length === 6,
        );
        const changes = opened.messages
          .filter((text) => text.startsWith("member"))
          .map((text) => JSON.parse(text.slice(7)) as { previous: number; version: number });
        for (const [n, { previous }] of changes.entries()) {
          assert.equal(previous, n % 2 === 0 ? 0 : changes[n - 1]?.version);
        }
      },
    );

    rule(
      "a list that ends and begins anew in one write has another version each time",
      async (opened) => {
        const { write, messages } = opened;
        const again: [string, Step][] = [
          [ROOM, join("u1")],
          [ROOM, leave("u1")],
        ];
        await write(1, [...again, ...again, ...again]);
        const told = () => messages.filter((text) => text.startsWith("member"));
        await until("all changes have come", () => told().length === 6);
        const versions = told().map((text) => JSON.parse(text.slice(7)).version);
        assert.equal(new Set(versions).size, 6);
      },
    );

    rule(
      "what is restored is no news, and a place is not refused to who is restored",
      async (opened) => {
        const { write, events, messages, redis } = opened;
        await write(1, [[ROOM, join("u1", 1)]]);
        const { length } = await events();
        const restored = await write(2, [
          [ROOM, join("u2", 1, true)],
          ["a", subscriptions(3, true, true)],
          [`${USER_CHANNEL_PREFIX}u1`, subscriptions(1, false, true)],
        ]);
        assert.ok(restored.outcome === "ok" && typeof restored.replies[0] === "number");
        assert.equal((await events()).length, length);
        assert.deepEqual(await readCounts(redis, believe, "1", "a"), {
          subscriptions: 3,
          users: 0,
        });
        await redis.bus.publish(redis.keys.wakeTopic(P), Buffer.from("1"));
        await until("the marker has come", () => messages.at(-1) === "wake");
        assert.ok(!messages.some((text) => text.startsWith("watch")));
      },
    );

    rule(
      "who left while Redis lost the state is gone for good once nobody has come back",
      async (opened) => {
        const { write, events, redis } = opened;
        const leaving: [string, Step][] = [
          [ROOM, leave("u1", true)],
          [ROOM, leave("u2", true)],
          [ROOM, subscriptions(0, false, true)],
        ];
        await write(1, leaving, { settings: NO_GRACE });
        await write(2, leaving, { settings: NO_GRACE });
        await write(3, [
          ["presence-b", join("u9", 9, true)],
          ["presence-b", leave("u9", true)],
        ]);
        await sweepPartition(redis, P);
        assert.deepEqual(await events(), [removed(ROOM, "u1"), removed(ROOM, "u2"), vacated(ROOM)]);
      },
    );

    // The simulation found this: bug 4 of the prototype.
    rule("a member alone is in the ledger, and stays there when the count is 0", async (opened) => {
      const { write, redis } = opened;
      const ledger = () => redis.commands.call("SMEMBERS", redis.keys.key(P, "L", NODE));
      await write(1, [[ROOM, join("u1")]]);
      assert.deepEqual(await ledger(), [`1\0${ROOM}`]);
      await write(2, [[ROOM, subscriptions(1)]]);
      await write(3, [[ROOM, subscriptions(0)]]);
      assert.deepEqual(await ledger(), [`1\0${ROOM}`]);
      await write(4, [[ROOM, leave("u1")]]);
      assert.deepEqual(await ledger(), []);
    });

    // A trap of the prototype: its batch script did not look at the node's users.
    rule("a storm of counts leaves each channel with members in the ledger", async (opened) => {
      const { write, redis } = opened;
      const rooms = Array.from({ length: 40 }, (_, n) => `presence-${n}`);
      await write(
        1,
        rooms.flatMap((room): [string, Step][] => [
          [room, subscriptions(1)],
          [room, join("u1")],
        ]),
      );
      await write(
        2,
        rooms.map((room): [string, Step] => [room, subscriptions(0)]),
      );
      const ledger = (await redis.commands.call(
        "SMEMBERS",
        redis.keys.key(P, "L", NODE),
      )) as string[];
      assert.deepEqual(ledger.sort(), rooms.map((room) => `1\0${room}`).sort());
    });

    // A trap of the prototype: MAXLEN trimmed what nobody had acknowledged.
    test("no script trims the stream of events", () => {
      const folder = new URL("../../src/channel-state/lua/", import.meta.url);
      for (const file of readdirSync(folder)) {
        assert.doesNotMatch(
          readFileSync(new URL(file, folder), "utf8"),
          /MAXLEN|MINID|XTRIM|XDEL/,
          file,
        );
      }
    });
  });

  describe("leases", () => {
    rule(
      "registering twice takes one lease and keeps the number of the highest write",
      async (opened) => {
        const { redis, write } = opened;
        await write(1, [["a", subscriptions(1)]]);
        const first = await register(redis, SETTINGS, P, NODE);
        const second = await register(redis, SETTINGS, P, NODE, remembering(NODE));
        assert.ok(first !== "condemned" && second !== "condemned");
        assert.equal(second.epoch, first.epoch);
        assert.equal(second.seqBefore, 1);
        assert.deepEqual(await write(1, [["a", subscriptions(1)]]), {
          outcome: "ok",
          replies: [undefined],
        });
      },
    );

    rule("a condemned node cannot register under its name", async ({ redis }) => {
      await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NODE);
      assert.equal(await register(redis, SETTINGS, P, NODE), "condemned");
      const next = await register(redis, SETTINGS, P, "n.1", remembering(NODE));
      assert.ok(next !== "condemned" && next.seqBefore === 0);
    });

    rule(
      "the epoch is never lower than one that a node remembers, and a loss lasts until nodes are back",
      async ({ redis }) => {
        const later = Date.now() + 3_600_000;
        const known = await register(redis, SETTINGS, P, "n.1", remembering(undefined, later));
        assert.ok(known !== "condemned");
        assert.equal(known.epoch, later + 1);
        const other = await register(redis, SETTINGS, P, "m.0");
        assert.ok(other !== "condemned" && other.epoch === known.epoch);
        const { epoch, restoreMs } = await readRoster(redis, "1", ROOM);
        assert.equal(epoch, known.epoch);
        assert.ok(restoreMs > SETTINGS.restoreMs);
      },
    );

    rule(
      "who registers with writes lost holds reads back until others have found theirs, twice as well as once",
      async ({ redis }) => {
        const restoreMsOf = async () => (await readRoster(redis, "1", ROOM)).restoreMs;
        await register(redis, SETTINGS, P, "n.1", remembering(NODE));
        assert.equal(await restoreMsOf(), 0);
        for (let times = 0; times < 2; times++) {
          await register(redis, SETTINGS, P, "n.1", remembering(NODE, undefined, true));
          const restoreMs = await restoreMsOf();
          assert.ok(restoreMs > 0 && restoreMs <= SETTINGS.restoreMs, `${restoreMs}`);
        }
      },
    );

    rule(
      "a heartbeat renews only a lease that is there, twice as well as once",
      async ({ redis, write }) => {
        await write(1, [["a", subscriptions(1)]]);
        for (let twice = 0; twice < 2; twice++) {
          const beat = await heartbeat(redis, SETTINGS, P, NODE);
          assert.ok(beat !== "unregistered");
          assert.deepEqual([beat.highestSeq, beat.ended], [1, []]);
        }
        await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NODE);
        assert.equal(await heartbeat(redis, SETTINGS, P, NODE), "unregistered");
        assert.equal(await heartbeat(redis, SETTINGS, P, "stranger.0"), "unregistered");
        assert.equal(await redis.commands.call("ZSCORE", redis.keys.key(P, "hb"), NODE), "-1");
      },
    );

    rule(
      "dead nodes that cannot be buried do not hide the others from a heartbeat",
      async ({ redis }) => {
        const { commands, keys } = redis;
        const names = Array.from({ length: 40 }, (_, n) => `condemned-${n}.0`);
        await commands.call("ZADD", keys.key(P, "hb"), ...names.flatMap((name) => [-1, name]));
        await commands.call("ZADD", keys.key(P, "hb"), 1, "ended.0");
        const told = new Set<string>();
        for (let turn = 0; turn < 60; turn++) {
          const beat = await heartbeat(redis, SETTINGS, P, NODE, turn);
          assert.ok(beat !== "unregistered");
          assert.equal(beat.ended[0], "ended.0");
          assert.ok(beat.ended.length <= MAX_ENDED);
          for (const node of beat.ended) told.add(node);
        }
        assert.deepEqual([...told].sort(), ["ended.0", ...names].sort());
      },
    );

    rule(
      "a heartbeat tells of ended leases, but not to one who was away as well",
      async ({ redis }) => {
        const leases = redis.keys.key(P, "hb");
        await redis.commands.call("ZADD", leases, 1, "gone.0", -1, "condemned.0");
        const beat = await heartbeat(redis, SETTINGS, P, NODE);
        assert.ok(beat !== "unregistered");
        assert.deepEqual(beat.ended, ["gone.0", "condemned.0"]);
        await redis.commands.call("ZADD", leases, 1, NODE);
        const late = await heartbeat(redis, SETTINGS, P, NODE);
        assert.ok(late !== "unregistered");
        assert.deepEqual(late.ended, []);
      },
    );

    rule("only a node whose lease has ended is condemned, and says so twice", async ({ redis }) => {
      assert.equal(await condemn(redis, P, NODE), false);
      assert.equal(await condemn(redis, P, "stranger.0"), false);
      await redis.commands.call("ZADD", redis.keys.key(P, "hb"), 1, NODE);
      assert.equal(await condemn(redis, P, NODE), true);
      assert.equal(await condemn(redis, P, NODE), true);
    });

    rule("only a condemned node that holds nothing is buried, once", async ({ redis, write }) => {
      assert.equal(await bury(redis, P, NODE), false);
      await write(1, [["a", subscriptions(1)]]);
      await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NODE);
      assert.equal(await bury(redis, P, NODE), false);
      await write(0, [["a", subscriptions(0)]]);
      assert.equal(await bury(redis, P, NODE), true);
      assert.equal(await bury(redis, P, NODE), false);
      assert.equal(await redis.commands.call("HEXISTS", redis.keys.key(P, "meta"), NODE), 0);
    });

    rule(
      "a lease is given back once, and not by one who holds something or is condemned",
      async ({ redis, write }) => {
        await write(1, [["a", subscriptions(1)]]);
        assert.equal(await release(redis, P, NODE), false);
        await write(2, [["a", subscriptions(0)]]);
        assert.equal(await release(redis, P, NODE), true);
        assert.equal(await release(redis, P, NODE), false);
        await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, NODE);
        assert.equal(await release(redis, P, NODE), false);
      },
    );
  });

  describe("sweeps and reads", () => {
    rule(
      "two sweeps at once turn each leave into one event, also when the node is gone",
      async (opened) => {
        const { write, redis, events, messages } = opened;
        const user = `${USER_CHANNEL_PREFIX}u1`;
        const come: [string, Step][] = [
          [ROOM, subscriptions(1)],
          [ROOM, join("u1")],
          ["a", subscriptions(101, true)],
          [user, subscriptions(1)],
        ];
        const go: [string, Step][] = [
          [ROOM, subscriptions(0)],
          [ROOM, leave("u1")],
          [user, subscriptions(0)],
        ];
        await write(1, [...come, ...go], { settings: NO_GRACE });
        await release(redis, P, NODE);
        await Promise.all([sweepPartition(redis, P), sweepPartition(redis, P)]);
        assert.equal(await sweepPartition(redis, P), undefined);
        assert.deepEqual(
          (await events()).slice(-3).sort(),
          [vacated(ROOM), removed(ROOM, "u1"), countEvent("a", 101)].sort(),
        );
        assert.equal(new Set(await events()).size, (await events()).length);
        await until("offline has come", () =>
          messages.some((text) => text.includes('"online":false')),
        );
        assert.equal(messages.filter((text) => text.startsWith("watch")).length, 2);
        assert.equal(messages.filter((text) => text.startsWith("subscription_count")).length, 1);
      },
    );

    rule(
      "members are swept before their channel though all were put off at once",
      async ({ write, redis, events }) => {
        const users = Array.from({ length: 300 }, (_, n) => `u${n}`);
        await write(
          1,
          users.map((userId): [string, Step] => [ROOM, join(userId)]),
        );
        await write(
          2,
          users.map((userId): [string, Step] => [ROOM, leave(userId)]),
          { settings: NO_GRACE },
        );
        await sweepPartition(redis, P);
        const all = await events();
        assert.equal(all.length, 602);
        assert.equal(all.at(-1), vacated(ROOM));
      },
    );

    rule("a sweep says in how many ms the next leave is due", async ({ write, redis }) => {
      assert.equal(await sweepPartition(redis, P), undefined);
      await write(1, [
        ["a", subscriptions(1)],
        ["a", subscriptions(0)],
      ]);
      const inMs = await sweepPartition(redis, P);
      assert.ok(inMs !== undefined && inMs > 50_000 && inMs <= SETTINGS.leaveGraceMs, `${inMs}`);
    });

    rule(
      "what cannot be settled neither stops a sweep nor hides the rest, and is tried again by the next",
      async ({ write, redis, events }) => {
        const { commands, keys } = redis;
        const pending = keys.key(P, "pend");
        const announced = keys.key(P, "na", "broken");
        const broken = Array.from({ length: 450 }, (_, n) => ["1", `w\0broken\0room-${n}`]);
        await commands.call("ZADD", pending, ...broken.flat());
        // Of a newer release, and damaged.
        await commands.call("ZADD", pending, 1, "x\0new\0room", 1, "m\0half", 1, "o\0half");
        await commands.call("SET", announced, "no hash");
        await commands.call("HSET", keys.key(P, "n", "broken"), "room-7", 1);
        await write(
          1,
          [
            ["a", subscriptions(1)],
            ["a", subscriptions(0)],
          ],
          { settings: NO_GRACE },
        );
        const told: unknown[] = [];
        const sweep = () =>
          sweepPartition(redis, P, (_p, failed) =>
            told.push([...failed].map(([kind, { count }]) => [kind, count])),
          );
        await sweep();
        assert.deepEqual(await events(), [occupied("a"), vacated("a")]);
        await commands.call("DEL", announced);
        await sweep();
        assert.deepEqual(await events(), [occupied("a"), vacated("a"), countEvent("room-7", 1)]);
        assert.deepEqual(
          told.map((failed) => Object.fromEntries(failed as [string, number][])),
          [{ count: 450, other: 3 }, { other: 3 }],
        );
        await assert.rejects(sweepPartition(redis, P), /sweep\.lua answered/);
      },
    );

    rule("user ids are told as they are, whatever is in them", async ({ write, redis, events }) => {
      const userId = 'a/b "c" \\ ü \u0001 #v';
      await write(
        1,
        [
          [ROOM, join(userId)],
          [ROOM, leave(userId)],
        ],
        { settings: NO_GRACE },
      );
      await sweepPartition(redis, P);
      const quoted = JSON.stringify(userId);
      assert.deepEqual((await events()).slice(1, 3), [
        `{"name":"member_added","channel":"${ROOM}","user_id":${quoted}}`,
        `{"name":"member_removed","channel":"${ROOM}","user_id":${quoted}}`,
      ]);
    });

    rule(
      "a roster is in order of arrival and keeps infos as they were",
      async ({ write, redis }) => {
        const infos = Array.from(
          { length: 200 },
          (_, n) => `{"n":${n}.0,"text":"${"x".repeat(n)}/:"}`,
        );
        for (const [n, userInfoJson] of infos.entries()) {
          const user = {
            userId: `u${(n * 7) % 200}`,
            userInfoJson,
            maxMembers: 1_000,
            version: undefined,
            waiters: new Set<never>(),
          };
          await write(n + 1, [[ROOM, { kind: "join", user, isRestored: false }]]);
        }
        assert.deepEqual([...(await readRoster(redis, "1", ROOM)).members.values()], infos);
      },
    );

    rule(
      "thousands of channels are listed with their counts, and by prefix",
      async ({ write, redis }) => {
        for (let n = 0; n < 90; n++) {
          const some = Array.from({ length: 100 }, (_, i): [string, Step] => [
            `room-${n * 100 + i}`,
            subscriptions(i + 1),
          ]);
          await write(n + 1, some);
        }
        const all = await readChannels(redis, believe, "1", "");
        assert.equal(all.size, 9_000);
        assert.deepEqual(all.get("room-8999"), { subscriptions: 100, users: 0 });
        assert.equal((await readChannels(redis, believe, "1", "room-89")).size, 111);
        assert.equal((await readChannels(redis, believe, "2", "")).size, 0);
      },
    );

    rule(
      "online are those with a connection and those within the grace",
      async ({ write, redis }) => {
        const user = (userId: string) => `${USER_CHANNEL_PREFIX}${userId}`;
        await write(1, [
          [user("here"), subscriptions(1)],
          [user("just left"), subscriptions(1)],
          [user("just left"), subscriptions(0)],
        ]);
        const users = ["here", "just left", "never"].map((userId) => ({ appId: "1", userId }));
        const answers = await readWhoIsOnline(redis, users);
        assert.deepEqual(
          answers.map(({ isOnline }) => isOnline),
          [true, true, false],
        );
        assert.ok(answers.every(({ atUs }) => Math.abs(atUs / 1_000 - Date.now()) < 60_000));
      },
    );
  });
});
