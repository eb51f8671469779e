import assert from "node:assert/strict";
import { test } from "node:test";
import { createLastDeliveries } from "../../src/webhooks/last-deliveries.ts";
import { outboxEvent } from "../http/fake-webhooks.ts";

test("the last event of each type that an endpoint took is known, with how long it took", () => {
  let nowMs = 5_000;
  const last = createLastDeliveries(() => nowMs);
  last.note("1", "a", outboxEvent("1-1-1-0"));
  nowMs = 6_000;
  last.note("1", "a", outboxEvent("1-1-1-1", { channel: "hall", decidedMs: 7_000 }));
  last.note("1", "a", outboxEvent("1-1-1-2", { type: "cache_miss" }));
  assert.deepEqual(last.of("1", "a", "channel_occupied"), {
    eventId: "1-1-1-1",
    channel: "hall",
    deliveredMs: 6_000,
    latencyMs: 0,
  });
  assert.equal(last.of("1", "a", "cache_miss")?.latencyMs, 5_000);
  assert.equal(last.of("1", "b", "cache_miss"), undefined);
  assert.equal(last.of("2", "a", "cache_miss"), undefined);
});

test("the longest untouched gives way past the bound, and is counted", () => {
  const last = createLastDeliveries(() => 1, 2);
  for (const endpointId of ["a", "b", "a", "c"]) last.note("1", endpointId, outboxEvent("1-1-1-0"));
  assert.equal(last.of("1", "b", "channel_occupied"), undefined);
  assert.ok(last.of("1", "a", "channel_occupied"));
  assert.equal(last.counters.forgotten, 1);
});
