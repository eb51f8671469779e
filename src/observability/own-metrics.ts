/** Pipit's own metrics of connections, channels, the HTTP API and the cache. */
import type { ChannelTotals } from "./metrics-sources.ts";
import {
  type ServerMetric,
  samplesBy,
  samplesByCloseCode,
  samplesByPrefix,
  samplesByTwo,
} from "./server-metric.ts";

export const OWN_METRICS: readonly ServerMetric[] = [
  {
    type: "gauge",
    name: "build_info",
    help: "1, with the versions that run.",
    labels: ["version", "uws_package", "uws_version"],
    read: ({ build: { version, uwsPackage, uwsVersion } }) => [
      { labels: { version, uws_package: uwsPackage, uws_version: uwsVersion }, value: 1 },
    ],
  },
  {
    type: "gauge",
    name: "ready",
    help: "1 while the server takes new connections, else 0.",
    labels: [],
    read: (sources) => (sources.isReady() ? 1 : 0),
  },
  {
    type: "gauge",
    name: "degraded",
    help: "1 while the server is ready and something it stands on is not well: /health/ready says what.",
    labels: [],
    read: (sources) => (sources.isDegraded() ? 1 : 0),
  },
  {
    type: "counter",
    name: "connections_closed_total",
    help: "Established connections that have closed, by WebSocket close code (`other`: a code of the client's own).",
    labels: ["code"],
    read: (sources) => samplesByCloseCode(sources.connectionsClosed()),
  },
  {
    type: "counter",
    name: "connections_refused_total",
    help: "Connections refused in the handshake, by the code that they were told.",
    labels: ["code"],
    read: (sources) => samplesByCloseCode(sources.connectionsRefused()),
  },
  {
    type: "counter",
    name: "slow_consumers_closed_total",
    help: "Connections closed because they did not read what they were sent.",
    labels: [],
    read: (sources) => sources.slowConsumersClosed(),
  },
  {
    type: "counter",
    name: "limits_hit_total",
    help: "Times that a limit was hit, by limit.",
    labels: ["limit"],
    read: (sources) => samplesBy("limit", sources.limitsHit()),
  },
  channelGauge("channels", "Occupied channels.", (app) => app.channels),
  channelGauge(
    "subscriptions",
    "Subscriptions, one for each connection in each channel.",
    (app) => app.subscriptions,
  ),
  channelGauge(
    "presence_members",
    "Presence members, one for each user in each presence channel.",
    (app) => app.members,
  ),
  {
    type: "counter",
    name: "events_published_total",
    help: "Events accepted by the HTTP API.",
    labels: [],
    read: (sources) => sources.eventsPublished(),
  },
  {
    type: "counter",
    name: "client_events_total",
    help: "Client events accepted.",
    labels: [],
    read: (sources) => sources.clientEvents(),
  },
  {
    type: "counter",
    name: "client_events_rejected_total",
    help: "Client events rejected, by reason.",
    labels: ["reason"],
    read: (sources) => samplesByPrefix("reason", "client_event_", sources.refusals()),
  },
  {
    type: "counter",
    name: "refusals_total",
    help: "Commands and client events refused, by reason.",
    labels: ["reason"],
    read: (sources) => samplesBy("reason", sources.refusals()),
  },
  {
    type: "counter",
    name: "failures_total",
    help: "Operations that failed while the server went on, by operation.",
    labels: ["operation"],
    read: (sources) => samplesBy("operation", sources.failures()),
  },
  {
    type: "counter",
    name: "http_requests_total",
    help: "HTTP requests answered, by route and status.",
    labels: ["route", "status"],
    read: (sources) => samplesByTwo("route", "status", sources.httpRequests()),
  },
  {
    type: "gauge",
    name: "cache_entries",
    help: "Cache channels that hold an event.",
    labels: [],
    read: (sources) => sources.cache()?.entries ?? [],
  },
  {
    type: "gauge",
    name: "cache_bytes",
    help: "Memory of the events that cache channels hold.",
    labels: [],
    read: (sources) => sources.cache()?.bytes ?? [],
  },
  {
    type: "counter",
    name: "cache_evictions_total",
    help: "Cached events given up before their time because the cache was full.",
    labels: [],
    read: (sources) => sources.cache()?.evictions ?? [],
  },
];

function channelGauge(
  name: string,
  help: string,
  valueOfApp: (app: ChannelTotals) => number,
): ServerMetric {
  return {
    type: "gauge",
    name,
    help,
    labels: ["app_id"],
    async read(sources) {
      return Array.from(await sources.channels(), (app) => ({
        labels: { app_id: app.appId },
        value: valueOfApp(app),
      }));
    },
  };
}
