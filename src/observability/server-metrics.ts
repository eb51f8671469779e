/** Every metric of the server in one place: what `/metrics` shows and docs/metrics.md prints. */
import { CLUSTER_METRICS, REDIS_COMMAND_DURATION } from "./cluster-metrics.ts";
import { ADAPTER_RESOLVE_TIME, COMPATIBLE_METRICS } from "./compatible-metrics.ts";
import type { HistogramDefinition, MetricsRegistry } from "./metrics-registry.ts";
import type { ServerMetricsSources } from "./metrics-sources.ts";
import { OUTBOX_METRICS } from "./outbox-metrics.ts";
import { OWN_METRICS } from "./own-metrics.ts";
import { STATE_METRICS } from "./state-metrics.ts";
import { WEBHOOK_METRICS } from "./webhook-metrics.ts";

/** What rooms call for each observation; everything else is read at scrape time. */
export interface ServerObservations {
  /** `route` is a pattern of the closed set of routes, never a path. */
  httpRequest(route: string, seconds: number): void;
  /** From the decision of an event to the 2xx of the endpoint. */
  webhookDelivered(appId: string, endpoint: string, seconds: number): void;
  /** `command`: the name of a command or script, never a key. */
  redisCommand(command: string, seconds: number): void;
}

export const HTTP_REQUEST_DURATION: HistogramDefinition = {
  name: "http_request_duration_seconds",
  help: "Time from the head of an HTTP request to its answer, by route.",
  labels: ["route"],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
};

export const WEBHOOK_DELIVERY_LATENCY: HistogramDefinition = {
  name: "webhook_delivery_latency_seconds",
  help: "Time from the decision of a webhook event to the 2xx of its endpoint.",
  labels: ["app_id", "endpoint"],
  // Up to hours: an event waits for as long as its endpoint is down.
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 28_800],
};

const ALL_METRICS = [
  ...COMPATIBLE_METRICS,
  ...OWN_METRICS,
  ...WEBHOOK_METRICS,
  ...CLUSTER_METRICS,
  ...STATE_METRICS,
  ...OUTBOX_METRICS,
];

/** Puts every metric into `registry` and answers what the rooms' callbacks are wired to. */
export function registerServerMetrics(
  registry: MetricsRegistry,
  sources: ServerMetricsSources,
): ServerObservations {
  const shared: ServerMetricsSources = {
    ...sources,
    channels: onceATurn(async () => [...(await sources.channels())]),
    webhookEndpoints: onceATurn(async () => [...(await sources.webhookEndpoints())]),
    webhookStream: onceATurn(sources.webhookStream),
  };
  for (const metric of ALL_METRICS) {
    const expose = metric.type === "counter" ? registry.exposeTotal : registry.exposeGauge;
    expose(metric, () => metric.read(shared));
  }
  registry.createHistogram(ADAPTER_RESOLVE_TIME);
  const observeRequest = registry.createHistogram(HTTP_REQUEST_DURATION);
  const observeDelivery = registry.createHistogram(WEBHOOK_DELIVERY_LATENCY);
  const observeCommand = registry.createHistogram(REDIS_COMMAND_DURATION);
  return {
    httpRequest: (route, seconds) => observeRequest({ route }, seconds),
    webhookDelivered: (appId, endpoint, seconds) =>
      observeDelivery({ app_id: appId, endpoint }, seconds),
    redisCommand: (command, seconds) => observeCommand({ command }, seconds),
  };
}

/**
 * Asks once for all metrics of a scrape, which begin to read in one turn: counting every channel for each of
 * three metrics would take three times as long.
 */
function onceATurn<T>(read: () => T): () => T {
  let answer: { readonly value: T } | undefined;
  return () => {
    if (answer === undefined) {
      answer = { value: read() };
      queueMicrotask(() => {
        answer = undefined;
      });
    }
    return answer.value;
  };
}
