/** Whether webhooks arrive: what was queued, tried, delivered and given up, by endpoint. */
import type { Sample } from "./metrics-registry.ts";
import { WEBHOOK_ENDPOINT_STATES, type WebhookEndpointSample } from "./metrics-sources.ts";
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
    "Webhook events queued for an endpoint, by type: without those of which the answer of Redis was lost.",
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
    "Webhook events that wait for an endpoint, in the partitions that this node dispatches: the sum over nodes is all.",
    (endpoint) => endpoint.queued,
  ),
  metricByEndpoint(
    "gauge",
    "webhook_oldest_event_age_seconds",
    "Age of the oldest of them, 0 when none waits: the highest of all nodes counts.",
    (endpoint) => endpoint.oldestAgeMs / 1e3,
  ),
  metricByEndpoint(
    "counter",
    "webhook_events_dead_lettered_total",
    "Webhook events moved to an endpoint's dead letters. Once at least: some twice after a node was killed.",
    (endpoint) => endpoint.deadLettered,
  ),
  metricByEndpoint(
    "gauge",
    "webhook_dead_letters",
    "Dead letters kept for an endpoint, in the partitions that this node dispatches.",
    (endpoint) => endpoint.deadLetters,
  ),
  metricByEndpoint(
    "counter",
    "webhook_events_dropped_total",
    "Webhook events lost for good: dead letters past their number or age. Once at least: some twice after a node was killed.",
    (endpoint) => endpoint.dropped,
  ),
  metricByEndpoint(
    "counter",
    "webhook_events_replayed_total",
    "Dead letters of an endpoint that were sent again, counted each time.",
    (endpoint) => endpoint.replayed,
  ),
  metricByEndpoint(
    "counter",
    "webhook_events_discarded_total",
    "Webhook events and dead letters of an endpoint that an operator has dropped. Once at least: some twice after a node was killed.",
    (endpoint) => endpoint.discarded,
  ),
  metricByEndpoint(
    "gauge",
    "webhook_endpoint_paused",
    "1 while an endpoint is paused, else 0.",
    (endpoint) => (endpoint.state === "paused" ? 1 : 0),
  ),
  metricByEndpoint(
    "gauge",
    "webhook_endpoint_state",
    "1 for the state that this node sees an endpoint in, 0 for the others: healthy, backing_off, paused, disabled, removed (the endpoint, or its app, is not configured).",
    (endpoint) => WEBHOOK_ENDPOINT_STATES.map((state) => sampleOfState(state, endpoint)),
    "state",
  ),
];

function sampleOfState(state: string, endpoint: WebhookEndpointSample): Sample {
  return { labels: { state }, value: endpoint.state === state ? 1 : 0 };
}

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
