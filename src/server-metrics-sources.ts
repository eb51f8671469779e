/** Connects the rooms' plain numbers to the metrics. Everything here runs at scrape time only. */
import type { Apps, AppTraffic } from "./apps/app.ts";
import type { ChannelState } from "./channel-state/channel-state.ts";
import type { ChannelsCounters } from "./channels/counters.ts";
import type { ConnectionRegistry } from "./connections/registry.ts";
import type { Drivers } from "./drivers.ts";
import type { HttpCounters } from "./http/http-counters.ts";
import type {
  ChannelTotals,
  ServerMetricsSources,
  WebhookEndpointSample,
} from "./observability/metrics-sources.ts";
import type { TransportCounters } from "./transport/counters.ts";
import { VERSION } from "./version.ts";
import type { EndpointReport } from "./webhooks/endpoint-report.ts";
import type { LastDeliveries } from "./webhooks/last-deliveries.ts";
import type { NameLookups } from "./webhooks/name-lookups.ts";
import type { Webhooks } from "./webhooks/webhooks.ts";

export interface MetricsParts {
  readonly uws: () => { readonly name: string; readonly version: string } | undefined;
  readonly logLinesLost: () => number;
  readonly isReady: () => boolean;
  readonly isDegraded: () => boolean;
  readonly apps: Apps;
  readonly connections: ConnectionRegistry;
  readonly state: ChannelState;
  readonly channels: Readonly<ChannelsCounters>;
  readonly transport: Readonly<TransportCounters>;
  readonly http: HttpCounters;
  readonly cacheSizes: Drivers["cacheSizes"];
  readonly cluster: Drivers["cluster"];
  readonly webhooks: Webhooks;
  readonly nameLookups: NameLookups["counters"];
  readonly lastDeliveries: LastDeliveries["counters"];
}

/** Refusals that mean a limit was hit, by the label that the metric gives them. */
const LIMITS_BY_REFUSAL = {
  command_rate: "commands_per_second",
  channels_per_connection: "channels_per_connection",
  presence_full: "presence_members",
  client_event_rate: "client_events_per_second",
  client_event_size: "event_payload",
  watchlist_too_long: "watchlist",
} as const;

const CAPACITY_LIMITS = ["node_connections", "connections_per_address", "app_connections"] as const;

export function metricsSources(parts: MetricsParts): ServerMetricsSources {
  const { apps, connections, state, channels, transport, http, webhooks } = parts;

  function sum(count: (traffic: AppTraffic) => number): number {
    let total = 0;
    for (const { traffic } of apps.known()) total += count(traffic);
    return total;
  }

  function refusals(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { traffic } of apps.known()) {
      for (const [reason, count] of traffic.refusals) {
        counts.set(reason, (counts.get(reason) ?? 0) + count);
      }
    }
    return counts;
  }

  function limitsHit(): Map<string, number> {
    const refused = refusals();
    const hit = new Map<string, number>([
      ["backpressure", transport.slowConsumersClosed],
      ["request_body", transport.bodiesRefused + http.bodiesTooLarge],
      ["http_rate", http.rateLimited],
      ["http_turn", http.overloaded],
      ["frame_size", transport.framesTooLarge],
      ["early_frames", transport.earlyFramesDropped],
      ["cache_miss_episodes", parts.cacheSizes()?.forgottenMissEpisodes ?? 0],
      ["webhook_names", parts.nameLookups.refused],
      ["webhook_last_deliveries", parts.lastDeliveries.forgotten],
    ]);
    for (const limit of CAPACITY_LIMITS) hit.set(limit, channels.capacityHit.get(limit) ?? 0);
    for (const [refusal, limit] of Object.entries(LIMITS_BY_REFUSAL)) {
      hit.set(limit, refused.get(refusal) ?? 0);
    }
    return hit;
  }

  async function channelTotals(): Promise<ChannelTotals[]> {
    const totals: ChannelTotals[] = [];
    for (const { id } of apps.known()) {
      const occupied = await state.channels(id, "");
      let subscriptions = 0;
      let members = 0;
      for (const counts of occupied.values()) {
        subscriptions += counts.subscriptions;
        members += counts.users;
      }
      totals.push({ appId: id, channels: occupied.size, subscriptions, members });
    }
    return totals;
  }

  return {
    build: {
      version: VERSION,
      get uwsPackage() {
        return parts.uws()?.name ?? "";
      },
      get uwsVersion() {
        return parts.uws()?.version ?? "";
      },
    },
    isReady: parts.isReady,
    isDegraded: parts.isDegraded,
    apps: () =>
      [...apps.known()].map(({ id, traffic }) => ({
        appId: id,
        connections: connections.countOfApp(id),
        traffic,
      })),
    channels: channelTotals,
    connectionsClosed: () => transport.closes,
    connectionsRefused: () => channels.handshakesRefused,
    slowConsumersClosed: () => transport.slowConsumersClosed,
    limitsHit,
    eventsPublished: () => sum((traffic) => traffic.eventsPublished),
    clientEvents: () => sum((traffic) => traffic.clientEvents),
    refusals,
    failures: () => ({
      log_write: parts.logLinesLost(),
      cache_read: channels.cacheFailures,
      client_event_relay: channels.relayFailures,
      http_unavailable: http.unavailable,
      http_internal: http.failed,
      connection_internal: transport.faults,
      webhook_name_lookup: parts.nameLookups.hung,
    }),
    httpRequests: () => http.requests as Record<string, Record<string, number>>,
    cache: parts.cacheSizes,
    cluster: parts.cluster,
    webhookEndpoints: async () => (await webhooks.endpoints()).map(endpointSample),
    webhookStream: async () => {
      const { unrouted, held, dropped } = await webhooks.queues();
      return { unrouted, held, overrun: dropped };
    },
  };
}

function endpointSample(report: EndpointReport): WebhookEndpointSample {
  const { counters } = report;
  return {
    appId: report.appId,
    endpoint: report.endpointId,
    eventsByType: counters.routed,
    attemptsByOutcome: counters.attempts,
    delivered: counters.delivered,
    deadLettered: counters.dead,
    dropped: counters.dropped,
    replayed: counters.replayed,
    discarded: counters.discarded,
    queued: report.backlog,
    oldestAgeMs: report.oldestAgeMs,
    deadLetters: report.deadLetters,
    state: report.state,
  };
}
