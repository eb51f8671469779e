/** The heads that a node remembers are those in Redis, within their bounds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LaneKey, OutboxEvent } from "../../src/webhooks/outbox.ts";
import { createLaneCache, type LaneCacheBounds } from "../../src/webhooks/redis-lane-cache.ts";

const WIDE: LaneCacheBounds = { maxEventsPerLane: 4, maxBytesPerLane: 1_000, maxBytes: 100_000 };

function event(number: number, bytes = 10): OutboxEvent {
  const id = `1-0-${number}-0`;
  const at = { decidedMs: number, retriedFromMs: number };
  return { id, appId: "app", channel: "a", type: "channel_occupied", json: "{}", bytes, ...at };
}

/** Lanes as Redis has them, and how often they were read. */
function setUp(bounds: Partial<LaneCacheBounds> = {}) {
  const stored = new Map<string, OutboxEvent[]>();
  const reads = { count: 0 };
  const lane = (partition: number): LaneKey => ({ partition, appId: "app", endpointId: "one" });
  const of = (key: LaneKey) => stored.get(`${key.partition}`) ?? [];
  const cache = createLaneCache(
    async (key, after, count) => {
      reads.count += 1;
      return of(key)
        .map((each) => ({ place: each.id, event: each }))
        .filter(({ event: { decidedMs } }) => !after || decidedMs > Number(after.split("-")[2]))
        .slice(0, count);
    },
    { ...WIDE, ...bounds },
  );
  const add = (key: LaneKey, ...events: OutboxEvent[]) => {
    stored.set(`${key.partition}`, [...of(key), ...events]);
    cache.append(key, events);
  };
  const settle = (key: LaneKey, count: number) => {
    const ids = of(key).slice(0, count);
    stored.set(`${key.partition}`, of(key).slice(count));
    cache.remove(
      key,
      ids.map(({ id }) => id),
    );
  };
  const head = async (key: LaneKey, count = 10) => {
    const { events, hasMore } = await cache.head(key, count, 1_000_000);
    return [events.map(({ decidedMs }) => decidedMs).join(" "), hasMore];
  };
  return { cache, reads, lane, add, settle, head };
}

describe("the lane cache", () => {
  test("reads a lane once, and then knows what is appended", async () => {
    const { reads, lane, add, settle, head } = setUp();
    add(lane(0), event(1), event(2));
    assert.deepEqual(await head(lane(0)), ["1 2", false]);
    settle(lane(0), 2);
    add(lane(0), event(3));
    assert.deepEqual(await head(lane(0)), ["3", false]);
    assert.equal(reads.count, 1);
  });

  test("goes on through a lane that is longer than it remembers", async () => {
    const { lane, add, settle, head } = setUp();
    add(lane(0), ...[1, 2, 3, 4, 5, 6, 7].map((number) => event(number)));
    assert.deepEqual(await head(lane(0)), ["1 2 3 4", true]);
    settle(lane(0), 3);
    add(lane(0), event(8));
    assert.deepEqual(await head(lane(0), 3), ["4 5 6", true]);
    settle(lane(0), 4);
    assert.deepEqual(await head(lane(0)), ["8", false]);
  });

  test("forgets of several copies of an event as many as are gone", async () => {
    const { cache, lane, add, head } = setUp({ maxEventsPerLane: 10 });
    add(lane(0), ...[1, 2, 1, 2].map((number) => event(number)));
    assert.deepEqual(await head(lane(0)), ["1 2 1 2", false]);
    cache.remove(lane(0), [event(2).id, event(1).id]);
    assert.deepEqual(await head(lane(0)), ["1 2", false]);
    cache.remove(lane(0), [event(1).id, event(2).id, event(2).id]);
    assert.deepEqual(await head(lane(0)), ["", false]);
  });

  test("stops at its bytes, but remembers one event whatever its size", async () => {
    const { lane, add, settle, head } = setUp({ maxBytesPerLane: 100 });
    add(lane(0), event(1, 500), event(2, 60), event(3, 60));
    assert.deepEqual(await head(lane(0)), ["1", true]);
    settle(lane(0), 1);
    assert.deepEqual(await head(lane(0)), ["2", true]);
  });

  test("appends that it has no room for are read later, in order", async () => {
    const { lane, add, settle, head } = setUp();
    assert.deepEqual(await head(lane(0)), ["", false]);
    for (let number = 1; number <= 6; number++) add(lane(0), event(number));
    assert.deepEqual(await head(lane(0)), ["1 2 3 4", true]);
    settle(lane(0), 4);
    assert.deepEqual(await head(lane(0)), ["5 6", false]);
  });

  test("an older event at the end makes it read the lane again", async () => {
    const { lane, add, head } = setUp();
    assert.deepEqual(await head(lane(0)), ["", false]);
    add(lane(0), event(5));
    add(lane(0), event(2));
    assert.deepEqual(await head(lane(0)), ["5 2", false]);
  });

  test("forgets the lane that was used least recently when all are too large", async () => {
    const { cache, reads, lane, add, head } = setUp({ maxBytes: 2_000 });
    for (let partition = 0; partition < 10; partition++) {
      add(lane(partition), event(1, 300));
      await head(lane(partition));
      assert.ok(cache.bytes <= 2_000);
    }
    assert.ok(cache.counters.evictions > 0);
    const { count } = reads;
    assert.deepEqual(await head(lane(9)), ["1", false]);
    assert.equal(reads.count, count, "the last is still known");
    assert.deepEqual(await head(lane(0)), ["1", false]);
    assert.equal(reads.count, count + 1);
  });

  test("weighs nothing once all is forgotten", async () => {
    const { cache, lane, add, settle, head } = setUp();
    for (const partition of [0, 1]) {
      add(lane(partition), event(1), event(2));
      await head(lane(partition));
    }
    settle(lane(0), 1);
    cache.forgetPartition(0);
    cache.forgetLane(lane(1));
    assert.equal(cache.bytes, 0);
  });
});
