/** What keeps the last event of each cache channel. Source: protocol.md §2.8, architecture.md §4. */
import type { WebhookEvent } from "../protocol/webhook-event.ts";

/** The last event of a cache channel, as parts that are JSON already. */
export interface CachedEvent {
  readonly eventJson: string;
  /** The JSON encoding of the event's data string. */
  readonly dataJson: string;
}

export interface CacheEntry extends CachedEvent {
  /** How long the entry will live, in ms. */
  readonly ttlMs: number;
}

/**
 * Keeps one event per channel for a limited time, shared by the cluster, also while nobody is subscribed.
 * Values come back at once or as promises; callers await only promises. Async calls reject with
 * CacheUnavailableError.
 */
export interface CacheStore {
  /** For people: `memory`, `redis`. */
  readonly driver: string;
  /** Replaces the channel's event and ends its empty episode. Takes effect before the event is published. */
  set(appId: string, channel: string, event: CachedEvent, ttlMs: number): void | Promise<void>;
  /** The channel's event, or undefined when it has none or it has expired. */
  get(appId: string, channel: string): CacheEntry | undefined | Promise<CacheEntry | undefined>;
  /**
   * As `get`, for a new subscriber. When there is nothing, appends one `cache_miss` event per empty episode
   * to the channel's stream: an episode ends with the next `set`, or after `missTtlMs`.
   */
  getForSubscriber(
    appId: string,
    channel: string,
    missTtlMs: number,
  ): CacheEntry | undefined | Promise<CacheEntry | undefined>;
  close(): Promise<void>;
}

/** Appends the miss to the stream of the channel's partition. Handed in by server.ts. */
export type AppendMiss = (appId: string, channel: string, event: WebhookEvent) => void;

/** The cache cannot be reached. */
export class CacheUnavailableError extends Error {
  override readonly name = "CacheUnavailableError";
  readonly code = "PIPIT_CACHE_UNAVAILABLE";
}
