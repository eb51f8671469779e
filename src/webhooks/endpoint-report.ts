/** What the metrics tell of an endpoint, and first of all whether it is one still. */
import type { Apps } from "../apps/app.ts";
import type { EndpointCounters } from "./counters.ts";
import type { Endpoint } from "./lanes.ts";
import type { Backlog } from "./outbox.ts";

/**
 * `paused`: nothing is sent to it until it is resumed. `backing_off`: its last attempt failed, or it has refused an
 * event and taken nothing since. `disabled`: by its configuration. `removed`: it is not configured here, or its app
 * is not.
 */
export type EndpointState = "healthy" | "backing_off" | "paused" | "disabled" | "removed";

/** An endpoint as the metrics see it. Every configured one has a report, and every one with a backlog. */
export interface EndpointReport {
  readonly appId: string;
  readonly endpointId: string;
  readonly state: EndpointState;
  readonly counters: Readonly<EndpointCounters>;
  /** Events that wait. */
  readonly backlog: number;
  /** Since the decision of the oldest of them; 0 when none waits. */
  readonly oldestAgeMs: number;
  readonly deadLetters: number;
}

/** An endpoint of the configuration. */
export interface ConfiguredEndpoint {
  readonly appId: string;
  readonly endpointId: string;
  readonly isEnabled: boolean;
}

/** All endpoints that are configured now, by `<app>:<endpoint>`. */
export function configuredEndpoints(apps: Apps): ReadonlyMap<string, ConfiguredEndpoint> {
  const found = new Map<string, ConfiguredEndpoint>();
  for (const app of apps.known()) {
    for (const { id, enabled } of app.settings.webhooks) {
      found.set(`${app.id}:${id}`, { appId: app.id, endpointId: id, isEnabled: enabled });
    }
  }
  return found;
}

/** `configured`, `backlog`: undefined when there is none. */
export function reportOf(
  endpoint: Endpoint,
  configured: ConfiguredEndpoint | undefined,
  backlog: Backlog | undefined,
  nowMs: number,
): EndpointReport {
  return {
    appId: endpoint.appId,
    endpointId: endpoint.id,
    state: stateOf(endpoint, configured),
    counters: endpoint.counters,
    backlog: backlog?.events ?? 0,
    oldestAgeMs: backlog?.oldestMs === undefined ? 0 : Math.max(0, nowMs - backlog.oldestMs),
    deadLetters: backlog?.deadLetters ?? 0,
  };
}

// What nothing is sent to, by the operator's will, is neither well nor ill, however its last attempt went.
function stateOf(endpoint: Endpoint, configured: ConfiguredEndpoint | undefined): EndpointState {
  if (configured === undefined) return "removed";
  if (!configured.isEnabled) return "disabled";
  if (endpoint.pause !== undefined) return "paused";
  const isFailing = endpoint.failures > 0 || endpoint.refusedAlone.size > 0;
  return isFailing ? "backing_off" : "healthy";
}
