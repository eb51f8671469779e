/**
 * The cache that a cluster shares: one string per channel, which Redis forgets by itself. The miss of an
 * empty channel enters the partition's outbox in the script that has found it empty. Source: architecture.md §4.
 */
import { channelEvent } from "../protocol/webhook-event.ts";
import type { RedisBus } from "../redis/bus.ts";
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { RedisUnavailableError } from "../redis/redis-unavailable.ts";
import { loadScript, type Script } from "../redis/script.ts";
import {
  type CachedEvent,
  type CacheEntry,
  type CacheStore,
  CacheUnavailableError,
} from "./cache-store.ts";

/** cache, miss */
const SET = loadScript(new URL("./lua/set.lua", import.meta.url), 2);
/** cache, miss, events, wake */
const READ = loadScript(new URL("./lua/read.lua", import.meta.url), 4);
/** cache */
const PEEK = loadScript(new URL("./lua/peek.lua", import.meta.url), 1);

export interface RedisCacheStoreParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly publishCommand: RedisBus["publishCommand"];
}

export interface RedisCacheStore extends CacheStore {
  readonly counters: Readonly<RedisCacheCounters>;
}

export interface RedisCacheCounters {
  hits: number;
  misses: number;
  /** Calls that Redis has not answered. */
  failures: number;
}

export function createRedisCacheStore(parts: RedisCacheStoreParts): RedisCacheStore {
  const { commands, keys, publishCommand } = parts;
  const counters: RedisCacheCounters = { hits: 0, misses: 0, failures: 0 };

  const cacheKey = (p: number, appId: string, channel: string): string =>
    keys.key(p, "cache", appId, channel);
  const missKey = (p: number, appId: string, channel: string): string =>
    keys.key(p, "miss", appId, channel);

  async function run(
    script: Script,
    scriptKeys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await commands.runScript(script, scriptKeys, args);
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      counters.failures += 1;
      throw new CacheUnavailableError(error.message, { cause: error });
    }
  }

  async function find(...call: Parameters<typeof run>): Promise<CacheEntry | undefined> {
    const entry = readEntry(await run(...call));
    if (entry === undefined) counters.misses += 1;
    else counters.hits += 1;
    return entry;
  }

  return {
    driver: "redis",
    async set(appId, channel, event, ttlMs) {
      const p = keys.partition(appId, channel);
      const ofChannel = [cacheKey(p, appId, channel), missKey(p, appId, channel)];
      await run(SET, ofChannel, [encodeEvent(event), wholeMs(ttlMs)]);
    },
    get: (appId, channel) =>
      find(PEEK, [cacheKey(keys.partition(appId, channel), appId, channel)], []),
    getForSubscriber(appId, channel, missTtlMs) {
      const p = keys.partition(appId, channel);
      return find(
        READ,
        [
          cacheKey(p, appId, channel),
          missKey(p, appId, channel),
          keys.key(p, "ev"),
          keys.wakeTopic(p),
        ],
        [
          wholeMs(missTtlMs),
          appId,
          channel,
          channelEvent("cache_miss", channel).json,
          publishCommand,
        ],
      );
    },
    async close() {},
    counters,
  };
}

/** Redis takes whole numbers from 1 on. */
function wholeMs(ms: number): number {
  return Math.max(1, Math.ceil(ms));
}

/** Both parts are JSON, so a line break stands in neither. */
function encodeEvent({ eventJson, dataJson }: CachedEvent): string {
  return `${eventJson}\n${dataJson}`;
}

/** What peek.lua and read.lua answer: `[event, ms left]`, or null. */
function readEntry(reply: unknown): CacheEntry | undefined {
  if (reply === null) return undefined;
  const [event, ttlMs]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  if (typeof event !== "string" || typeof ttlMs !== "number") {
    throw new TypeError("The script of the cache has answered what it never answers.");
  }
  const end = event.indexOf("\n");
  return { eventJson: event.slice(0, end), dataJson: event.slice(end + 1), ttlMs };
}
