/** How fast an endpoint may be sent to. Each has its own, so one that waits for its rate delays no other. */
import type { WebhookEndpoint } from "../apps/app.ts";
import type { WebhookSettings } from "./settings.ts";

export interface Pace {
  /** POSTs under way at a time. */
  readonly concurrency: number;
  /** Least time between the beginnings of two POSTs, in ms; 0: none. */
  readonly everyMs: number;
}

/** Before its configuration was read. */
export const UNPACED: Pace = { concurrency: 1, everyMs: 0 };

export function paceOf(webhook: WebhookEndpoint, settings: WebhookSettings): Pace {
  return {
    concurrency: webhook.concurrency ?? settings.concurrency,
    everyMs: 1_000 / webhook.maxRequestsPerSecond,
  };
}

/** A timer that is late by no more costs no rate. */
const LATE_MS = 5;

/**
 * When the POST after one that begins at `nowMs` may begin; `dueMs`: when that one might have. They are spread
 * evenly: a receiver that counts by the second would refuse what a bucket of tokens lets through at once.
 */
export function nextPostMs({ everyMs }: Pace, dueMs: number, nowMs: number): number {
  const isLate = dueMs <= nowMs && nowMs - dueMs <= LATE_MS;
  return (isLate ? dueMs : nowMs) + everyMs;
}
