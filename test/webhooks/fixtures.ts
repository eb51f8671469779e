/** Apps, endpoints and events for the tests of this room. */
import {
  type App,
  type AppSettings,
  type Apps,
  createAppTraffic,
  type WebhookEndpoint,
} from "../../src/apps/app.ts";
import { partitionOf } from "../../src/protocol/partition.ts";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { LENIENT_RULES } from "../../src/webhooks/address-policy.ts";
import type { WebhookSettings } from "../../src/webhooks/settings.ts";
import { createTestApp, KEY, SECRET } from "../support/test-app.ts";

export { KEY, SECRET };

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
  const { settings } = createTestApp({
    features: { watchlistEvents: true, subscriptionCount: true },
  });
  return { ...settings, ...changes };
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
