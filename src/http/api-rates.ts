/** How often the backends of an app may publish and read, on this node. Source: protocol.md §6.2. */
import type { App } from "../apps/app.ts";
import { createTokenBucket, type TokenBucket, takeTokens } from "../limits/token-bucket.ts";
import { errorReply, type Reply } from "./reply.ts";

export interface ApiRates {
  /** One point for each channel of each event: takes them all, or none and gives the 429. */
  takePublish(app: App, points: number): Reply | undefined;
  takeRead(app: App): Reply | undefined;
}

interface AppBuckets {
  publish: TokenBucket | undefined;
  read: TokenBucket | undefined;
}

/** A second's worth may come at once. `now` is in ms. */
export function createApiRates(now: () => number): ApiRates {
  // Weak, so that a removed app takes its buckets with it.
  const bucketsByApp = new WeakMap<App, AppBuckets>();

  function bucketsOf(app: App): AppBuckets {
    let buckets = bucketsByApp.get(app);
    if (buckets === undefined) {
      buckets = { publish: undefined, read: undefined };
      bucketsByApp.set(app, buckets);
    }
    return buckets;
  }

  function take(
    app: App,
    kind: keyof AppBuckets,
    points: number,
    ratePerSecond: number,
    setting: string,
  ): Reply | undefined {
    if (ratePerSecond === Infinity || points === 0) return undefined;
    const nowMs = now();
    const buckets = bucketsOf(app);
    buckets[kind] ??= createTokenBucket(ratePerSecond, nowMs);
    const taken = takeTokens(buckets[kind], points, ratePerSecond, ratePerSecond, nowMs);
    if (taken.isAllowed) return undefined;
    return errorReply(
      429,
      `Too many requests: this one costs ${points}, ${taken.remaining} of ${ratePerSecond} per second are left (${setting}).`,
      {
        "Retry-After": String(taken.retryAfterS),
        "X-RateLimit-Limit": String(ratePerSecond),
        "X-RateLimit-Remaining": String(taken.remaining),
      },
    );
  }

  return {
    takePublish(app, points) {
      const rate = app.settings.limits.maxBackendEventsPerSecond;
      return take(app, "publish", points, rate, "max_backend_events_per_second");
    },
    takeRead(app) {
      const rate = app.settings.limits.maxReadRequestsPerSecond;
      return take(app, "read", 1, rate, "max_read_requests_per_second");
    },
  };
}
