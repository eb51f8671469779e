/**
 * What files written for other Pusher-compatible servers contain: keys that have no meaning here, which are
 * worth a warning and no refusal, and shapes that only wrap what we know.
 */
import type { z } from "zod";
import { appSchema } from "./app-schema.ts";
import {
  appManagerSchema,
  cacheSchema,
  configSchema,
  corsSchema,
  metricsSchema,
  sslSchema,
} from "./config-schema.ts";
import { deliverySchema, retrySchema } from "./delivery-schema.ts";
import { deepMerge, isRecord } from "./path.ts";
import { webhookSchema } from "./webhook-schema.ts";

/** Advice about a key of another server (in snake_case), "" when there is none, undefined when it is not known. */
export function foreignKey(schema: z.ZodObject, key: string): string | undefined {
  const keys = FOREIGN_KEYS.get(schema);
  return keys && Object.hasOwn(keys, key) ? keys[key] : undefined;
}

/**
 * The object with what other servers wrap unwrapped: keys with dots (`"appManager.array.apps"`),
 * `app_manager.array.apps`, and an app's `policy.{limits,features,channels,webhooks}`. What stands directly in
 * the object wins. An `ssl` that is switched off or empty is undefined, which means that there is none.
 */
export function reshape(
  schema: z.ZodObject,
  input: Readonly<Record<string, unknown>>,
  isKnown: (key: string) => boolean,
  warn: (key: string, what: string) => void,
): Readonly<Record<string, unknown>> | undefined {
  if (schema === configSchema) return nestDotted(input);
  if (schema === appManagerSchema) return unwrapApps(input);
  if (schema === appSchema) return unwrapPolicy(input, isKnown, warn);
  if (schema === sslSchema) return filledSsl(input, warn);
  return input;
}

const CHANNEL_LIMITS = "Set max_channel_name_length in the app and cache.ttl_s.";
const EVENT_LIMITS = "Set the max_event_ limits in the app.";
const PRESENCE_LIMITS = "Set the max_presence_ limits in the app.";
const ONE_NODE = "One node needs nothing beside it; several share the Redis of `redis`.";
const SET_BUDGET = "Set webhooks.retry.budget_s: time counts, not attempts.";
const SET_TIMEOUT = "Set webhooks.timeout_ms.";
const RATES = "Set the _per_second limits in the app.";

const SSL_KEYS = { enabled: "Leave ssl out for a plain port.", redirect_http: "", http_port: "" };

/** By identity: `.meta()` and `.describe()` make another schema, so they belong where the schema is made. */
const FOREIGN_KEYS: ReadonlyMap<unknown, Readonly<Record<string, string>>> = new Map<
  unknown,
  Readonly<Record<string, string>>
