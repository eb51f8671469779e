/** What receivers are told of users when Redis loses the state, and when a node comes back from the dead. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import { userEvent } from "../../src/protocol/webhook-event.ts";
import { type OpenedRedisState, openRedisState } from "../channel-state/redis-state.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { until } from "../support/until.ts";
import { leftOver } from "./state-checks.ts";

const APP = "1";
const P = 0;
const QUICK = {
  leaseMs: 600,
  heartbeatMs: 100,
  restoreMs: 600,
  leaveGraceMs: 200,
  longestRetryMs: 100,
};

const online = (userId: string) => userEvent("user_online", userId).json;
const offline = (userId: string) => userEvent("user_offline", userId).json;

describe("users when something is lost", () => {
  const shared = shareRedis();

  /** Nodes of one deployment. */
  async function open(t: TestContext, ...nodeNames: readonly string[]) {
    const keyPrefix = shared.keyPrefix();
    const settings = QUICK;
    const nodes: OpenedRedisState[] = [];
    for (const nodeName of nodeNames) {
      const opened = await openRedisState({
        server: shared.server,
        keyPrefix,
        partitions: 1,
        nodeName,
        settings,
      });
      t.after(() => opened.close());
      nodes.push(opened);
    }
    const [one, two = one] = nodes;
    assert.ok(one && two);
    return { one, two, keyPrefix };
  }

  const setConnections = ({ state }: OpenedRedisState, userId: string, count: number) =>
    state.setUserConnections(APP, userId, count, true);

  const told = (node: OpenedRedisState, userId: string) =>
    node.appended(APP, USER_CHANNEL_PREFIX + userId);

  /** Once everything that the node has told is in Redis. */
  const settled = ({ state }: OpenedRedisState) => state.channels(APP, "");

  async function untilTold(node: OpenedRedisState, userId: string, events: readonly string[]) {
    await until(`${events.length} events of ${userId} are told`, async () => {
      await node.sweepAll();
      return (await told(node, userId)).length >= events.length;
    });
    assert.deepEqual(await told(node, userId), events);
  }

  test("after a loss nobody is online a second time, and who has left is offline once", async (t) => {
    const { one, two, keyPrefix } = await open(t, "one", "two");
    for (const userId of ["here", "both", "left", "moved"]) setConnections(one, userId, 1);
    setConnections(two, "both", 1);
    await Promise.all([settled(one), settled(two)]);
    setConnections(one, "left", 0);
    setConnections(one, "moved", 0);
    setConnections(one, "both", 0);
    await settled(one);
    assert.deepEqual(await told(one, "left"), [online("left")]);
    await shared.server.call("FLUSHALL");
    setConnections(two, "moved", 1);
    await until("both have noticed", () =>
      [one, two].every(({ state }) => state.counters.stateLosses === 1),
    );
    await untilTold(one, "left", [offline("left")]);
    for (const userId of ["here", "both"]) assert.deepEqual(await told(one, userId), [], userId);

    setConnections(one, "here", 0);
    setConnections(two, "both", 0);
    setConnections(two, "moved", 0);
    await untilTold(one, "here", [offline("here")]);
    await untilTold(one, "both", [offline("both")]);
    await until("the last is offline", async () => {
      await one.sweepAll();
      return (await told(one, "moved")).at(-1) === offline("moved");
    });
    assert.deepEqual(await leftOver([shared.server], keyPrefix), []);
  });

  test("a node that comes back from the dead within the grace has told nothing anew", async (t) => {
    const { one } = await open(t, "one");
    setConnections(one, "u1", 1);
    await settled(one);
    await one.redis.commands.call("ZADD", one.redis.keys.key(P, "hb"), -1, "one.0");
    await until("it has a new incarnation", () => one.state.counters.reincarnations === 1);
    await until("the old one is buried", () => one.state.counters.nodesReaped === 1);
    setConnections(one, "u1", 0);
    await untilTold(one, "u1", [online("u1"), offline("u1")]);
  });
});
