/** The last event of a cache channel, for those who have just joined it. Source: protocol.md §2.8. */
import type { CacheEntry, CacheStore } from "../cache/cache-store.ts";
import type { Connection } from "../connections/connection.ts";
import type { LocalChannel } from "../connections/local-channel.ts";
import type { Subscription } from "../connections/subscription.ts";
import { cacheMissFrame, eventFrame } from "../protocol/frame.ts";
import type { ChannelsCounters } from "./counters.ts";

/** Sends it, or that there is none; nothing at all once it is old news or the subscription is over. */
export type SendCached = (
  connection: Connection,
  local: LocalChannel,
  subscription: Subscription,
) => void;

export function createSendCached(cache: CacheStore, counters: ChannelsCounters): SendCached {
  return (connection, local, subscription) => {
    const { id, settings } = local.app;
    const before = local.eventsDelivered;
    const found = cache.getForSubscriber(id, local.name, settings.cacheTtlMs);
    const send = (entry: CacheEntry | undefined): void => {
      // A newer event that was delivered while the cache was asked makes the answer old news.
      if (subscription.status !== "joined" || local.eventsDelivered !== before) return;
      connection.socket.send(
        entry === undefined
          ? cacheMissFrame(local.nameJson)
          : eventFrame(entry.eventJson, local.nameJson, entry.dataJson),
      );
    };
    if (!(found instanceof Promise)) {
      send(found);
      return;
    }
    found.then(send, () => {
      counters.cacheFailures += 1;
    });
  };
}
