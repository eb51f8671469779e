import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ChannelsNode, createChannelsNode } from "../support/channels-node.ts";
import { createTestApp } from "../support/test-app.ts";

function publish(node: ChannelsNode, channel: string, data: string, except?: string): void {
  const dataJson = JSON.stringify(data);
  const event = { eventJson: '"e"', channels: [channel], dataJson, exceptSocketId: except };
  void node.channels.publish(node.app, [event]);
}

const misses = (node: ChannelsNode): number =>
  node.events.filter(({ name }) => name === "cache_miss").length;

describe("a cache channel", () => {
  for (const channel of [
    "cache-room",
    "private-cache-room",
    "presence-cache-room",
    "private-encrypted-cache-room",
  ]) {
    test(`${channel}: a new subscriber gets the last event after the answer, and only it`, () => {
      const node = createChannelsNode();
      const member = (id: number) => (channel.startsWith("presence") ? { user_id: id } : undefined);
      publish(node, channel, "old");
      publish(node, channel, "new é");
      const [first, second] = [node.connect(), node.connect()];
      first.subscribe(channel, member(1));
      first.take();
      second.subscribe(channel, member(2));
      const [answer, cached, ...more] = second.take();
      assert.equal(answer?.event, "pusher_internal:subscription_succeeded");
      assert.deepEqual(cached, { event: "e", channel, data: "new é" });
      assert.deepEqual(more, []);
      assert.ok(first.takeNames().every((name) => name.startsWith("member_added")));
      assert.equal(misses(node), 0);
    });
  }

  test("a miss is told to each new subscriber, and to webhooks once until something is published", () => {
    const node = createChannelsNode();
    for (let i = 0; i < 3; i++) {
      const client = node.connect();
      client.subscribe("cache-room");
      assert.deepEqual(client.take().at(-1), {
        event: "pusher:cache_miss",
        channel: "cache-room",
        data: "{}",
      });
    }
    assert.equal(misses(node), 1);
    publish(node, "cache-room", "d");
    node.advance(node.app.settings.cacheTtlMs + 1);
    node.connect().subscribe("cache-room");
    assert.equal(misses(node), 2);
  });

  test("keeps its event without subscribers, for as long as the app says", () => {
    const node = createChannelsNode({ app: createTestApp({ settings: { cacheTtlMs: 60_000 } }) });
    publish(node, "cache-room", "d");
    node.advance(59_999);
    const hit = node.connect();
    hit.subscribe("cache-room");
    assert.deepEqual(hit.takeNames(), ["subscription_succeeded cache-room", "e cache-room"]);
    hit.unsubscribe("cache-room");
    node.advance(1);
    const miss = node.connect();
    miss.subscribe("cache-room");
    assert.deepEqual(miss.takeNames(), [
      "subscription_succeeded cache-room",
      "cache_miss cache-room",
    ]);
  });

  test("keeps an event also where a socket is excluded from it", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.subscribe("cache-room");
    client.take();
    publish(node, "cache-room", "d", client.connection.socketId);
    assert.deepEqual(client.take(), []);
    assert.equal(node.cache.sizes().entries, 1);
  });

  test("is empty for another app, and any other channel keeps nothing", () => {
    const node = createChannelsNode();
    for (const channel of ["room", "my-cache-room", "private-room", "presence-room"]) {
      publish(node, channel, "d");
    }
    assert.equal(node.cache.sizes().entries, 0);
    publish(node, "cache-room", "d");
    assert.equal(node.channels.cached(createTestApp({ id: "4" }), "cache-room"), undefined);
  });
});
