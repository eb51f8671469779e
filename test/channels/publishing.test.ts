import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdapterUnavailableError } from "../../src/adapters/adapter.ts";
import { CacheUnavailableError } from "../../src/cache/cache-store.ts";
import type { EventToPublish } from "../../src/channels/channels.ts";
import { createChannelsNode } from "../support/channels-node.ts";
import { createDelayedCacheStore } from "../support/delayed-cache-store.ts";
import { createHeldCalls } from "../support/held-calls.ts";

function event(name: string, channels: readonly string[]): EventToPublish {
  const json = JSON.stringify(name);
  return { eventJson: json, channels, dataJson: json, exceptSocketId: undefined };
}

describe("publish", () => {
  test("sends each event to each of its channels, in order, and answers nothing to wait for", () => {
    const node = createChannelsNode();
    const client = node.connect();
    for (const channel of ["a", "b", "cache-c"]) client.subscribe(channel);
    client.take();
    const events = [event("1", ["a", "cache-c"]), event("2", ["b", "a"]), event("3", ["cache-c"])];
    assert.equal(node.channels.publish(node.app, events), undefined);
    assert.deepEqual(client.takeNames(), ["1 a", "1 cache-c", "2 b", "2 a", "3 cache-c"]);
    assert.equal(node.app.traffic.eventsPublished, 5);
    const cached = node.channels.cached(node.app, "cache-c");
    assert.equal(cached instanceof Promise ? undefined : cached?.dataJson, '"3"');
  });

  test("to a channel without subscribers is fine", () => {
    const node = createChannelsNode();
    assert.equal(node.channels.publish(node.app, [event("1", ["nobody"])]), undefined);
    assert.deepEqual(node.events, []);
    assert.equal(node.locals.size, 0);
  });

  test("keeps the order also where answers of the cache overtake each other", async () => {
    const calls = createHeldCalls();
    const node = createChannelsNode({
      wrapCache: (cache) => createDelayedCacheStore(cache, calls),
    });
    const client = node.connect();
    client.subscribe("a");
    client.subscribe("cache-c");
    await calls.releaseAll();
    client.take();
    const events = [event("1", ["cache-c"]), event("2", ["a"]), event("3", ["cache-c"])];
    const published = node.channels.publish(node.app, events);
    await calls.apply("cache");
    await calls.apply("cache");
    await calls.answer("cache", "last");
    await calls.releaseAll();
    await published;
    assert.deepEqual(client.takeNames(), ["1 cache-c", "2 a", "3 cache-c"]);
  });

  test("delivers nothing when the cache cannot be written: the backend may try again", async () => {
    const calls = createHeldCalls();
    const node = createChannelsNode({
      wrapCache: (cache) => createDelayedCacheStore(cache, calls),
    });
    const client = node.connect();
    client.subscribe("a");
    client.take();
    const published = node.channels.publish(node.app, [event("1", ["a", "cache-c"])]);
    const rejected = assert.rejects(async () => published, CacheUnavailableError);
    await calls.reject("cache", new CacheUnavailableError("gone"));
    await rejected;
    assert.deepEqual(client.take(), []);
    assert.equal(node.app.traffic.eventsPublished, 0);
  });

  test("sends and caches nothing when one of the channels is known to be out of reach", async () => {
    const node = createChannelsNode({
      wrapAdapter: (adapter) => ({ ...adapter, canPublish: (topic) => topic !== "3:away" }),
    });
    const client = node.connect();
    client.subscribe("a");
    client.take();
    for (const events of [
      [event("1", ["a", "cache-c", "away"])],
      [event("1", ["a"]), event("2", ["cache-c"]), event("3", ["away"])],
    ]) {
      const published = node.channels.publish(node.app, events);
      await assert.rejects(async () => published, AdapterUnavailableError);
    }
    assert.deepEqual(client.take(), []);
    assert.equal(node.channels.cached(node.app, "cache-c"), undefined);
    assert.equal(node.app.traffic.eventsPublished, 0);
    assert.equal(node.channels.publish(node.app, [event("1", ["a", "cache-c"])]), undefined);
    assert.deepEqual(client.takeNames(), ["1 a"]);
  });

  test("rejects when the adapter cannot reach the other nodes", async () => {
    const node = createChannelsNode({
      wrapAdapter: (adapter) => ({
        ...adapter,
        publish: () => Promise.reject(new AdapterUnavailableError("gone")),
      }),
    });
    for (const channels of [["a"], ["cache-c"], ["a", "b"]]) {
      const published = node.channels.publish(node.app, [event("1", channels)]);
      await assert.rejects(async () => published, AdapterUnavailableError);
    }
  });
});
