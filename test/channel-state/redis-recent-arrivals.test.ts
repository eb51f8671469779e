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
  arrivals.begin(2_000);
  arrivals.add(channel, undefined);
  arrivals.add(channel, "ann");
  arrivals.add(other, undefined);
  assert.deepEqual(arrivals.of(channel), new Set([undefined, "ann"]));
  nowMs = 2_000;
  assert.equal(arrivals.of(channel).size, 0);
  assert.equal(arrivals.remove(other, undefined), false);
  nowMs = 1_500;
  assert.equal(arrivals.of(other).size, 0);
});

test("who leaves before he was told of is told so, once", () => {
  const arrivals = createRecentArrivals(() => 0);
  arrivals.begin(1_000);
  arrivals.add(channel, "ann");
  assert.equal(arrivals.remove(channel, "bob"), false);
  assert.equal(arrivals.remove(channel, "ann"), true);
  assert.equal(arrivals.remove(channel, "ann"), false);
  assert.equal(arrivals.of(channel).size, 0);
});
