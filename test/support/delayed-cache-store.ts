/** A cache store that takes its time. Calls for one channel take effect in order. */
import type { CacheStore } from "../../src/cache/cache-store.ts";
import type { DelayedCalls } from "./delayed-calls.ts";

export function createDelayedCacheStore(store: CacheStore, calls: DelayedCalls): CacheStore {
  const key = (appId: string, channel: string) => `cache ${appId}:${channel}`;
  return {
    driver: `delayed ${store.driver}`,
    set: (appId, channel, event, ttlMs) =>
      calls.ask(key(appId, channel), () => store.set(appId, channel, event, ttlMs)),
    get: (appId, channel) => calls.ask(key(appId, channel), () => store.get(appId, channel)),
    getForSubscriber: (appId, channel, missTtlMs) =>
      calls.ask(key(appId, channel), () => store.getForSubscriber(appId, channel, missTtlMs)),
    async close() {
      await calls.settled();
      await store.close();
    },
  };
}
