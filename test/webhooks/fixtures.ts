/** Apps, endpoints and events for the tests of this room. */
import {
  type App,
  type AppSettings,
  type Apps,
  createAppTraffic,
  type WebhookEndpoint,
} from "../../src/apps/app.ts";
import { partitionOf } from "../../src/protocol/partition.ts";
import { signingKey } from "../../src/protocol/signature.ts";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { LENIENT_RULES } from "../../src/webhooks/address-policy.ts";
import type { WebhookSettings } from "../../src/webhooks/settings.ts";

export const KEY = "278d425bdf160c739803";
export const SECRET = "7ad3773142a6692b25b8";

export const SETTINGS: WebhookSettings = {
  timeoutMs: 4_000,
  batching: { enabled: true, windowMs: 50, maxEvents: 50 },
  retry: { initialMs: 1_000, maxMs: 60_000, budgetMs: 300_000 },
  concurrency: 4,
  targets: LENIENT_RULES,
};

/** An endpoint that takes everything. */
export function endpoint(id: string, changes: Partial<WebhookEndpoint> = {}): WebhookEndpoint {
  return {
    id,
    url: "http://receiver.test/hook",
    eventTypes: new Set(WEBHOOK_EVENT_TYPES),
    headers: {},
    filter: { startsWith: undefined, endsWith: undefined, pattern: undefined },
    enabled: true,
    timeoutMs: undefined,
    concurrency: undefined,
    maxRequestsPerSecond: Number.POSITIVE_INFINITY,
    standardWebhooks: false,
    tls: undefined,
    ...changes,
  };
}

export function appSettings(changes: Partial<AppSettings> = {}): AppSettings {
  const webhookKey = { key: KEY, signingKey: signingKey(SECRET) };
  return {
    enabled: true,
    keys: new Map([[KEY, webhookKey]]),
    webhookKey,
    tlsOnly: false,
    allowedOrigins: [],
    features: {
      clientMessages: true,
      clientMessagesOnPublicChannels: false,
      clientMessagesOnEncryptedChannels: false,
      userAuthentication: true,
      watchlistEvents: true,
      subscriptionCount: true,
      authorizedConnections: false,
      strict: false,
      acknowledgeDuplicateSubscribe: false,
    },
    limits: {
      maxConnections: Number.POSITIVE_INFINITY,
      maxClientEventsPerSecond: Number.POSITIVE_INFINITY,
      maxBackendEventsPerSecond: Number.POSITIVE_INFINITY,
      maxReadRequestsPerSecond: Number.POSITIVE_INFINITY,
      maxPresenceMembersPerChannel: 100,
      maxPresenceMemberBytes: 2_048,
      maxChannelNameLength: 200,
      maxEventChannelsAtOnce: 100,
      maxEventNameLength: 200,
      maxEventPayloadBytes: 10_240,
      maxEventBatchSize: 10,
      terminateOnClientEventLimit: false,
    },
    cacheTtlMs: 1_800_000,
    webhooks: [],
    batchWebhooks: true,
    ...changes,
  };
}

export function app(id: string, changes: Partial<AppSettings> = {}): App {
  return { id, settings: appSettings(changes), traffic: createAppTraffic() };
}

/** A registry whose apps the test adds and takes away. */
export function appRegistry(...apps: App[]): Apps & { readonly byIds: Map<string, App> } {
  const byIds = new Map(apps.map((each) => [each.id, each]));
  return {
    driver: "memory",
    byIds,
    byId: (id) => byIds.get(id),
    byKey: () => undefined,
    known: () => byIds.values(),
  };
}

/** Names of channels of the app `app` that are in different partitions of 64. */
export function channelsApart(count: number): string[] {
  const byPartition = new Map<number, string>();
  for (let i = 0; byPartition.size < count; i++) {
    const partition = partitionOf("app", `c${i}`, 64);
    if (!byPartition.has(partition)) byPartition.set(partition, `c${i}`);
  }
  return [...byPartition.values()];
}
