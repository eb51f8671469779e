/** Whether webhooks arrive: what was queued, tried, delivered and given up, by endpoint. */
import type { WebhookEndpointSample } from "./metrics-sources.ts";
import { type ServerMetric, samplesBy } from "./server-metric.ts";

export const WEBHOOK_METRICS: readonly ServerMetric[] = [
  {
    type: "gauge",
    name: "webhook_unrouted_events",
    help: "Webhook events decided and not yet looked at.",
    labels: [],
    read: async (sources) => (await sources.webhookStream()).unrouted,
  },
  {
    type: "gauge",
    name: "webhook_held_events",
    help: "Webhook events that wait because their app is not known here.",
    labels: [],
    read: async (sources) => (await sources.webhookStream()).held,
  },
  {
    type: "counter",
    name: "webhook_events_overrun_total",
    help: "Webhook events lost for good: more were decided than could be looked at.",
    labels: [],
    read: async (sources) => (await sources.webhookStream()).overrun,
  },
  metricByEndpoint(
    "counter",
    "webhook_events_total",
    "Webhook events queued for an endpoint, by type.",
    (endpoint) => samplesBy("type", endpoint.eventsByType),
    "type",
  ),
  metricByEndpoint(
    "counter",
    "webhook_attempts_total",
    "POSTs of webhook events, by outcome.",
    (endpoint) => samplesBy("outcome", endpoint.attemptsByOutcome),
    "outcome",
  ),
  metricByEndpoint(
    "counter",
    "webhook_events_delivered_total",
    "Webhook events answered with a 2xx.",
    (endpoint) => endpoint.delivered,
  ),
  metricByEndpoint(
    "gauge",
    "webhook_queued_events",
    "Webhook events that wait for an endpoint.",
    (endpoint) => endpoint.queued,
  ),
  metricByEndpoint(
    "gauge",
    "webhook_oldest_event_age_seconds",
    "Age of the oldest webhook event that waits for an endpoint, 0 when none does.",
    (endpoint) => endpoint.oldestAgeMs / 1e3,
  ),
  metricByEndpoint(
    "counter",
    "webhook_events_dead_lettered_total",
    "Webhook events moved to an endpoint's dead letters.",
    (endpoint) => endpoint.deadLettered,
  ),
  metricByEndpoint(
    "gauge",
    "webhook_dead_letters",
    "Dead letters kept for an endpoint.",
    (endpoint) => endpoint.deadLetters,
  ),
  metricByEndpoint(
    "counter",
    "webhook_events_dropped_total",
    "Webhook events lost for good: dead letters past their number or age.",
    (endpoint) => endpoint.dropped,
  ),
  metricByEndpoint(
    "gauge",
    "webhook_endpoint_paused",
    "1 while an endpoint is paused, else 0.",
    (endpoint) => (endpoint.isPaused ? 1 : 0),
  ),
];

/** `valueOfEndpoint` gives the endpoint's value, or samples that have the label `more` besides. */
function metricByEndpoint(
  type: "counter" | "gauge",
  name: string,
  help: string,
  valueOfEndpoint: (endpoint: WebhookEndpointSample) => number | ReturnType<typeof samplesBy>,
  more?: string,
): ServerMetric {
  return {
    type,
    name,
    help,
    labels: ["app_id", "endpoint", ...(more === undefined ? [] : [more])],
    async read(sources) {
      return Array.from(await sources.webhookEndpoints()).flatMap((endpoint) => {
        const labels = { app_id: endpoint.appId, endpoint: endpoint.endpoint };
        const value = valueOfEndpoint(endpoint);
        if (typeof value === "number") return [{ labels, value }];
        return value.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } }));
      });
    },
  };
}
