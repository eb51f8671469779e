import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sign, signingKey } from "../../src/protocol/signature.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { attemptHeaders, batchBody, deliveryId } from "../../src/webhooks/batch.ts";
import type { OutboxEvent } from "../../src/webhooks/outbox.ts";
import { endpoint, KEY, SECRET } from "./fixtures.ts";

function event(id: string, channel: string): OutboxEvent {
  const { type, json } = channelEvent("channel_occupied", channel);
  const times = { decidedMs: 0, retriedFromMs: 0 };
  return { id, appId: "app", channel, type, json, bytes: json.length, ...times };
}

describe("a batch", () => {
  test("has the bytes and the signature of the protocol's vector", () => {
    const body = batchBody(1327078148132, [event("1", "test_channel")]);
    assert.equal(
      body.toString(),
      '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"test_channel"}]}',
    );
    assert.equal(
      sign(signingKey(SECRET), body),
      "709fdb84c03664445f7698120b0edf0acc1ab1c8c6e93a0368c61841d6b998aa",
    );
  });

  test("has a delivery id that depends on app, endpoint and events, and on nothing else", () => {
    const events = [event("1", "a"), event("2", "b")];
    const id = deliveryId("app", "one", events);
    assert.equal(deliveryId("app", "one", [...events]), id);
    const others = [
      deliveryId("app", "two", events),
      deliveryId("bpp", "one", events),
      deliveryId("app", "one", events.slice(1)),
      deliveryId("app", "one", events.toReversed()),
    ];
    assert.equal(new Set([id, ...others]).size, 5);
  });

  test("names its events in a header that stays under 4 KB with the most that are allowed", () => {
    const events = Array.from({ length: 100 }, (_, i) =>
      event(`1800000000000-63-1800000000000-${i}`, "a"),
    );
    const headers = headersFor({}, events);
    assert.ok(Buffer.byteLength(headers["x-pipit-event-ids"] ?? "") < 4_096);
  });
});

describe("custom headers", () => {
  test("are sent, but never instead of ours", () => {
    const headers = headersFor({
      "X-Mine": "1",
      "CONTENT-type": "text/plain",
      "X-Pusher-Key": "forged",
      "x-pusher-signature": "forged",
      "X-PIPIT-Attempt": "9",
      "User-Agent": "mine",
      Host: "elsewhere",
      "Transfer-Encoding": "chunked",
      Connection: "close",
      "Content-Length": "1",
    });
    assert.deepEqual(Object.keys(headers).toSorted(), [
      "content-type",
      "user-agent",
      "x-mine",
      "x-pipit-attempt",
      "x-pipit-delivery",
      "x-pipit-event-ids",
      "x-pusher-key",
      "x-pusher-signature",
    ]);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["x-pusher-key"], KEY);
    assert.equal(headers["x-pipit-attempt"], "3");
    assert.equal(headers["user-agent"], "mine", "the agent is free");
  });

  test("carry the credentials of the url unless they bring their own", () => {
    const url = "https://user:p%40ss@receiver.test/";
    const basic = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
    assert.equal(headersFor({}, undefined, url).authorization, basic);
    assert.equal(
      headersFor({ Authorization: "Bearer x" }, undefined, url).authorization,
      "Bearer x",
    );
  });
});

function headersFor(
  headers: Record<string, string>,
  events = [event("1", "a")],
  url = "http://r.test/",
) {
  return attemptHeaders({
    endpoint: endpoint("one", { headers, url }),
    key: { key: KEY, signingKey: signingKey(SECRET) },
    body: batchBody(1, events),
    delivery: "d",
    attempt: 3,
    events,
    nowMs: 1_327_078_148_999,
    version: "1.2.3",
  });
}
