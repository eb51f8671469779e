/** Redis loses the state while a leave is in no acknowledged write of this node: receivers are told all the same. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type {
  RedisStateSettings,
  StateRedis,
} from "../../src/channel-state/redis-state-context.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
import { added, occupied, removed, vacated } from "../channel-state/channel-state-under-test.ts";
import { type OpenedRedisState, openRedisState } from "../channel-state/redis-state.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { until } from "../support/until.ts";

const APP = "1";
const ROOM = "presence-room";
const P = 0;
const GRACE_MS = 200;
const SETTINGS = { restoreMs: 400, leaveGraceMs: GRACE_MS, firstRetryMs: 5, longestRetryMs: 20 };
/** A lease that ends only when a test says so. */
const QUIET = { ...SETTINGS, leaseMs: 60_000, heartbeatMs: 60_000 };

const member = (userId: string) => ({ userId, userInfoJson: "{}" });

type RunScript = StateRedis["commands"]["runScript"];

describe("what Redis loses before a leave is acknowledged", () => {
  const shared = shareRedis();

  /** `run` stands in for the call of a script, which it is handed. */
  async function open(
    t: TestContext,
    settings: Partial<RedisStateSettings>,
    run: (script: string, call: () => ReturnType<RunScript>) => ReturnType<RunScript>,
  ): Promise<OpenedRedisState> {
    const wrap = (redis: StateRedis): StateRedis => {
      const runScript: RunScript = (script, keys, args) =>
        run(script.name, () => redis.commands.runScript(script, keys, args));
      return { ...redis, commands: { ...redis.commands, runScript } };
    };
    const { server } = shared;
    const keyPrefix = shared.keyPrefix();
    const opened = await openRedisState({ server, keyPrefix, partitions: 1, settings, wrap });
    t.after(() => opened.close());
    return opened;
  }

  /** What was told of the room once its end has been, from the loss on. */
  async function toldSinceLoss(opened: OpenedRedisState): Promise<readonly string[]> {
    await until("the end is told", async () => {
      await opened.sweepAll();
      return (await opened.appended(APP, ROOM)).at(-1) === vacated(ROOM);
    });
    return opened.appended(APP, ROOM);
  }

  test("a node that was taken for dead tells who is gone, before others have cleaned up after it or told it anew", async (t) => {
    let registrations = 0;
    let isCut = false;
    const opened = await open(t, QUIET, async (script, call) => {
      if (isCut && script === "write") throw new RedisUnavailableError("The test cuts writes.");
      const answer = await call();
      if (script === "register") registrations += 1;
      isCut = registrations === 2;
      return answer;
    });
    const { state, redis } = opened;
    state.setSubscriptions(APP, ROOM, 2, false);
    for (const userId of ["u1", "u2"]) await state.addMember(APP, ROOM, member(userId), 10);
    await shared.server.call("ZADD", redis.keys.key(P, "hb"), -1, "node.0");
    state.removeMember(APP, ROOM, "u1");
    state.setSubscriptions(APP, ROOM, 1, false);
    await until("it is about to tell who is there", () => state.health().failingPartitions === 1);
    state.removeMember(APP, ROOM, "u2");
    state.setSubscriptions(APP, ROOM, 0, false);
    await shared.server.call("FLUSHALL");
    registrations = 0;
    isCut = false;
    state.setSubscriptions(APP, "a", 1, false);
    assert.deepEqual((await toldSinceLoss(opened)).toSorted(), [
      vacated(ROOM),
      removed(ROOM, "u1"),
      removed(ROOM, "u2"),
    ]);
  });

  test("who came with a write of which the answer is lost too, and goes meanwhile, is told to have gone", async (t) => {
    let isAnswerLost = false;
    const settings = { ...QUIET, answerTimeoutMs: 200 };
    const opened = await open(t, settings, async (_script, call) => {
      const answer = await call();
      if (isAnswerLost) throw new RedisUnavailableError("The test loses answers.");
      return answer;
    });
    const { state } = opened;
    isAnswerLost = true;
    state.setSubscriptions(APP, ROOM, 1, false);
    const joining = Promise.allSettled([state.addMember(APP, ROOM, member("u1"), 10)]);
    const told = [occupied(ROOM), added(ROOM, "u1")];
    await until("it is told", async () => (await opened.appended(APP, ROOM)).length === 2);
    assert.deepEqual(await opened.appended(APP, ROOM), told);
    await shared.server.call("FLUSHALL");
    state.removeMember(APP, ROOM, "u1");
    state.setSubscriptions(APP, ROOM, 0, false);
    isAnswerLost = false;
    assert.deepEqual(await toldSinceLoss(opened), [removed(ROOM, "u1"), vacated(ROOM)]);
    await joining;
  });

  /** As a busy node does that reads an answer late: `isLate` says for which call, `release` lets it go on. */
  async function openBusy(
    t: TestContext,
    settings: Partial<RedisStateSettings>,
    isLate: (script: string) => boolean,
  ): Promise<OpenedRedisState & { readonly late: { release?: () => void } }> {
    const late: { release?: () => void } = {};
    const opened = await open(t, settings, async (script, call) => {
      const hasToWait = isLate(script);
      const answer = await call();
      if (hasToWait)
        await new Promise<void>((resolve) => Object.assign(late, { release: resolve }));
      return answer;
    });
    return { ...opened, late };
  }

  async function pastGrace(): Promise<void> {
    const leftMs = Date.now();
    await until("the leave would be due", () => Date.now() > leftMs + GRACE_MS);
  }

  test("a heartbeat that is answered late does not say that a leave was told meanwhile", async (t) => {
    let isLate = false;
    const settings = { ...QUIET, heartbeatMs: 20 };
    const opened = await openBusy(t, settings, (script) => isLate && script === "heartbeat");
    const { state, late } = opened;
    state.setSubscriptions(APP, ROOM, 1, false);
    await state.addMember(APP, ROOM, member("u1"), 10);
    isLate = true;
    await until("Redis has answered", () => late.release);
    isLate = false;
    state.removeMember(APP, ROOM, "u1");
    state.setSubscriptions(APP, ROOM, 0, false);
    await until("it is written", () => state.health().backlog === 0);
    await shared.server.call("FLUSHALL");
    await pastGrace();
    late.release?.();
    assert.deepEqual(await toldSinceLoss(opened), [removed(ROOM, "u1"), vacated(ROOM)]);
  });

  test("a write that is answered late does not say that a leave was told meanwhile", async (t) => {
    let writesUntilLate = 0;
    const opened = await openBusy(t, QUIET, (script) => {
      if (script !== "write") return false;
      writesUntilLate -= 1;
      return writesUntilLate === 0;
    });
    const { state, late } = opened;
    state.setSubscriptions(APP, ROOM, 1, false);
    await state.addMember(APP, ROOM, member("u1"), 10);
    writesUntilLate = 2;
    state.removeMember(APP, ROOM, "u1");
    state.setSubscriptions(APP, ROOM, 0, false);
    await Promise.resolve(); // that was one write, this is the next
    state.setSubscriptions(APP, "a", 1, false);
    await until("Redis has answered", () => late.release);
    await shared.server.call("FLUSHALL");
    await pastGrace();
    late.release?.();
    state.setSubscriptions(APP, "b", 1, false);
    assert.deepEqual(await toldSinceLoss(opened), [removed(ROOM, "u1"), vacated(ROOM)]);
  });
});
