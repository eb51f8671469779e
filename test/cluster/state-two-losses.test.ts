/** Redis loses the state again before everybody is back: what was put off is lost with it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, occupied, removed, vacated } from "../channel-state/channel-state-under-test.ts";
import { openRedisState } from "../channel-state/redis-state.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const APP = "1";
const OLD = "presence-old";
const NEW = "presence-new";
const SETTINGS = { leaseMs: 600, heartbeatMs: 50, restoreMs: 2_000, leaveGraceMs: 0 };

test("who came between two losses is told of once, who was there before the first is not, and all leave", async (t) => {
  const server = await startRedis(t);
  const open = async (nodeName: string) => {
    const common = { server, keyPrefix: "twice:", partitions: 1, settings: SETTINGS };
    const opened = await openRedisState({ ...common, nodeName });
    t.after(() => opened.close());
    return opened;
  };
  const nodes = [await open("one"), await open("two")] as const;
  const [one, two] = nodes;
  const ann = { userId: "ann", userInfoJson: "{}" };
  const join = async ({ state }: typeof one, channel: string) => {
    state.setSubscriptions(APP, channel, 1, false);
    await state.addMember(APP, channel, ann, 9);
  };
  const leave = ({ state }: typeof one, channel: string) => {
    state.removeMember(APP, channel, "ann");
    state.setSubscriptions(APP, channel, 0, false);
  };
  const lose = async (times: number) => {
    await server.call("FLUSHALL");
    await until("both have noticed", () =>
      nodes.every(({ state }) => state.counters.stateLosses === times),
    );
  };
  const told = async (channel: string) => [...(await one.appended(APP, channel))];

  await join(one, OLD);
  await join(two, OLD);
  assert.deepEqual(await told(OLD), [occupied(OLD), added(OLD, "ann")]);
  await lose(1);
  await join(two, NEW);
  await join(two, "presence-brief");
  leave(two, "presence-brief");
  await until("it is written", () => two.state.health().backlog === 0);
  await one.sweepAll();
  assert.deepEqual(await told(NEW), []);
  await lose(2);
  for (const channel of [NEW, OLD]) leave(two, channel);
  leave(one, OLD);
  await until("all is told", async () => {
    await one.sweepAll();
    return (await told(NEW)).length === 4 && (await told(OLD)).length === 2;
  });
  assert.deepEqual(await told(NEW), [
    occupied(NEW),
    added(NEW, "ann"),
    removed(NEW, "ann"),
    vacated(NEW),
  ]);
  assert.deepEqual(await told(OLD), [removed(OLD, "ann"), vacated(OLD)]);
  assert.deepEqual(await told("presence-brief"), [], "nobody was told that it came");
});
