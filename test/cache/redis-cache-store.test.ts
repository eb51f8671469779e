import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { createRedisCacheStore, type RedisCacheStore } from "../../src/cache/redis-cache-store.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections, type RedisConnections } from "../../src/redis/connections.ts";
import { openConnections } from "../redis/open-connections.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { shareRedis } from "../support/shared-redis.ts";
import { until } from "../support/until.ts";
import { type CacheStoreUnderTest, cacheStoreContract } from "./cache-store-contract.ts";

const APP = "1";
const CHANNEL = "cache-a";
const EVENT = { eventJson: '"price"', dataJson: '"{\\"eur\\":\\"€\\"}"' };
const MISS = '{"name":"cache_miss","channel":"cache-a"}';

describe("redis", () => {
  const shared = shareRedis();

  cacheStoreContract("redis", async (): Promise<CacheStoreUnderTest> => {
    const keyPrefix = shared.keyPrefix();
    const connections = createRedisConnections({ url: shared.server.url, keyPrefix }, SILENT_LOG);
    await connections.connect();
    return {
      store: { ...createStore(connections), close: () => connections.close() },
      appended: (appId, channel) => appended(connections, appId, channel),
      advance: (ms) => shortenLives(shared.server, keyPrefix, ms),
    };
  });
});

describe("what only the redis cache store promises", () => {
  test("an event goes by itself when its time is over", async (t) => {
    const { store } = await open(t);
    await store.set(APP, CHANNEL, EVENT, 20.5);
    await until("the event has gone", async () => (await store.get(APP, CHANNEL)) === undefined);
  });

  test("an event outlives the node that set it, and every node reads it", async (t) => {
    const { server, store, connections } = await open(t);
    await store.set(APP, CHANNEL, EVENT, 60_000);
    await connections.close();
    const other = createStore(await openConnections(t, { url: server.url }));
    assert.equal((await other.getForSubscriber(APP, CHANNEL, 1_000))?.dataJson, EVENT.dataJson);
  });

  test("the miss enters the outbox of the channel's partition with app, channel, type and event", async (t) => {
    const { connections, store } = await open(t);
    await store.getForSubscriber(APP, CHANNEL, 60_000);
    assert.deepEqual(await streamEntries(connections, APP, CHANNEL), [
      ["a", APP, "c", CHANNEL, "t", "cache_miss", "j", MISS],
    ]);
  });

  test("the dispatcher is woken when its stream was empty, and not while it has something left", async (t) => {
    let wakes = 0;
    const { connections, store } = await open(t, ({ bus }) =>
      bus.on("wake", () => {
        wakes += 1;
      }),
    );
    const { bus, keys } = connections;
    const p = keys.partition(APP, CHANNEL);
    await bus.subscribe(keys.wakeTopic(p));
    await store.getForSubscriber(APP, CHANNEL, 60_000);
    await until("it is woken", () => wakes === 1);
    await store.set(APP, CHANNEL, EVENT, 1);
    await until("the event has gone", async () => (await store.get(APP, CHANNEL)) === undefined);
    await store.getForSubscriber(APP, CHANNEL, 60_000);
    await bus.publish(keys.wakeTopic(p), Buffer.from("1"));
    await until("the marker has come", () => wakes === 2);
    assert.equal((await appended(connections, APP, CHANNEL)).length, 2);
    assert.equal(wakes, 2);
  });

  test("nodes that find a channel empty at the same time tell it once", async (t) => {
    const { server, connections, store } = await open(t);
    const other = createStore(await openConnections(t, { url: server.url }));
    const calls = Array.from({ length: 20 }, (_, n) =>
      (n % 2 === 0 ? store : other).getForSubscriber(APP, CHANNEL, 60_000),
    );
    await Promise.all(calls);
    assert.equal((await appended(connections, APP, CHANNEL)).length, 1);
  });

  test("while Redis is away every call is refused, and works again once it is back", async (t) => {
    const { server, connections, store } = await open(t);
    await server.stop();
    const refused = { code: "PIPIT_CACHE_UNAVAILABLE" };
    await assert.rejects(async () => store.set(APP, CHANNEL, EVENT, 1_000), refused);
    await assert.rejects(async () => store.get(APP, CHANNEL), refused);
    await assert.rejects(async () => store.getForSubscriber(APP, CHANNEL, 1_000), refused);
    assert.equal(store.counters.failures, 3);
    await server.restart();
    await until("Redis is back", () => connections.isUp());
    await store.set(APP, CHANNEL, EVENT, 60_000);
    assert.ok(await store.get(APP, CHANNEL));
  });

  test("hits and misses are counted", async (t) => {
    const { store } = await open(t);
    await store.get(APP, CHANNEL);
    await store.set(APP, CHANNEL, EVENT, 60_000);
    await store.get(APP, CHANNEL);
    await store.getForSubscriber(APP, CHANNEL, 1_000);
    assert.deepEqual([store.counters.hits, store.counters.misses], [2, 1]);
  });
});

function createStore({ commands, keys, bus }: RedisConnections): RedisCacheStore {
  return createRedisCacheStore({ commands, keys, publishCommand: bus.publishCommand });
}

async function open(t: TestContext, prepare?: (connections: RedisConnections) => void) {
  const server = await startRedis(t);
  const connections = await openConnections(t, { url: server.url }, prepare);
  return { server, connections, store: createStore(connections) };
}

/** The fields of each entry in the stream of the channel's partition. */
async function streamEntries(
  { commands, keys }: RedisConnections,
  appId: string,
  channel: string,
): Promise<readonly (readonly string[])[]> {
  const stream = keys.key(keys.partition(appId, channel), "ev");
  const entries = (await commands.call("XRANGE", stream, "-", "+")) as [string, string[]][];
  return entries.map(([, fields]) => fields);
}

async function appended(
  connections: RedisConnections,
  appId: string,
  channel: string,
): Promise<readonly string[]> {
  return (await streamEntries(connections, appId, channel))
    .filter(([, app, , name]) => app === appId && name === channel)
    .map((fields) => fields[7] ?? "");
}

/** As if `ms` had passed for everything that does not live for ever: no test waits for a long life to end. */
async function shortenLives(server: RedisServer, keyPrefix: string, ms: number): Promise<void> {
  for (const key of (await server.call("KEYS", `${keyPrefix}*`)) as string[]) {
    const leftMs = Number(await server.call("PTTL", key));
    if (leftMs >= 0) await server.call("PEXPIRE", key, leftMs - ms);
  }
}
