/** Bugs that the simulation of the design has found, each as a rule, and what a node does when Redis is away. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { StateUnavailableError } from "../../src/channel-state/channel-state.ts";
import { readCounts } from "../../src/channel-state/redis-reads.ts";
import { reap } from "../../src/channel-state/redis-reaper.ts";
import {
  createRedisStateCounters,
  REDIS_STATE_DEFAULTS,
  type StateRedis,
} from "../../src/channel-state/redis-state-context.ts";
import { type Log, SILENT_LOG } from "../../src/protocol/log.ts";
import {
  added,
  announced,
  marker,
  occupied,
  removed,
  vacated,
} from "../channel-state/channel-state-under-test.ts";
import {
  type OpenedRedisState,
  openRedisState,
  type RedisStateOptions,
} from "../channel-state/redis-state.ts";
import { NOBODY_HEARS } from "../support/announcements.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { until } from "../support/until.ts";
import { leftOver } from "./state-checks.ts";
import { NO_FAULTS, withFaults } from "./state-faults.ts";

const APP = "1";
const ROOM = "presence-room";
const P = 0;
/** A node that is told of no heartbeat: its lease ends only when a test says so. */
const QUIET = { leaseMs: 60_000, heartbeatMs: 60_000 };
const QUICK = {
  leaseMs: 600,
  heartbeatMs: 100,
  restoreMs: 600,
  leaveGraceMs: 200,
  longestRetryMs: 100,
};

const isUnavailable = (error: unknown) => error instanceof StateUnavailableError;

/** Whatever is read. */
const believe = () => undefined;

const member = (userId: string) => ({ userId, userInfoJson: "{}" });
const clientEvent = (name: string) => ({ type: "client_event", json: marker(name) }) as const;

