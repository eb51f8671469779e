/** Cuts the configuration into the slices that rooms see: each its own, none the whole. */
import type { ChannelsSettings } from "./channels/create-channels.ts";
import { type Config, unlimited } from "./config/config.ts";
import type { HttpApiSettings } from "./http/rest-api.ts";
import { parseEndpoint, type RedisSettings } from "./redis/settings.ts";
import type { TransportSettings } from "./transport/transport.ts";
import type { LaneBounds } from "./webhooks/memory-lanes.ts";
import type { WebhookSettings } from "./webhooks/settings.ts";

const KB = 1_024;

export function channelsSettings(config: Config): ChannelsSettings {
  const { limits } = config;
  return {
    activityTimeoutS: config.activity_timeout_s,
    authorizationTimeoutMs: config.user_authentication_timeout_s * 1_000,
    maxConnections: unlimited(limits.max_connections),
    maxConnectionsPerAddress: unlimited(limits.max_connections_per_address),
    maxChannelsPerConnection: unlimited(limits.max_channels_per_connection),
    commandsPerSecond: unlimited(limits.commands_per_second),
    commandsBurst: limits.commands_burst,
  };
}

export function transportSettings(config: Config): TransportSettings {
  const { ssl, limits } = config;
  return {
    host: config.host,
    port: config.port,
    isPortShared: config.reuse_port,
    pathPrefix: config.path_prefix,
    ssl:
      ssl === undefined
        ? undefined
        : {
            certFile: ssl.cert_file,
            keyFile: ssl.key_file,
            caFile: ssl.ca_file,
            passphrase: ssl.passphrase,
          },
    trustedProxies: config.trusted_proxies,
    maxFrameBytes: limits.max_frame_kb * KB,
    maxBackpressureBytes: limits.max_backpressure_kb * KB,
    countsAddresses: unlimited(limits.max_connections_per_address) !== Number.POSITIVE_INFINITY,
    activityTimeoutS: config.activity_timeout_s,
    pongTimeoutS: config.pong_timeout_s,
  };
}

export function httpApiSettings(config: Config): HttpApiSettings {
  return {
    pathPrefix: config.path_prefix,
    maxBodyBytes: config.limits.max_request_body_kb * KB,
    corsOrigins: config.cors.origins,
  };
}

export function webhookSettings(config: Config): WebhookSettings {
  const { timeout_ms, batching, retry, concurrency } = config.webhooks;
  return {
    timeoutMs: timeout_ms,
    batching: {
      enabled: batching.enabled,
      windowMs: batching.window_ms,
      maxEvents: batching.max_events,
    },
    retry: {
      initialMs: retry.initial_ms,
      maxMs: retry.max_ms,
      budgetMs: retry.budget_s * 1_000,
    },
    concurrency,
    targets: {
      isHttpsOnly: config.webhooks.https_only,
      refusesPrivate: config.webhooks.private_targets === "refuse",
      allowed: config.webhooks.allowed_targets,
    },
  };
}

/** Undefined for a node that is alone. */
export function redisSettings(config: Config): RedisSettings | undefined {
  const { redis } = config;
  if (redis === undefined) return undefined;
  const { tls } = redis;
  return {
    url: redis.url,
    sentinels: redis.sentinels?.map(parseEndpoint),
    masterName: redis.master_name,
    sentinelUsername: redis.sentinel_username,
    sentinelPassword: redis.sentinel_password,
    cluster: redis.cluster?.map(parseEndpoint),
    tls:
      tls === undefined
        ? undefined
        : {
            caFile: tls.ca_file,
            certFile: tls.cert_file,
            keyFile: tls.key_file,
            passphrase: tls.passphrase,
            serverName: tls.server_name,
          },
    username: redis.username,
    password: redis.password,
    db: redis.db,
    keyPrefix: redis.key_prefix,
    partitions: redis.partitions,
  };
}

export function laneBounds(config: Config): LaneBounds {
  const { max_queued_events, max_dead_letters, max_dead_letter_age_s } = config.webhooks;
  return {
    maxQueuedEvents: max_queued_events,
    maxDeadLetters: max_dead_letters,
    maxDeadLetterAgeMs: max_dead_letter_age_s * 1_000,
  };
}
