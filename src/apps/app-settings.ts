/** From an app as it is configured to the settings that the rooms work with. */
import { type AppConfig, unlimited, type WebhookConfig } from "../config/config.ts";
import { isPem } from "../config/webhook-files.ts";
import { webhookIds } from "../config/webhook-id.ts";
import { signingKey } from "../protocol/signature.ts";
import type {
  AppKey,
  AppLimits,
  AppSettings,
  EndpointTls,
  PemSource,
  WebhookEndpoint,
} from "./app.ts";

const KB = 1_024;

export function appSettings(app: AppConfig): AppSettings {
  const keys = appKeys(app);
  return {
    enabled: app.enabled,
    keys: new Map(keys.map((pair) => [pair.key, pair])),
    webhookKey: keys[0],
    tlsOnly: app.tls_only,
    allowedOrigins: app.allowed_origins,
    features: {
      clientMessages: app.enable_client_messages,
      clientMessagesOnPublicChannels: app.enable_client_messages_on_public_channels,
      clientMessagesOnEncryptedChannels: app.enable_client_messages_on_encrypted_channels,
      userAuthentication: app.enable_user_authentication,
      watchlistEvents: app.enable_watchlist_events,
      subscriptionCount: app.enable_subscription_count,
      authorizedConnections: app.enable_authorized_connections,
      strict: app.strict,
      acknowledgeDuplicateSubscribe: app.acknowledge_duplicate_subscribe,
    },
    limits: appLimits(app),
    cacheTtlMs: app.cache_ttl_s * 1_000,
    webhooks: webhookEndpoints(app),
    batchWebhooks: app.batch_webhooks,
  };
}

/** The enabled pairs, in their order. */
function appKeys(app: AppConfig): readonly AppKey[] {
  const { key, secret } = app;
  const pairs =
    app.keys ?? (key === undefined || secret === undefined ? [] : [{ key, secret, enabled: true }]);
  return pairs
    .filter(({ enabled }) => enabled)
    .map((pair) => ({ key: pair.key, signingKey: signingKey(pair.secret) }));
}

function appLimits(app: AppConfig): AppLimits {
  return {
    maxConnections: unlimited(app.max_connections),
    maxClientEventsPerSecond: unlimited(app.max_client_events_per_second),
    maxBackendEventsPerSecond: unlimited(app.max_backend_events_per_second),
    maxReadRequestsPerSecond: unlimited(app.max_read_requests_per_second),
    maxPresenceMembersPerChannel: unlimited(app.max_presence_members_per_channel),
    maxPresenceMemberBytes: unlimited(app.max_presence_member_size_in_kb) * KB,
    maxChannelNameLength: unlimited(app.max_channel_name_length),
    maxEventChannelsAtOnce: unlimited(app.max_event_channels_at_once),
    maxEventNameLength: unlimited(app.max_event_name_length),
    maxEventPayloadBytes: unlimited(app.max_event_payload_in_kb) * KB,
    maxEventBatchSize: unlimited(app.max_event_batch_size),
    terminateOnClientEventLimit: app.terminate_on_limit,
  };
}

function webhookEndpoints(app: AppConfig): readonly WebhookEndpoint[] {
  const ids = webhookIds(app.webhooks);
  return app.webhooks.map((webhook, index) => ({
    id: ids[index] ?? "",
    url: webhook.url,
    eventTypes: new Set(webhook.event_types),
    headers: webhook.headers,
    filter: {
      startsWith: webhook.filter.channel_name_starts_with,
      endsWith: webhook.filter.channel_name_ends_with,
      pattern: webhook.filter.channel_name_pattern,
    },
    enabled: webhook.enabled,
    timeoutMs: webhook.timeout_ms,
    concurrency: webhook.concurrency,
    maxRequestsPerSecond: webhook.rate_limit ?? Number.POSITIVE_INFINITY,
    standardWebhooks: webhook.standard_webhooks,
    tls: endpointTls(webhook),
  }));
}

function endpointTls(webhook: WebhookConfig): EndpointTls | undefined {
  const { ca, client_certificate: certificate, client_key: key } = webhook;
  if (ca === undefined && certificate === undefined && key === undefined) return undefined;
  return { ca: pemSource(ca), certificate: pemSource(certificate), key: pemSource(key) };
}

function pemSource(text: string | undefined): PemSource | undefined {
  if (text === undefined) return undefined;
  return isPem(text) ? { pem: text } : { file: text };
}