describe("a node and its leases", () => {
  const shared = shareRedis();

  async function open(
    t: TestContext,
    options: Partial<RedisStateOptions> = {},
  ): Promise<OpenedRedisState> {
    const opened = await openRedisState({
      server: shared.server,
      keyPrefix: shared.keyPrefix(),
      partitions: 1,
      ...options,
    });
    t.after(() => opened.close());
    return opened;
  }

  /** As a reaper does when the node's lease has ended. */
  async function condemn({ redis }: OpenedRedisState, node: string): Promise<void> {
    await redis.commands.call("ZADD", redis.keys.key(P, "hb"), -1, node);
  }

  // Bug 1: "busy" was cleared a microtask after the decision that there is nothing to do.
  test("a call in any microtask after an answer is not left lying", async (t) => {
    let onAnswer: (() => void) | undefined;
    const { state, redis } = await open(t, {
      settings: QUIET,
      wrap: (redis) => afterWrites(redis, () => onAnswer?.()),
    });
    for (let depth = 0; depth < 40; depth++) {
      onAnswer = () => {
        onAnswer = undefined;
        inMicrotasks(depth, () => state.setSubscriptions(APP, "a", depth + 2, false));
      };
      state.setSubscriptions(APP, "a", 1, false);
      // Not read through the state, which would go on because of the question.
      await until(`the call ${depth} microtasks later is written`, async () => {
        const { subscriptions } = await readCounts(redis, believe, APP, "a");
        return subscriptions === depth + 2;
      });
    }
  });

  // Bug 2: a stale channel object took its successor with it.
  test("a channel that is forgotten and comes again is one channel, and its events are not lost", async (t) => {
    const faults = { ...NO_FAULTS };
    let release: (() => void) | undefined;
    let isHolding = false;
    const opened = await open(t, {
      settings: { ...QUIET, firstRetryMs: 10, longestRetryMs: 10 },
      wrap: (redis) =>
        withHeldAnswers(
          withFaults(redis, faults, () => 0.5),
          ({ script }) => isHolding && script === "register",
          (go) => {
            release = go;
          },
        ),
    });
    const { state } = opened;
    await condemn(opened, "node.0");
    faults.isCut = true;
    state.record(APP, "a", clientEvent("under way"));
    await until("the write has failed twice", () => state.counters.writeFailures > 1);
    isHolding = true;
    faults.isCut = false;
    await until("the node is about to register anew", () => release);
    isHolding = false;
    // Comes and goes: forgotten at once. Comes again: another object.
    for (const count of [1, 0, 1]) state.setSubscriptions(APP, "a", count, false);
    release?.();
    await until("the node is back", () => state.counters.reincarnations === 1);
    state.setSubscriptions(APP, "a", 2, false);
    assert.deepEqual(await state.channel(APP, "a"), { subscriptions: 2, users: 0 });
    const events = await opened.appended(APP, "a");
    assert.deepEqual([...events].sort(), [marker("under way"), occupied("a")].sort());
    state.setSubscriptions(APP, "a", 0, false);
    await until("nothing is remembered", () => state.sizes().channels === 0);
  });

  // Bug 3: a late answer about an older incarnation fenced the new one.
  test("a late answer to a heartbeat of an older incarnation does not end the new one", async (t) => {
    let held: (() => void) | undefined;
    const opened = await open(t, {
      settings: { leaseMs: 60_000, heartbeatMs: 50 },
      wrap: (redis) =>
        withHeldAnswers(
          redis,
          ({ script, answer }) => script === "heartbeat" && isRefusal(answer) && !held,
          (release) => {
            held = release;
          },
        ),
    });
    const { state } = opened;
    await condemn(opened, "node.0");
    await until("a heartbeat waits for its answer", () => held);
    state.setSubscriptions(APP, "a", 1, false);
    await until("the node has a new incarnation", () => state.counters.reincarnations === 1);
    held?.();
    await until("later heartbeats are answered", () => state.counters.heartbeats > 2);
    assert.equal(state.counters.reincarnations, 1);
    assert.deepEqual(await state.channel(APP, "a"), { subscriptions: 1, users: 0 });
  });

  // Bug 5: a reaper went on when the node was alive after all.
  test("a reaper stops when the node is alive after all, and takes nothing away", async (t) => {
    const opened = await open(t, { settings: QUIET });
    const { state, redis } = opened;
    state.setSubscriptions(APP, "a", 1, false);
    await state.channel(APP, "a");
    const leases = redis.keys.key(P, "hb");
    await redis.commands.call("ZADD", leases, 1, "node.0");
    const rescuing: StateRedis = {
      ...redis,
      commands: {
        ...redis.commands,
        async call(command, key, ...args) {
          // Between condemning and reaping, as when a failover sets the lease back.
          await redis.commands.call("ZADD", leases, Date.now() + 60_000, "node.0");
          return redis.commands.call(command, key, ...args);
        },
      },
    };
    await reap(contextOf(rescuing), P, "node.0");
    assert.deepEqual(await state.channel(APP, "a"), { subscriptions: 1, users: 0 });
    assert.equal(state.counters.reincarnations, 0);
  });

  test("channels that cannot be cleaned up after do not keep a dead node in the others", async (t) => {
    const lines: string[] = [];
    const opened = await open(t, { settings: QUIET, log: linesTo(lines) });
    const { state, redis } = opened;
    const { commands, keys } = redis;
    const broken = Array.from({ length: 70 }, (_, n) => `presence-${n}`);
    const ledger = keys.key(P, "L", "gone.0");
    for (const name of broken) {
      await commands.call("SADD", ledger, `${APP}\0${name}`);
      // One cannot be read, one cannot be written.
      await commands.call("SET", keys.key(P, "pn", APP, "gone.0", name), "no set");
    }
    await commands.call("SADD", ledger, `${APP}\0unwritable`);
    await commands.call("SET", keys.key(P, "c", APP, "unwritable"), "no hash");
    for (let n = 0; n < 200; n++) {
      await commands.call("SADD", ledger, `${APP}\0room-${n}`);
      await commands.call("HSET", keys.key(P, "c", APP, `room-${n}`), "gone.0", 1);
    }
    await commands.call("ZADD", keys.key(P, "hb"), 1, "gone.0");
    const context = contextOf(redis);
    await assert.rejects(reap(context, P, "gone.0"), /out of 71 channels/);
    assert.equal(context.counters.reapFailures, 71);
    assert.equal(await commands.call("SCARD", ledger), 71);
    assert.equal(await commands.call("EXISTS", keys.key(P, "c", APP, "room-199")), 0);

    for (const name of broken) await commands.call("DEL", keys.key(P, "pn", APP, "gone.0", name));
    await commands.call("DEL", keys.key(P, "c", APP, "unwritable"));
    await reap(context, P, "gone.0");
    assert.equal(await commands.call("ZSCORE", keys.key(P, "hb"), "gone.0"), null);
    assert.equal(state.counters.reincarnations, 0);
  });

  test("what cannot be settled is told once when it begins and once when it ends", async (t) => {
    const lines: string[] = [];
    const { state, redis } = await open(t, { settings: QUIET, log: linesTo(lines) });
    const { commands, keys } = redis;
    await commands.call("ZADD", keys.key(P, "pend"), 1, `w\0${APP}\0room`);
    await commands.call("SET", keys.key(P, "n", APP), "no hash");
    for (let times = 0; times < 3; times++) await state.sweep(P);
    assert.deepEqual(lines, ["what is due cannot be settled"]);
    assert.equal(state.counters.sweepFailures, 3);
    await commands.call("DEL", keys.key(P, "n", APP));
    await state.sweep(P);
    assert.deepEqual(lines, ["what is due cannot be settled", "what is due is settled again"]);
    assert.equal(await commands.call("ZCARD", keys.key(P, "pend")), 0);
  });

  test("after a loss reads are refused until everybody has had the time to come back, and then right", async (t) => {
    const keyPrefix = shared.keyPrefix();
    // Neither finds out by itself while the test runs.
    const settings = { ...QUICK, leaseMs: 60_000, heartbeatMs: 60_000, restoreMs: 400 };
    const one = await open(t, { keyPrefix, settings, nodeName: "one" });
    const two = await open(t, { keyPrefix, settings, nodeName: "two" });
    for (const [n, { state }] of [one, two].entries()) {
      state.setSubscriptions(APP, ROOM, 1, false);
      await state.addMember(APP, ROOM, member(`u${n}`), 10);
    }
    const reads: readonly (() => Promise<unknown>)[] = [
      async () => one.state.channel(APP, ROOM),
      async () => one.state.channels(APP, ""),
      async () => one.state.users(APP, ROOM),
    ];
    for (const read of reads) {
      await until("the last loss is over", () =>
        read().then(
          () => true,
          () => false,
        ),
      );
      await shared.server.call("FLUSHALL");
      await assert.rejects(read, isUnavailable, "it is noticed by the read itself");
      await until(
        "one has registered anew",
        async () =>
          1 ===
          (await one.redis.commands.call(
            "HEXISTS",
            one.redis.keys.key(P, "meta"),
            "#restore_until",
          )),
      );
      // One is back, two is not: whatever is answered now is too little.
      for (const each of reads) await assert.rejects(each, isUnavailable);
      await assert.rejects(async () => two.state.channel(APP, ROOM), isUnavailable);
      const answers: unknown[] = [];
      await until("reads are answered", async () => {
        const answer = await reads[0]?.().catch(() => undefined);
        if (answer) answers.push(answer);
        return answer;
      });
      assert.deepEqual(answers, [{ subscriptions: 2, users: 2 }]);
      assert.equal(await shared.server.call("HGET", `${keyPrefix}meta`, "partitions"), "1");
    }
  });

  test("after the last writes are lost reads are refused in the same way", async (t) => {
    const opened = await open(t, { settings: { ...QUIET, restoreMs: 300 } });
    const { state, redis } = opened;
    state.setSubscriptions(APP, "a", 1, false);
    await state.channel(APP, "a");
    // As a failover to a replica does that has not heard of it.
    await shared.server.call("HSET", redis.keys.key(P, "meta"), "node.0", 0);
    await shared.server.call("DEL", redis.keys.key(P, "c", APP, "a"), redis.keys.key(P, "n", APP));
    await shared.server.call("CLIENT", "KILL", "TYPE", "normal");
    // With the connection, not first with a heartbeat.
    await until("it is noticed", () => state.counters.writeLosses === 1);
    await assert.rejects(async () => state.channel(APP, "a"), isUnavailable);
    const read = async () => state.channel(APP, "a");
    const answer = await until("reads are answered", () => read().catch(() => undefined));
    assert.deepEqual(answer, { subscriptions: 1, users: 0 });
  });

  test("who leaves before a node notices that its last writes are lost is told to have gone", async (t) => {
    const opened = await open(t, { settings: { ...QUIET, restoreMs: 300, leaveGraceMs: 200 } });
    const { state, redis } = opened;
    const key = (...parts: string[]) => redis.keys.key(P, ...parts);
    for (const channel of ["a", ROOM]) state.setSubscriptions(APP, channel, 1, false);
    await state.addMember(APP, ROOM, member("u1"), 10);
    await state.channel(APP, "a");
    const kept = [key("ev"), key("hb")];
    const all = (await shared.server.call("KEYS", `${redis.keys.prefix}*`)) as string[];
    const own = all.filter((each) => each.includes("{") && !kept.includes(each));
    // As a failover to a replica does that knows of the node, and has not heard of its writes.
    await shared.server.call("DEL", ...own.filter((each) => each !== key("meta")));
    await shared.server.call("HSET", key("meta"), "node.0", 0);
    state.removeMember(APP, ROOM, "u1");
    for (const channel of ["a", ROOM]) state.setSubscriptions(APP, channel, 0, false);
    await until("the ends are told", async () => {
      await opened.sweepAll();
      return (
        (await opened.appended(APP, ROOM)).length === 4 && (await opened.appended(APP, "a"))[1]
      );
    });
    assert.deepEqual(await opened.appended(APP, "a"), [occupied("a"), vacated("a")]);
    assert.deepEqual(await opened.appended(APP, ROOM), [
      occupied(ROOM),
      added(ROOM, "u1"),
      removed(ROOM, "u1"),
      vacated(ROOM),
    ]);
    assert.equal(state.counters.writeLosses, 1);
  });

  // Bug 6: leaves that waited in Redis when it lost the state were known to nobody.
  test("leaves within the grace survive a loss of the state, and a return still cancels them", async (t) => {
    const opened = await open(t, { settings: { ...QUICK, leaveGraceMs: 2_000 } });
    const { state } = opened;
    const told: string[] = [];
    const keep = async () =>
      told.push(...(await opened.appended(APP, ROOM)), ...(await opened.appended(APP, "a")));
    for (const channel of [ROOM, "a"]) state.setSubscriptions(APP, channel, 1, false);
    await state.addMember(APP, ROOM, member("u1"), 10);
    await state.addMember(APP, ROOM, member("u2"), 10);
    for (const userId of ["u1", "u2"]) state.removeMember(APP, ROOM, userId);
    for (const channel of [ROOM, "a"]) state.setSubscriptions(APP, channel, 0, false);
    await state.channels(APP, "");
    await keep();
    await shared.server.call("FLUSHALL");
    await until("the node has noticed", () => state.counters.stateLosses === 1);
    state.setSubscriptions(APP, "a", 1, false);
    // Reads are refused for now.
    await until("the return is written", () => state.health().backlog === 0);
    await until("the leaves are told", async () => {
      await opened.sweepAll();
      return (await opened.appended(APP, ROOM)).length === 3;
    });
    await keep();
    assert.deepEqual(
      told.filter((json) => json.includes(ROOM)),
      [
        occupied(ROOM),
        added(ROOM, "u1"),
        added(ROOM, "u2"),
        removed(ROOM, "u1"),
        removed(ROOM, "u2"),
        vacated(ROOM),
      ],
    );
    assert.deepEqual(
      told.filter((json) => json.includes('"a"')),
      [occupied("a")],
    );
  });

  test("a node that is gone is cleaned up by the others, members before their channel", async (t) => {
    const keyPrefix = shared.keyPrefix();
    const faults = { ...NO_FAULTS };
    const survivor = await open(t, { keyPrefix, settings: QUICK, nodeName: "survivor" });
    const gone = await openRedisState({
      server: shared.server,
      keyPrefix,
      partitions: 1,
      nodeName: "gone",
      settings: { ...QUICK, answerTimeoutMs: 50 },
      wrap: (redis) => withFaults(redis, faults, Math.random),
    });
    for (const channel of [ROOM, "a", "b"]) gone.state.setSubscriptions(APP, channel, 1, false);
    gone.state.setUserConnections(APP, "u9", 1, false);
    await gone.state.addMember(APP, ROOM, member("u1"), 10);
    await gone.state.channels(APP, "");
    survivor.state.setSubscriptions(APP, "b", 1, false);
    assert.deepEqual(await survivor.state.watch(APP, ["u9"]), new Set(["u9"]));
    faults.isCut = true;
    await gone.close();
    await until("everything is told", async () => {
      await survivor.sweepAll();
      return (
        (await survivor.appended(APP, "a")).length === 2 && survivor.announcements.length === 1
      );
    });
    assert.deepEqual(await survivor.appended(APP, ROOM), [
      occupied(ROOM),
      added(ROOM, "u1"),
      removed(ROOM, "u1"),
      vacated(ROOM),
    ]);
    assert.deepEqual(await survivor.appended(APP, "b"), [occupied("b")]);
    assert.deepEqual(survivor.announcements, [announced.userOffline("u9")]);
    assert.deepEqual([...(await survivor.state.channels(APP, "")).keys()], ["b"]);
    await until("it is buried", () => survivor.state.counters.nodesReaped === 1);
  });

  test("a node that closes leaves at once, and nothing is left but what waits for its time", async (t) => {
    const keyPrefix = shared.keyPrefix();
    const survivor = await open(t, { keyPrefix, nodeName: "survivor" });
    const leaving = await openRedisState({
      server: shared.server,
      keyPrefix,
      partitions: 1,
      nodeName: "leaving",
    });
    leaving.state.setSubscriptions(APP, ROOM, 2, false);
    await leaving.state.addMember(APP, ROOM, member("u1"), 10);
    leaving.state.setUserConnections(APP, "u1", 1, false);
    await leaving.close();
    assert.deepEqual(await survivor.state.channel(APP, ROOM), { subscriptions: 0, users: 0 });
    const leases = await survivor.redis.commands.call(
      "ZRANGE",
      survivor.redis.keys.key(P, "hb"),
      0,
      -1,
    );
    assert.deepEqual(leases, ["survivor.0"]);
    assert.deepEqual(await survivor.appended(APP, ROOM), [occupied(ROOM), added(ROOM, "u1")]);
    const left = await leftOver([shared.server], keyPrefix);
    assert.ok(
      left.every((key) => key.endsWith(":pend")),
      left.join(),
    );
  });

  test("members who come back after a loss are told to nobody, and those who do not are, once", async (t) => {
    const keyPrefix = shared.keyPrefix();
    const faults = { ...NO_FAULTS };
    const settings = { ...QUICK, answerTimeoutMs: 50 };
    const one = await open(t, { keyPrefix, settings: QUICK, nodeName: "one" });
    const two = await open(t, { keyPrefix, settings: QUICK, nodeName: "two" });
    const gone = await openRedisState({
      server: shared.server,
      keyPrefix,
      partitions: 1,
      nodeName: "gone",
      settings,
      wrap: (redis) => withFaults(redis, faults, Math.random),
    });
    for (const [n, { state }] of [one, two, gone].entries()) {
      state.setSubscriptions(APP, ROOM, 1, false);
      state.setUserConnections(APP, `u${n}`, 1, false);
      await state.addMember(APP, ROOM, member(`u${n}`), 3);
    }
    await one.state.watch(APP, ["u0", "u1"]);
    const everybody = () =>
      one.state.members(APP, ROOM).size === 3 && two.state.members(APP, ROOM).size === 3;
    await until("everybody knows everybody", everybody);
    const before = [one.announcements.length, two.announcements.length];
    faults.isCut = true;
    await shared.server.call("FLUSHALL");
    // Whoever hears of the others' return first reads a list in which most are missing.
    await until("both have noticed", () =>
      [one, two].every(({ state }) => state.counters.stateLosses === 1),
    );
    await until("who did not come back is told", () => one.state.members(APP, ROOM).size === 2);
    await until("by the other too", () => two.state.members(APP, ROOM).size === 2);
    assert.deepEqual(one.announcements.slice(before[0]), [announced.memberRemoved(ROOM, "u2")]);
    assert.deepEqual(two.announcements.slice(before[1]), [announced.memberRemoved(ROOM, "u2")]);
    assert.deepEqual(await one.state.watch(APP, ["u0", "u1"]), new Set(["u0", "u1"]));
    assert.deepEqual(await one.state.channel(APP, ROOM), { subscriptions: 2, users: 2 });
    assert.deepEqual(await one.appended(APP, ROOM), []);
    await gone.close();
  });
});

