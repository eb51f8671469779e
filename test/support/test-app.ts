/** An app with the key and secret of the published vectors, and signatures as its backend would make them. */
import { createHmac } from "node:crypto";
import {
  type App,
  type AppFeatures,
  type AppLimits,
  type AppSettings,
  createAppTraffic,
} from "../../src/apps/app.ts";
import { signingKey } from "../../src/protocol/signature.ts";
import type { WebhookEventType } from "../../src/protocol/webhook-event.ts";

export const KEY = "278d425bdf160c739803";
export const SECRET = "7ad3773142a6692b25b8";

export interface TestAppChanges {
  readonly id?: string;
  readonly features?: Partial<AppFeatures>;
  readonly limits?: Partial<AppLimits>;
  readonly settings?: Partial<AppSettings>;
}

/** Client events, sign-in and everything that is on by default are on; no limit but those with a default. */
export function createTestApp({ id = "3", features, limits, settings }: TestAppChanges = {}): App {
  const appKey = { key: KEY, signingKey: signingKey(SECRET) };
  return {
    id,
    traffic: createAppTraffic(),
    settings: {
      enabled: true,
      keys: new Map([[KEY, appKey]]),
      webhookKey: appKey,
      tlsOnly: false,
      allowedOrigins: [],
      cacheTtlMs: 1_800_000,
      webhooks: [],
      batchWebhooks: true,
      ...settings,
      features: {
        clientMessages: true,
        clientMessagesOnPublicChannels: false,
        clientMessagesOnEncryptedChannels: false,
        userAuthentication: true,
        watchlistEvents: false,
        subscriptionCount: false,
        authorizedConnections: false,
        strict: false,
        acknowledgeDuplicateSubscribe: false,
        ...features,
      },
      limits: {
        maxConnections: Infinity,
        maxClientEventsPerSecond: Infinity,
        maxBackendEventsPerSecond: Infinity,
        maxReadRequestsPerSecond: Infinity,
        maxPresenceMembersPerChannel: 100,
        maxPresenceMemberBytes: 2_048,
        maxChannelNameLength: 200,
        maxEventChannelsAtOnce: 100,
        maxEventNameLength: 200,
        maxEventPayloadBytes: 102_400,
        maxEventBatchSize: 10,
        terminateOnClientEventLimit: false,
        ...limits,
      },
    },
  };
}

/** A receiver of webhooks, so that events of these types are wanted. */
export function webhooksFor(...types: WebhookEventType[]): AppSettings["webhooks"] {
  const filter = { startsWith: undefined, endsWith: undefined, pattern: undefined };
  const url = "http://receiver.invalid/";
  const own = { timeoutMs: undefined, concurrency: undefined, tls: undefined };
  const usual = { maxRequestsPerSecond: Infinity, standardWebhooks: false, ...own };
  const eventTypes = new Set(types);
  return [{ id: "a", url, eventTypes, headers: {}, filter, enabled: true, ...usual }];
}

/** `<key>:<signature>`, made here apart from the code under test. */
export function authFor(content: string, key: string = KEY, secret: string = SECRET): string {
  return `${key}:${createHmac("sha256", secret).update(content).digest("hex")}`;
}
