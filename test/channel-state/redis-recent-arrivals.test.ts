import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecentArrivals } from "../../src/channel-state/redis-recent-arrivals.ts";
import { createTrackedChannel } from "../../src/channel-state/redis-tracked-channel.ts";

const channel = createTrackedChannel("1", "presence-room", 0);
const other = createTrackedChannel("1", "other", 0);

test("who comes after a loss is untold until the time is over, and then nobody is remembered", () => {
  let nowMs = 1_000;
  const arrivals = createRecentArrivals(() => nowMs);
  arrivals.add(channel, undefined);
  assert.equal(arrivals.of(channel).size, 0, "nothing is lost");
  arrivals.begin(1_000, 1_000);
  arrivals.add(channel, undefined);
  arrivals.add(channel, "ann");
  arrivals.add(other, undefined);
  assert.deepEqual(arrivals.of(channel), new Set([undefined, "ann"]));
  assert.equal(arrivals.areUntold(), true);
  nowMs = 2_000;
  assert.equal(arrivals.areUntold(), false);
  assert.equal(arrivals.of(channel).size, 2, "they may have been told");
  nowMs = 3_000;
  assert.equal(arrivals.of(channel).size, 0);
  assert.equal(arrivals.remove(other, undefined), 0);
  nowMs = 1_500;
  assert.equal(arrivals.of(other).size, 0);
});

test("who leaves before he was told of is known as such, once", () => {
  const arrivals = createRecentArrivals(() => 0);
  arrivals.begin(0, 1_000);
  arrivals.add(channel, "ann");
  assert.equal(arrivals.remove(channel, "bob"), 0);
  assert.equal(arrivals.remove(channel, "ann"), 1_000);
  assert.equal(arrivals.remove(channel, "ann"), 0);
  assert.equal(arrivals.of(channel).size, 0);
});