describe("while Redis is away", () => {
  const AWAY = {
    settings: { ...QUICK, leaseMs: 5_000, answerTimeoutMs: 300, maxRecords: 20 },
    redisSettings: { commandTimeoutMs: 150, publishTimeoutMs: 150, subscribeTimeoutMs: 300 },
  };

  async function open(t: TestContext): Promise<{ server: RedisServer; opened: OpenedRedisState }> {
    const server = await startRedis(t);
    const opened = await openRedisState({ server, keyPrefix: "away:", ...AWAY });
    t.after(() => opened.close());
    return { server, opened };
  }

  for (const [how, leave, comeBack] of [
    [
      "is stopped",
      (server: RedisServer) => server.suspend(),
      (server: RedisServer) => server.resume(),
    ],
    [
      "is restarted empty",
      (server: RedisServer) => server.stop(),
      (server: RedisServer) => server.restart(),
    ],
  ] as const) {
    test(`joins and reads are refused in time when it ${how}, and then all converges`, async (t) => {
      const { server, opened } = await open(t);
      const { state } = opened;
      state.setSubscriptions(APP, ROOM, 1, false);
      await state.addMember(APP, ROOM, member("u1"), 10);
      state.setSubscriptions(APP, "left", 1, false);
      await state.channel(APP, "left");
      await leave(server);
      const join = state.addMember(APP, ROOM, member("u2"), 10);
      await assert.rejects(async () => join, isUnavailable);
      await assert.rejects(async () => state.channel(APP, ROOM), isUnavailable);
      await assert.rejects(async () => state.channels(APP, ""), isUnavailable);
      await assert.rejects(async () => state.users(APP, ROOM), isUnavailable);
      await assert.rejects(async () => state.watch(APP, ["u1"]), isUnavailable);
      state.removeMember(APP, ROOM, "u2");
      assert.equal(state.addMember(APP, ROOM, member("u1"), 10), "added", "who is there already");
      await until("the lane fails", () => state.health().failingPartitions > 0);

      for (let n = 0; n < 5_000; n++) {
        state.setSubscriptions(APP, `passing-${n}`, 1, false);
        state.setSubscriptions(APP, `passing-${n}`, 0, false);
      }
      for (let n = 0; n < 1_000; n++) {
        state.setSubscriptions(APP, "flapping", n % 2, false);
        state.record(APP, "a", clientEvent(`${n}`));
      }
      // All but those in the write of each partition that is sent again and again.
      await until("who has only passed is forgotten", () => state.sizes().channels < 600);
      assert.ok(state.sizes().records <= 20);
      assert.ok(state.counters.recordsDropped >= 980);
      state.setSubscriptions(APP, "left", 0, false);
      state.setSubscriptions(APP, "came", 3, false);

      await comeBack(server);
      await until("everything is written", () => {
        const { failingPartitions, backlog } = state.health();
        return failingPartitions === 0 && backlog === 0;
      });
      await until("all is as it should be", async () => {
        const channels = await Promise.resolve(state.channels(APP, "")).catch(() => undefined);
        return channels?.size === 3;
      });
      assert.deepEqual(
        new Map(await state.channels(APP, "")),
        new Map([
          [ROOM, { subscriptions: 1, users: 1 }],
          ["flapping", { subscriptions: 1, users: 0 }],
          ["came", { subscriptions: 3, users: 0 }],
        ]),
      );
      const recorded = (await opened.appended(APP, "a")).filter((json) => json.includes("marker"));
      assert.deepEqual(
        recorded.slice(-19),
        Array.from({ length: 19 }, (_, n) => marker(`${981 + n}`)),
      );
      assert.equal(new Set(recorded).size, recorded.length);
      await until(
        "nothing else is remembered",
        () => state.sizes().channels === 3 && state.sizes().records === 0,
      );
    });
  }

  test("a node that starts without Redis registers when Redis comes, with what it has been told", async (t) => {
    const server = await startRedis(t);
    const faults = { ...NO_FAULTS, isCut: true };
    let asked = 0;
    let isStarted = false;
    const opening = openRedisState({
      server,
      keyPrefix: "start:",
      ...AWAY,
      wrap(redis) {
        const cut = withFaults(redis, faults, Math.random);
        const runScript: typeof cut.commands.runScript = (...call) => {
          asked += 1;
          return cut.commands.runScript(...call);
        };
        return { ...cut, commands: { ...cut.commands, runScript } };
      },
    }).then((opened) => {
      isStarted = true;
      t.after(() => opened.close());
      return opened;
    });
    await until("every partition has been tried several times", () => asked > 20);
    assert.equal(isStarted, false);
    faults.isCut = false;
    const { state } = await opening;
    assert.equal(state.health().isRegistered, true);
    assert.deepEqual(await state.channel(APP, "a"), { subscriptions: 0, users: 0 });
  });
});

