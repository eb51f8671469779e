/** An app: a tenant with its own keys, limits, features and webhooks. */
import type { SigningKey } from "../protocol/signature.ts";
import type { WebhookEventType } from "../protocol/webhook-event.ts";

/**
 * The stable handle of an app. Connections hold it for as long as they live; a reload replaces `settings`,
 * so read them afresh on each use and never keep them.
 */
export interface App {
  readonly id: string;
  settings: AppSettings;
  /** Plain numbers that rooms raise and the metrics read at scrape time. */
  readonly traffic: AppTraffic;
}

/** A key pair. `signingKey` is made once, since making it costs more than a signature. */
export interface AppKey {
  readonly key: string;
  readonly signingKey: SigningKey;
}

/** Everything configured for an app. Limits: `Infinity` is unlimited. Sizes are in bytes of UTF-8. */
export interface AppSettings {
  readonly enabled: boolean;
  /** Every enabled key by its public half. Never empty unless the app has no enabled key at all. */
  readonly keys: ReadonlyMap<string, AppKey>;
  /** The key that webhooks are signed with and whose public half they name: the first enabled one. */
  readonly webhookKey: AppKey | undefined;
  readonly tlsOnly: boolean;
  /** Patterns of origins (protocol.md §1.6); empty allows all. */
  readonly allowedOrigins: readonly string[];
  readonly features: AppFeatures;
  readonly limits: AppLimits;
  readonly cacheTtlMs: number;
  readonly webhooks: readonly WebhookEndpoint[];
  /** Several events may share a POST; off: exactly one each (protocol.md §7.3). */
  readonly batchWebhooks: boolean;
}

export interface AppFeatures {
  readonly clientMessages: boolean;
  /** Client events on public channels, and on encrypted ones: both refused unless switched on. */
  readonly clientMessagesOnPublicChannels: boolean;
  readonly clientMessagesOnEncryptedChannels: boolean;
  readonly userAuthentication: boolean;
  readonly watchlistEvents: boolean;
  readonly subscriptionCount: boolean;
  /** Connections that neither sign in nor join a private or presence channel in time are closed (§1.6). */
  readonly authorizedConnections: boolean;
  /** Behave as the hosted service where Pipit's default is friendlier (protocol.md §2.5, §2.6). */
  readonly strict: boolean;
  /** Answer a duplicate subscribe with another success instead of an error (protocol.md §10). */
  readonly acknowledgeDuplicateSubscribe: boolean;
}

export interface AppLimits {
  readonly maxConnections: number;
  readonly maxClientEventsPerSecond: number;
  readonly maxBackendEventsPerSecond: number;
  readonly maxReadRequestsPerSecond: number;
  readonly maxPresenceMembersPerChannel: number;
  readonly maxPresenceMemberBytes: number;
  readonly maxChannelNameLength: number;
  readonly maxEventChannelsAtOnce: number;
  readonly maxEventNameLength: number;
  readonly maxEventPayloadBytes: number;
  readonly maxEventBatchSize: number;
  /** A client event over the rate closes the connection with 4301 instead of being dropped. */
  readonly terminateOnClientEventLimit: boolean;
}

/** One receiver of an app's webhooks. */
export interface WebhookEndpoint {
  /** Unique in the app: as configured, or derived from the url (architecture.md §5). */
  readonly id: string;
  readonly url: string;
  readonly eventTypes: ReadonlySet<WebhookEventType>;
  readonly headers: Readonly<Record<string, string>>;
  readonly filter: ChannelFilter;
  /** Off: takes no new events and keeps its backlog. */
  readonly enabled: boolean;
  /** How long one attempt may take; undefined: as for all webhooks. */
  readonly timeoutMs: number | undefined;
  /** POSTs under way, likewise. */
  readonly concurrency: number | undefined;
  /** Of one node. `Infinity` is unlimited. */
  readonly maxRequestsPerSecond: number;
  /** The headers of Standard Webhooks are sent besides. */
  readonly standardWebhooks: boolean;
  /** Undefined: the system's authorities and no certificate of our own. */
  readonly tls: EndpointTls | undefined;
}

/** How an https endpoint is trusted, and what it is shown when it asks. */
export interface EndpointTls {
  /** Trusted instead of the system's authorities. */
  readonly ca: PemSource | undefined;
  readonly certificate: PemSource | undefined;
  readonly key: PemSource | undefined;
}

/** PEM, or the path of a file with it. Never logged: it may be a private key. */
export type PemSource = { readonly pem: string } | { readonly file: string };

/** All given parts must hold. `pattern` is searched for with a linear-time engine. */
export interface ChannelFilter {
  readonly startsWith: string | undefined;
  readonly endsWith: string | undefined;
  readonly pattern: string | undefined;
}

/** Counters that only grow. Bytes are of payloads, without framing. */
export interface AppTraffic {
  connectionsOpened: number;
  connectionsClosed: number;
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  httpRequests: number;
  httpBytesReceived: number;
  httpBytesSent: number;
  /** Events that backends published, one per channel. */
  eventsPublished: number;
  /** Client events accepted. */
  clientEvents: number;
  /** What clients were refused, by reason (a closed set). */
  readonly refusals: Map<string, number>;
}

export function createAppTraffic(): AppTraffic {
  return {
    connectionsOpened: 0,
    connectionsClosed: 0,
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    httpRequests: 0,
    httpBytesReceived: 0,
    httpBytesSent: 0,
    eventsPublished: 0,
    clientEvents: 0,
    refusals: new Map(),
  };
}

/** Finds apps. A driver that has to ask elsewhere returns a promise; callers await only promises. */
export interface Apps {
  /** For people: `memory`. */
  readonly driver: string;
  byId(id: string): App | undefined | Promise<App | undefined>;
  /** By the public half of any enabled key. Disabled apps are found too: they have an answer of their own. */
  byKey(key: string): App | undefined | Promise<App | undefined>;
  /** Every app known to this node now. */
  known(): Iterable<App>;
}
