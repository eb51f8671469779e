import assert from "node:assert/strict";
import { test } from "node:test";
import { createLastDeliveries } from "../../src/webhooks/last-deliveries.ts";
import { outboxEvent } from "../http/fake-webhooks.ts";
import { pick, seededSource } from "../support/random-source.ts";

test("the last event of each type and channel that an endpoint took is known, with how long it took", () => {
  let nowMs = 5_000;
  const last = createLastDeliveries(() => nowMs);
  const hall = { channel: "hall" };
  last.note("1", "a", outboxEvent("1-1-1-0", hall));
  nowMs = 6_000;
  last.note("1", "a", outboxEvent("1-1-1-1", { ...hall, decidedMs: 7_000 }));
  last.note("1", "a", outboxEvent("1-1-1-2", { channel: "attic" }));
  last.note("1", "a", outboxEvent("1-1-1-3", { ...hall, type: "cache_miss" }));
  assert.deepEqual(last.of("1", "a", "channel_occupied", "hall"), {
    eventId: "1-1-1-1",
    channel: "hall",
    deliveredMs: 6_000,
    latencyMs: 0,
  });
  assert.equal(last.of("1", "a", "channel_occupied", "attic")?.eventId, "1-1-1-2");
  assert.equal(last.of("1", "a", "cache_miss", "hall")?.latencyMs, 5_000);
  assert.equal(last.of("1", "a", "cache_miss", "attic"), undefined);
  assert.equal(last.of("1", "b", "cache_miss", "hall"), undefined);
  assert.equal(last.of("2", "a", "cache_miss", "hall"), undefined);
});

test("no app's events are taken for another's, whatever their names", () => {
  const last = createLastDeliveries(() => 1);
  last.note("1", "a", outboxEvent("1-1-1-0", { channel: "2:hall" }));
  assert.equal(last.of("1:2", "a", "channel_occupied", "hall"), undefined);
  assert.equal(last.of("12", "a", "channel_occupied", ":hall"), undefined);
});

test("those that were long not noted give way past the bound, and are counted", () => {
  const last = createLastDeliveries(() => 1, 4);
  const note = (channels: string) => {
    for (const channel of channels) last.note("1", "a", outboxEvent("1-1-1-0", { channel }));
  };
  const known = (channels: string) =>
    [...channels].filter((each) => last.of("1", "a", "channel_occupied", each)).join("");
  note("abcd");
  assert.deepEqual([known("abcd"), last.counters.forgotten], ["abcd", 0]);
  note("c");
  assert.deepEqual([known("abcd"), last.counters.forgotten], ["abcd", 0]);
  note("e");
  assert.deepEqual([known("abcde"), last.counters.forgotten], ["cde", 2]);
  note("df");
  assert.deepEqual([known("abcdef"), last.counters.forgotten], ["def", 3]);
});

test("what is known is what one list in order of delivery would tell, whoever took what", (t) => {
  const { below } = seededSource(t);
  const most = 12;
  for (let round = 0; round < 100; round++) {
    const last = createLastDeliveries(() => 1, most);
    let young = new Map<string, string>();
    let old = new Map<string, string>();
    let forgotten = 0;
    for (let n = 0; n < 60; n++) {
      const app = pick(below, ["1", "2"]);
      const endpointId = pick(below, ["a", "b"]);
      const type = pick(below, ["member_added", "cache_miss"] as const);
      const channel = pick(below, ["h", "i", "j", "k"]);
      const id = `1-1-1-${n}`;
      last.note(app, endpointId, outboxEvent(id, { type, channel }));
      const key = [app, endpointId, type, channel].join();
      if (young.size === most / 2 && !young.has(key)) {
        forgotten += [...old.keys()].filter((each) => !young.has(each)).length;
        old = young;
        young = new Map();
      }
      young.set(key, id);
      for (const [each, eventId] of [...old, ...young]) {
        const [ofApp = "", ofEndpoint = "", ofType = "", ofChannel = ""] = each.split(",");
        const found = last.of(ofApp, ofEndpoint, ofType, ofChannel)?.eventId;
        assert.equal(found, young.get(each) ?? eventId);
      }
      assert.equal(last.counters.forgotten, forgotten);
    }
  }
});