/** Calls `answered` in the turn in which a write is answered. */
function afterWrites(redis: StateRedis, answered: () => void): StateRedis {
  return {
    ...redis,
    commands: {
      ...redis.commands,
      runScript(script, keys, args) {
        const answer = redis.commands.runScript(script, keys, args);
        if (script.name === "write") answer.then(answered, () => {});
        return answer;
      },
    },
  };
}

/** Answers for which `isHeld` says so are handed to `hold`, which lets them go. */
function withHeldAnswers(
  redis: StateRedis,
  isHeld: (call: { readonly script: string; readonly answer: unknown }) => boolean,
  hold: (release: () => void) => void,
): StateRedis {
  return {
    ...redis,
    commands: {
      ...redis.commands,
      async runScript(script, keys, args) {
        const answer = await redis.commands.runScript(script, keys, args);
        if (isHeld({ script: script.name, answer })) await new Promise<void>(hold);
        return answer;
      },
    },
  };
}

function isRefusal(answer: unknown): boolean {
  return Array.isArray(answer) && answer[0] === "UNREGISTERED";
}

function inMicrotasks(depth: number, call: () => void): void {
  if (depth === 0) call();
  else queueMicrotask(() => inMicrotasks(depth - 1, call));
}

/** Notes the messages of a log. */
function linesTo(lines: string[]): Log {
  const note = (_fields: object, message: string) => void lines.push(message);
  return { debug() {}, info: note, warn: note, error: note };
}

function contextOf(redis: StateRedis) {
  return {
    redis,
    nodeName: "reaper",
    settings: REDIS_STATE_DEFAULTS,
    counters: createRedisStateCounters(),
    announce: NOBODY_HEARS,
    now: Date.now,
    random: Math.random,
    log: SILENT_LOG,
  };
}
