/** What can be set about webhook delivery. `server.ts` maps the config to it. */
import type { TargetRules } from "./address-policy.ts";

export interface WebhookSettings {
  /** How long one attempt may take, connect, headers and body included. */
  readonly timeoutMs: number;
  readonly batching: BatchingSettings;
  readonly retry: RetrySettings;
  /** POSTs under way at a time to one endpoint while it is healthy, at least 1. */
  readonly concurrency: number;
  /** Where webhooks may go. */
  readonly targets: TargetRules;
}

export interface BatchingSettings {
  /** Off: exactly one event per POST, whatever the app says (protocol.md §7.3). */
  readonly enabled: boolean;
  /** How long an event waits for company. */
  readonly windowMs: number;
  /** 1 to 100: the header with the events' ids has to stay under 4 KB. */
  readonly maxEvents: number;
}

/** Exponential backoff with full jitter: a wait is random between 0 and a bound that doubles. */
export interface RetrySettings {
  /** The first bound. */
  readonly initialMs: number;
  /** The highest bound, and the most of a `Retry-After` that is honoured. */
  readonly maxMs: number;
  /** How long a lane may fail before what is older than this becomes dead letters. */
  readonly budgetMs: number;
}

/** A body of several events stays under this; a single event may be larger. */
export const MAX_BATCH_BYTES = 256 * 1024;
