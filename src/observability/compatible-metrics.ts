/**
 * The metrics that existing dashboards read: suffixes, types and labels stay exactly as they are, the odd
 * counters without `_total` included, since an expression that names one must go on working.
 */
import type { HistogramDefinition } from "./metrics-registry.ts";
import type { AppSample } from "./metrics-sources.ts";
import type { ServerMetric } from "./server-metric.ts";

export const COMPATIBLE_METRICS: readonly ServerMetric[] = [
  metric("gauge", "connected", "Connections that are open.", (app) => app.connections),
  metric(
    "counter",
    "new_connections_total",
    "Connections that were established.",
    (app) => app.traffic.connectionsOpened,
  ),
  metric(
    "counter",
    "new_disconnections_total",
    "Established connections that have closed.",
    (app) => app.traffic.connectionsClosed,
  ),
  metric(
    "counter",
    "socket_received_bytes",
    "Bytes of WebSocket messages received, without framing.",
    (app) => app.traffic.bytesReceived,
  ),
  metric(
    "counter",
    "socket_transmitted_bytes",
    "Bytes of WebSocket messages sent, without framing, counted for each receiver.",
    (app) => app.traffic.bytesSent,
  ),
  metric(
    "counter",
    "ws_messages_received_total",
    "WebSocket messages received.",
    (app) => app.traffic.messagesReceived,
  ),
  metric(
    "counter",
    "ws_messages_sent_total",
    "WebSocket messages sent, counted for each receiver.",
    (app) => app.traffic.messagesSent,
  ),
  metric(
    "counter",
    "http_received_bytes",
    "Bytes of HTTP request bodies received.",
    (app) => app.traffic.httpBytesReceived,
  ),
  metric(
    "counter",
    "http_transmitted_bytes",
    "Bytes of HTTP answer bodies sent.",
    (app) => app.traffic.httpBytesSent,
  ),
  metric(
    "counter",
    "http_calls_received_total",
    "HTTP API requests received.",
    (app) => app.traffic.httpRequests,
  ),
  ...(
    [
      ["resolved_promises", "Questions to other nodes that were answered"],
      ["uncomplete_promises", "Questions to other nodes that were not answered in full"],
      ["sent_requests", "Questions to other nodes"],
      ["received_requests", "Questions of other nodes"],
      ["received_responses", "Answers of other nodes"],
    ] as const
  ).map(([name, what]) =>
    metric(
      "counter",
      `horizontal_adapter_${name}`,
      `${what}: always 0, since nodes read shared state and ask each other nothing.`,
      () => 0,
    ),
  ),
];

/** Declared so that dashboards find it; has no observation, for the reason given above. */
export const ADAPTER_RESOLVE_TIME: HistogramDefinition = {
  name: "horizontal_adapter_resolve_time",
  help: "Milliseconds until other nodes answered: never observed, since nodes ask each other nothing.",
  labels: ["app_id"],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
};

function metric(
  type: "counter" | "gauge",
  name: string,
  help: string,
  valueOfApp: (app: AppSample) => number,
): ServerMetric {
  return {
    type,
    name,
    help,
    labels: ["app_id"],
    read: ({ apps }) =>
      Array.from(apps(), (app) => ({ labels: { app_id: app.appId }, value: valueOfApp(app) })),
  };
}