>([
  [
    configSchema,
    {
      adapter: ONE_NODE,
      cluster: ONE_NODE,
      database: ONE_NODE,
      database_pooling: "",
      queue: "Webhooks need no queue beside the server.",
      queue_redis: "",
      rate_limiter: RATES,
      mode: "",
      debug: "Set log.level.",
      debug_mode: "Set log.level.",
      instance: "",
      channel_limits: CHANNEL_LIMITS,
      event_limits: EVENT_LIMITS,
      presence: PRESENCE_LIMITS,
      http_api: "Set limits.max_request_body_kb and http.accept_traffic_memory_threshold.",
      shutdown_grace_period: "Set shutdown.grace_s, in seconds.",
      user_authentication_timeout: "Set user_authentication_timeout_s, in seconds.",
      activity_timeout: "Set activity_timeout_s, in seconds.",
      logging: "Set log.",
      unix_socket: "",
      websocket: "Set limits.",
      websocket_max_payload_kb: "Set limits.max_frame_kb.",
      tag_filtering: "",
      delta_compression: "",
      cleanup: "",
      cluster_health: "",
      connection_recovery: "",
      history: "",
      presence_history: "",
      versioned_messages: "",
      annotations: "",
      idempotency: "",
      ephemeral: "",
      echo_control: "",
      event_name_filtering: "",
      push: "",
    },
  ],
  [
    appManagerSchema,
    {
      array: "",
      cache: "",
      mysql: "",
      postgres: "",
      postgresql: "",
      dynamodb: "",
      mysql_pool: "",
      scylladb: "",
    },
  ],
  [metricsSchema, { driver: "", prometheus: "Set metrics.prefix." }],
  [cacheSchema, { driver: "", redis: "", memory: "" }],
  [corsSchema, { credentials: "", methods: "", allowed_headers: "" }],
  [sslSchema, SSL_KEYS],
  [
    deliverySchema,
    { queue: "", driver: "", timeout: SET_TIMEOUT, request_timeout_ms: SET_TIMEOUT },
  ],
  [
    retrySchema,
    {
      enabled: "Failed attempts are always repeated.",
      max_attempts: SET_BUDGET,
      max_elapsed_time_ms: SET_BUDGET,
      initial_backoff_ms: "Set webhooks.retry.initial_ms.",
      max_backoff_ms: "Set webhooks.retry.max_ms.",
    },
  ],
  [
    appSchema,
    {
      policy: "",
      decay_seconds: "Rates are per second.",
      message_rate_limit: "Set limits.commands_per_second.",
      channel_delta_compression: "",
      idempotency: "",
      connection_recovery: "",
      history: "",
      presence_history: "",
    },
  ],
  [
    webhookSchema,
    {
      retry: "Retries are set for all webhooks, in webhooks.retry.",
      request_timeout_ms: "Set timeout_ms in the webhook.",
      lambda: "Functions are not called: only URLs are.",
      lambda_function: "Functions are not called: only URLs are.",
    },
  ],
]);

function nestDotted(input: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const nested = new Map<string, unknown>();
  for (const [key, value] of Object.entries(input)) {
    const [first = key, ...rest] = key.split(".");
    const inner = rest.reduceRight<unknown>((part, step) => ({ [step]: part }), value);
    nested.set(first, deepMerge(nested.get(first), inner));
  }
  return Object.fromEntries(nested);
}

/** `driver: "array"` is another name for apps that stand in the file. */
function unwrapApps(input: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { array, driver, ...rest } = input;
  const named = driver === undefined ? {} : { driver: driver === "array" ? "memory" : driver };
  if (!isRecord(array) || !("apps" in array))
    return { ...named, ...(array === undefined ? {} : { array }), ...rest };
  return { ...named, apps: array.apps, ...rest };
}

/** Others write an `ssl` whether there is TLS or not: switched off, or with nothing in it. */
function filledSsl(
  input: Readonly<Record<string, unknown>>,
  warn: (key: string, what: string) => void,
): Readonly<Record<string, unknown>> | undefined {
  const { enabled } = input;
  if (["false", "0"].includes(String(enabled).trim().toLowerCase())) {
    warn("enabled", "is off, so ssl is ignored and the port is plain.");
    return undefined;
  }
  const isOurs = (key: string) => !Object.hasOwn(SSL_KEYS, key);
  const isEmpty = (value: unknown) => value === "" || value === null;
  const ours = Object.entries(input).filter(([key]) => isOurs(key));
  const [first] = ours[0] ?? [];
  if (first !== undefined && !enabled && ours.every(([, value]) => isEmpty(value))) {
    warn(first, "is empty, as is the rest of ssl, so the port is plain.");
    return undefined;
  }
  const filled = Object.entries(input).filter(([key, value]) => !isOurs(key) || !isEmpty(value));
  return Object.fromEntries(filled);
}

function unwrapPolicy(
  input: Readonly<Record<string, unknown>>,
  isKnown: (key: string) => boolean,
  warn: (key: string, what: string) => void,
): Readonly<Record<string, unknown>> {
  const { policy, ...rest } = input;
  if (!isRecord(policy)) return input;
  const { limits, features, channels, webhooks, ...others } = policy;
  const found: Record<string, unknown> = {};
  for (const part of [limits, features, channels, others]) {
    for (const [key, value] of Object.entries(isRecord(part) ? part : {})) {
      if (isKnown(key)) found[key] = value;
      else warn("policy", `${JSON.stringify(key)} in it means nothing here and is ignored.`);
    }
  }
  return { ...found, ...(webhooks === undefined ? {} : { webhooks }), ...rest };
}
