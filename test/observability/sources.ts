/** Sources with a value in every metric, for tests and for the list of names. */
import type { ServerMetricsSources } from "../../src/observability/metrics-sources.ts";

export function sampleSources(): ServerMetricsSources {
  return {
    build: { version: "1.0.0", uwsPackage: "uWebSockets.js", uwsVersion: "20.57.0" },
    isReady: () => true,
    apps: () => [
      {
        appId: "1",
        connections: 3,
        traffic: {
          connectionsOpened: 10,
          connectionsClosed: 7,
          messagesReceived: 20,
          messagesSent: 200,
          bytesReceived: 2_000,
          bytesSent: 40_000,
          httpRequests: 5,
          httpBytesReceived: 500,
          httpBytesSent: 10,
        },
      },
    ],
    channels: async () => [{ appId: "1", channels: 2, subscriptions: 4, members: 1 }],
    connectionsClosed: () => ({ 1000: 2, 3999: 1, 4321: 1 }),
    connectionsRefused: () => new Map([[4001, 6]]),
    slowConsumersClosed: () => 1,
    limitsHit: () => ({ frame_bytes: 4 }),
    eventsPublished: () => 9,
    clientEvents: () => 8,
    refusals: () => new Map(Object.entries({ auth: 1, client_event_rate: 3 })),
    failures: () => ({ cache_read: 2 }),
    httpRequests: () => ({ "/apps/:app_id/events": { 200: 9, 401: 1 } }),
    cache: () => ({ entries: 1, bytes: 100, evictions: 2 }),
    webhookEndpoints: async () => [
      {
        appId: "1",
        endpoint: "orders",
        eventsByType: { channel_occupied: 3 },
        attemptsByOutcome: { "2xx": 2, timeout: 1 },
        delivered: 2,
        deadLettered: 1,
        dropped: 0,
        queued: 1,
        oldestAgeMs: 1_500,
        deadLetters: 1,
        isPaused: false,
      },
    ],
    webhookStream: async () => ({ unrouted: 2, held: 3, overrun: 4 }),
  };
}
