/** The cache of a node that is alone: bounded in bytes, the least recently used event makes room. */
import { channelTopic } from "../protocol/topic.ts";
import { channelEvent } from "../protocol/webhook-event.ts";
import type { AppendMiss, CachedEvent, CacheEntry, CacheStore } from "./cache-store.ts";
import { createAgedMap } from "./memory-aged-map.ts";

/** What an entry costs beside its texts, in bytes: a figure for the bound, not a measurement. */
export const ENTRY_OVERHEAD_BYTES = 256;

/** How many empty episodes are remembered, unless said otherwise. */
export const DEFAULT_MAX_MISS_EPISODES = 100_000;

export interface MemoryCacheStoreParts {
  /** Epoch ms. */
  readonly now: () => number;
  readonly append: AppendMiss;
  /** Bound of all entries together, in bytes of UTF-8 and {@link ENTRY_OVERHEAD_BYTES} each. */
  readonly maxBytes: number;
  /** Over it the oldest episode is forgotten, at the price of one more `cache_miss` for that channel. */
  readonly maxMissEpisodes?: number;
}

export interface MemoryCacheStore extends CacheStore {
  readonly counters: Readonly<MemoryCacheCounters>;
  /** What is held now; entries that have expired count until they are met. */
  sizes(): { readonly bytes: number; readonly entries: number; readonly missEpisodes: number };
}

export interface MemoryCacheCounters {
  hits: number;
  misses: number;
  /** Entries pushed out, or never taken in, because of `maxBytes`. */
  evictions: number;
  /** Episodes forgotten because of `maxMissEpisodes`. */
  forgottenMissEpisodes: number;
}

interface StoredEvent extends CachedEvent {
  readonly expiresAtMs: number;
  readonly bytes: number;
}

export function createMemoryCacheStore(parts: MemoryCacheStoreParts): MemoryCacheStore {
  const { now, append, maxBytes, maxMissEpisodes = DEFAULT_MAX_MISS_EPISODES } = parts;
  const events = createAgedMap<StoredEvent>();
  /** When each empty episode ends by itself, epoch ms. */
  const missEpisodes = createAgedMap<number>();
  const counters: MemoryCacheCounters = {
    hits: 0,
    misses: 0,
    evictions: 0,
    forgottenMissEpisodes: 0,
  };
  let bytes = 0;

  function drop(topic: string): void {
    bytes -= events.delete(topic)?.bytes ?? 0;
  }

  /** Expired ones at the old end go, two for each one that comes: what nobody asks for does not pile up. */
  function dropSomeExpired(nowMs: number): void {
    for (let looked = 0; looked < 2; looked++) {
      const oldest = events.oldest();
      if (oldest && oldest.value.expiresAtMs <= nowMs) drop(oldest.key);
      const episode = missEpisodes.oldest();
      if (episode && episode.value <= nowMs) missEpisodes.delete(episode.key);
    }
  }

  function makeRoom(): void {
    while (bytes > maxBytes) {
      const oldest = events.oldest();
      if (!oldest) return;
      drop(oldest.key);
      counters.evictions += 1;
    }
  }

  function find(topic: string): CacheEntry | undefined {
    const stored = events.get(topic);
    const ttlMs = stored ? stored.expiresAtMs - now() : 0;
    if (!stored || ttlMs <= 0) {
      if (stored) drop(topic);
      counters.misses += 1;
      return undefined;
    }
    events.touch(topic);
    counters.hits += 1;
    return { eventJson: stored.eventJson, dataJson: stored.dataJson, ttlMs };
  }

  /** False when the channel is in an empty episode already. */
  function beginMissEpisode(topic: string, missTtlMs: number): boolean {
    const nowMs = now();
    if ((missEpisodes.get(topic) ?? 0) > nowMs) return false;
    dropSomeExpired(nowMs);
    missEpisodes.set(topic, nowMs + missTtlMs);
    const oldest = missEpisodes.oldest();
    if (missEpisodes.size > maxMissEpisodes && oldest) {
      missEpisodes.delete(oldest.key);
      counters.forgottenMissEpisodes += 1;
    }
    return true;
  }

  return {
    driver: "memory",
    set(appId, channel, { eventJson, dataJson }, ttlMs) {
      const topic = channelTopic(appId, channel);
      const nowMs = now();
      missEpisodes.delete(topic);
      drop(topic);
      dropSomeExpired(nowMs);
      const entryBytes =
        ENTRY_OVERHEAD_BYTES +
        topic.length +
        Buffer.byteLength(eventJson) +
        Buffer.byteLength(dataJson);
      if (entryBytes > maxBytes) {
        // It would push out everything else and then itself.
        counters.evictions += 1;
        return;
      }
      events.set(topic, { eventJson, dataJson, expiresAtMs: nowMs + ttlMs, bytes: entryBytes });
      bytes += entryBytes;
      makeRoom();
    },
    get: (appId, channel) => find(channelTopic(appId, channel)),
    getForSubscriber(appId, channel, missTtlMs) {
      const topic = channelTopic(appId, channel);
      const entry = find(topic);
      if (!entry && beginMissEpisode(topic, missTtlMs)) {
        append(appId, channel, channelEvent("cache_miss", channel));
      }
      return entry;
    },
    async close() {},
    counters,
    sizes: () => ({ bytes, entries: events.size, missEpisodes: missEpisodes.size }),
  };
}
