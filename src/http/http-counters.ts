/** What the API counts: plain numbers that only grow, read at scrape time. */
import { API_ROUTES, UNKNOWN_ROUTE } from "./routes.ts";

export interface HttpCounters {
  /** Answers by route pattern, then by status. */
  readonly requests: Readonly<Record<string, Readonly<Record<number, number>>>>;
  /** Requests that met a rate limit (429). */
  readonly rateLimited: number;
  /** Bodies announced over the bound (413). Those that turn out so while they are read, transport counts. */
  readonly bodiesTooLarge: number;
  /** Requests refused because there was too much to do (503). */
  readonly overloaded: number;
  /** Requests that a cluster service could not serve (503). */
  readonly unavailable: number;
  /** Faults of our own (500). */
  readonly failed: number;
}

/** The counters as their owner raises them. */
export type MutableHttpCounters = { -readonly [Name in keyof HttpCounters]: HttpCounters[Name] } & {
  readonly requests: Record<string, Record<number, number>>;
};

export function createHttpCounters(): MutableHttpCounters {
  const requests: Record<string, Record<number, number>> = { [UNKNOWN_ROUTE]: {} };
  for (const { pattern } of Object.values(API_ROUTES)) requests[pattern] = {};
  return {
    requests,
    rateLimited: 0,
    bodiesTooLarge: 0,
    overloaded: 0,
    unavailable: 0,
    failed: 0,
  };
}

/** `route` is a pattern, one of a closed set. */
export function countAnswer(counters: MutableHttpCounters, route: string, status: number): void {
  counters.requests[route] ??= {};
  const byStatus = counters.requests[route];
  byStatus[status] = (byStatus[status] ?? 0) + 1;
}
