import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createMemoryCacheStore,
  ENTRY_OVERHEAD_BYTES,
  type MemoryCacheStore,
} from "../../src/cache/memory-cache-store.ts";
import { createDelayedCacheStore } from "../support/delayed-cache-store.ts";
import { createDelayedCalls, createSeededRandom } from "../support/delayed-calls.ts";
import { type CacheStoreUnderTest, cacheStoreContract } from "./cache-store-contract.ts";

const APP = "1";
const TTL_MS = 1_000;

cacheStoreContract("memory", () => open());

cacheStoreContract("delayed memory", () => {
  const opened = open();
  const calls = createDelayedCalls(createSeededRandom(8));
  return { ...opened, store: createDelayedCacheStore(opened.store, calls) };
});

describe("what only the memory cache store promises", () => {
  const event = (data: string) => ({ eventJson: '"e"', dataJson: JSON.stringify(data) });
  const entryBytes = (channel: string, data: string) =>
    ENTRY_OVERHEAD_BYTES + `${APP}:${channel}`.length + '"e"'.length + Buffer.byteLength(data) + 2;

  test("over the bound the least recently used event goes, and is counted", async () => {
    const { store } = open({ maxBytes: 3 * entryBytes("cache-a", "x") });
    for (const name of ["a", "b", "c"]) await store.set(APP, `cache-${name}`, event("x"), TTL_MS);
    assert.equal(store.counters.evictions, 0);
    await store.get(APP, "cache-a");
    await store.set(APP, "cache-d", event("x"), TTL_MS);
    assert.equal(await store.get(APP, "cache-b"), undefined);
    for (const name of ["a", "c", "d"]) assert.ok(await store.get(APP, `cache-${name}`), name);
    assert.equal(store.counters.evictions, 1);
  });

  test("a large event makes room for itself in full, one above the bound is not kept at all", async () => {
    const maxBytes = 4 * entryBytes("cache-a", "x");
    const { store } = open({ maxBytes });
    for (const name of ["a", "b", "c"]) await store.set(APP, `cache-${name}`, event("x"), TTL_MS);
    await store.set(APP, "cache-a", event("€".repeat(maxBytes / 3)), TTL_MS);
    assert.equal(await store.get(APP, "cache-a"), undefined, "not even the older event");
    assert.ok(await store.get(APP, "cache-b"));
    assert.equal(store.counters.evictions, 1);
    const large = "y".repeat(maxBytes - entryBytes("cache-d", ""));
    await store.set(APP, "cache-d", event(large), TTL_MS);
    assert.equal(store.counters.evictions, 3);
    assert.deepEqual(store.sizes(), { bytes: maxBytes, entries: 1, missEpisodes: 0 });
  });

  test("bytes are those of what is held, through every replacement and expiry", async () => {
    const { store, advance } = open();
    const random = createSeededRandom(11);
    for (let n = 0; n < 500; n++) {
      const channel = `cache-${Math.floor(random() * 10)}`;
      if (random() < 0.7) {
        await store.set(APP, channel, event("z".repeat(random() * 100)), random() * TTL_MS);
      } else await store.get(APP, channel);
      await advance(random() * 50);
    }
    await advance(TTL_MS);
    for (let n = 0; n < 10; n++) await store.get(APP, `cache-${n}`);
    assert.deepEqual(store.sizes(), { bytes: 0, entries: 0, missEpisodes: 0 });
  });

  test("events that have expired make way for others without being asked for", async () => {
    const { store, advance } = open();
    for (let n = 0; n < 1_000; n++) {
      await store.set(APP, `cache-${n}`, event("x"), TTL_MS);
      await advance(10);
    }
    assert.equal(store.sizes().entries, TTL_MS / 10);
    assert.equal(store.counters.evictions, 0);
  });

  test("episodes that are over make way for others without being asked for", async () => {
    const { store, advance } = open();
    for (let n = 0; n < 1_000; n++) {
      await store.getForSubscriber(APP, `cache-${n}`, TTL_MS);
      await advance(10);
    }
    assert.equal(store.sizes().missEpisodes, TTL_MS / 10);
    assert.equal(store.counters.forgottenMissEpisodes, 0);
  });

  test("the record of episodes is bounded: the oldest is forgotten, counted, and missed again", async () => {
    const { store, appended } = open({ maxMissEpisodes: 2 });
    for (const name of ["a", "b", "c", "a", "c"]) {
      await store.getForSubscriber(APP, `cache-${name}`, TTL_MS);
    }
    assert.equal((await appended(APP, "cache-a")).length, 2);
    assert.equal((await appended(APP, "cache-c")).length, 1);
    assert.equal(store.counters.forgottenMissEpisodes, 2);
    assert.equal(store.sizes().missEpisodes, 2);
  });

  test("hits and misses are counted", async () => {
    const { store } = open();
    await store.get(APP, "cache-a");
    await store.set(APP, "cache-a", event("x"), TTL_MS);
    await store.get(APP, "cache-a");
    await store.getForSubscriber(APP, "cache-a", TTL_MS);
    assert.deepEqual([store.counters.hits, store.counters.misses], [2, 1]);
  });
});

function open({ maxBytes = 1_000_000, maxMissEpisodes = 1_000 } = {}): CacheStoreUnderTest & {
  readonly store: MemoryCacheStore;
} {
  let nowMs = 1_000_000;
  const log: { appId: string; channel: string; json: string }[] = [];
  return {
    store: createMemoryCacheStore({
      now: () => nowMs,
      append: (appId, channel, { json }) => log.push({ appId, channel, json }),
      maxBytes,
      maxMissEpisodes,
    }),
    appended: (appId, channel) =>
      log
        .filter((each) => each.appId === appId && each.channel === channel)
        .map(({ json }) => json),
    async advance(ms) {
      nowMs += ms;
    },
  };
}
