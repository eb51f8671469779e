/** What server.ts hands to the metrics: functions that read the rooms' plain numbers at scrape time. */

import type { ClusterSample } from "./cluster-sample.ts";

/** Numbers by one key of a small closed set. */
export type Counts = Readonly<Record<string, number>> | ReadonlyMap<string | number, number>;

/** Numbers by two keys: outer, then inner. */
export type NestedCounts = Readonly<Record<string, Counts>> | ReadonlyMap<string, Counts>;

export type MaybePromise<T> = T | Promise<T>;

/** One app. Everything but `connections` only grows. Bytes are of payloads. */
export interface AppSample {
  readonly appId: string;
  readonly connections: number;
  readonly traffic: {
    readonly connectionsOpened: number;
    readonly connectionsClosed: number;
    readonly messagesReceived: number;
    readonly messagesSent: number;
    readonly bytesReceived: number;
    readonly bytesSent: number;
    readonly httpRequests: number;
    readonly httpBytesReceived: number;
    readonly httpBytesSent: number;
  };
}

/** What channel state knows of one app; in a cluster, of the whole cluster. */
export interface ChannelTotals {
  readonly appId: string;
  readonly channels: number;
  readonly subscriptions: number;
  readonly members: number;
}

/** Every state has a series, so that an alert on one of them never looks at nothing. */
export const WEBHOOK_ENDPOINT_STATES = [
  "healthy",
  "backing_off",
  "paused",
  "disabled",
  "removed",
] as const;

export type WebhookEndpointState = (typeof WEBHOOK_ENDPOINT_STATES)[number];

/** One webhook endpoint. Waiting events and dead letters are those that this node looks after. Events are counted one by one, attempts by POST. */
export interface WebhookEndpointSample {
  readonly appId: string;
  /** Its id: as configured, or derived from the url. */
  readonly endpoint: string;
  readonly eventsByType: Counts;
  readonly attemptsByOutcome: Counts;
  readonly delivered: number;
  readonly deadLettered: number;
  readonly dropped: number;
  /** Dead letters sent again, counted each time. */
  readonly replayed: number;
  /** Dropped by an operator, whether they waited or were dead letters. */
  readonly discarded: number;
  /** Waiting now. */
  readonly queued: number;
  /** 0 when nothing waits. */
  readonly oldestAgeMs: number;
  /** Kept now. */
  readonly deadLetters: number;
  readonly state: WebhookEndpointState;
}

/** Webhook events that are in no endpoint's queue. */
export interface WebhookStreamSample {
  /** Waiting to be looked at. */
  readonly unrouted: number;
  /** Waiting because their app is not known here. */
  readonly held: number;
  /** Lost, because the stream was full. Only grows. */
  readonly overrun: number;
}

export interface ServerMetricsSources {
  /** Versions that run. `uwsPackage` is the package that uWebSockets.js was loaded from. */
  readonly build: {
    readonly version: string;
    readonly uwsPackage: string;
    readonly uwsVersion: string;
  };
  isReady(): boolean;
  /** Ready, and something is wrong with what the server stands on. */
  isDegraded(): boolean;
  apps(): Iterable<AppSample>;
  channels(): MaybePromise<Iterable<ChannelTotals>>;
  /** By WebSocket close code. Clients may close with any code: those outside of the known ones are joined. */
  connectionsClosed(): Counts;
  /** By the code of the refusal, handshakes only. */
  connectionsRefused(): Counts;
  slowConsumersClosed(): number;
  /** By the name of the limit. */
  limitsHit(): Counts;
  eventsPublished(): number;
  /** Client events accepted. */
  clientEvents(): number;
  /** Commands and client events refused, by reason. Reasons of client events begin with `client_event`. */
  refusals(): Counts;
  /** What failed and went on, by what it was: told by no error, so it must be seen here. */
  failures(): Counts;
  /** By route (a pattern, never a path), then status. */
  httpRequests(): NestedCounts;
  /** Of this node's memory; undefined where cached events are kept elsewhere. */
  cache():
    | { readonly entries: number; readonly bytes: number; readonly evictions: number }
    | undefined;
  /** Undefined for a node that is alone. */
  cluster(): ClusterSample | undefined;
  webhookEndpoints(): MaybePromise<Iterable<WebhookEndpointSample>>;
  webhookStream(): MaybePromise<WebhookStreamSample>;
}
