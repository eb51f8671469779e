/**
 * A strange client can subscribe to any number of channels of one partition. When they all become empty at once,
 * by a stop or a lost connection, their events outnumber what the partition's stream may hold.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  createMemoryChannelState,
  type MemoryChannelState,
} from "../../src/channel-state/memory-channel-state.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createEventLog, MAX_UNROUTED_EVENTS } from "../../src/webhooks/event-log.ts";
import { createMemoryOutbox } from "../../src/webhooks/memory-outbox.ts";
import { createWebhooks } from "../../src/webhooks/webhooks.ts";
import { until } from "../support/until.ts";
import { createFakeTarget } from "../webhooks/fake-target.ts";
import { app, appRegistry, endpoint, SETTINGS } from "../webhooks/fixtures.ts";
import { BOUNDS } from "../webhooks/pipeline.ts";

const FLOOD = MAX_UNROUTED_EVENTS + 5_000;

/** Everything in one partition. The clock of the state runs ahead by `skip`. */
async function open(t: TestContext) {
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const target = createFakeTarget(now);
  const parts = { partitions: 1, now };
  const events = createEventLog({ ...parts, epoch: now(), log: SILENT_LOG });
  const nothing = () => {};
  const state: MemoryChannelState = createMemoryChannelState({
    ...parts,
    append: events.append,
    lastEventId: events.lastId,
    announce: {
      memberAdded: nothing,
      memberRemoved: nothing,
      subscriptionCount: nothing,
      userOnline: nothing,
      userOffline: nothing,
    },
    wake: events.wake,
  });
  const vacated = endpoint("one", { eventTypes: new Set(["channel_vacated"]) });
  const webhooks = createWebhooks({
    apps: appRegistry(app("flood", { webhooks: [vacated] }), app("small", { webhooks: [vacated] })),
    outbox: createMemoryOutbox({ events, sweep: state.sweep, now, bounds: BOUNDS }),
    settings: SETTINGS,
    now,
    random: Math.random,
    log: SILENT_LOG,
    version: "1.2.3",
    target,
  });
  t.after(() => webhooks.close(0));
  await webhooks.start();

  async function setAll(count: number): Promise<void> {
    state.setSubscriptions("small", "a", count, false);
    for (let i = 0; i < FLOOD; i++) {
      state.setSubscriptions("flood", `c${i}`, count, false);
      if (i % 1_000 === 0) await until("all is routed", () => events.stream(0).length === 0);
    }
    await until("all is routed", () => events.stream(0).length === 0);
  }

  await setAll(1);
  await setAll(0);
  return {
    state,
    events,
    webhooks,
    skip: (ms: number) => {
      aheadMs += ms;
      events.wake(0);
    },
    delivered: () => new Set(target.sent.flatMap(({ channels }) => channels)),
  };
}

test("a stop tells of every channel, however many become empty in one partition", async (t) => {
  const { state, events, webhooks, delivered } = await open(t);
  await state.close();
  assert.deepEqual(await webhooks.close(30_000), []);
  assert.equal(events.counters.dropped, 0);
  assert.equal(delivered().size, FLOOD + 1);
});

test("so does the end of the grace", async (t) => {
  const { events, webhooks, skip, delivered } = await open(t);
  skip(3_000);
  await until("all is told", () => delivered().size === FLOOD + 1);
  assert.equal(events.counters.dropped, 0);
  await webhooks.close(0);
});
