/** How a node stands in its cluster: Redis, and the messages between nodes. */
import type { ClusterSample } from "./cluster-sample.ts";
import type { HistogramDefinition, Reading, Sample } from "./metrics-registry.ts";
import { type ServerMetric, samplesBy } from "./server-metric.ts";

export const REDIS_COMMAND_DURATION: HistogramDefinition = {
  name: "redis_command_duration_seconds",
  help: "Time until Redis has answered, by command or script.",
  labels: ["command"],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
};

export const CLUSTER_METRICS: readonly ServerMetric[] = [
  clusterMetric("gauge", "redis_up", "1 while Redis answers and is heard, else 0.", (cluster) =>
    cluster.isUp ? 1 : 0,
  ),
  clusterMetric(
    "counter",
    "redis_commands_total",
    "Commands and scripts sent to Redis, and messages published through it, by connection.",
    ({ commands, publishes }) =>
      samplesBy("connection", { commands: commands.calls, publishes: publishes.calls }),
    "connection",
  ),
  clusterMetric(
    "counter",
    "redis_failures_total",
    "What Redis did not carry out as far as is known, by connection and reason; refused_: not sent at all.",
    failures,
    "connection",
    "reason",
  ),
  clusterMetric(
    "gauge",
    "redis_memory_used_bytes",
    "Memory that Redis uses, over all masters.",
    ({ memory }) => sum(memory, ({ usedBytes }) => usedBytes),
  ),
  clusterMetric(
    "gauge",
    "redis_memory_max_bytes",
    "Memory that Redis may use, over all masters, 0 without a limit.",
    ({ memory }) => sum(memory, ({ maxBytes }) => maxBytes),
  ),
  clusterMetric(
    "gauge",
    "redis_masters",
    "Masters of Redis, by their maxmemory-policy: with any but noeviction they may throw away state.",
    ({ memory }) =>
      samplesBy(
        "maxmemory_policy",
        countBy(memory, ({ policy }) => policy),
      ),
    "maxmemory_policy",
  ),
  clusterMetric(
    "gauge",
    "redis_topics",
    "Topics that this node hears, those that it is about to give up among them.",
    ({ topics }) => topics,
  ),
  clusterMetric(
    "counter",
    "redis_resubscriptions_total",
    "Times that topics had to be heard anew, since the connection was lost.",
    ({ bus }) => bus.resubscriptions,
  ),
  clusterMetric(
    "counter",
    "redis_subscribe_failures_total",
    "Times that a topic could not be heard: who wanted it waits, or is told so.",
    ({ bus }) => bus.subscribeFailures,
  ),
  clusterMetric(
    "counter",
    "redis_probe_failures_total",
    "Connections to Redis that looked alive and were not.",
    ({ bus }) => bus.probeFailures,
  ),
  clusterMetric(
    "counter",
    "node_messages_published_total",
    "Messages given to other nodes.",
    ({ bus }) => bus.published,
  ),
  clusterMetric(
    "counter",
    "node_messages_received_total",
    "Messages received through Redis, the echoes of this node's own among them.",
    ({ bus }) => bus.received,
  ),
  clusterMetric(
    "counter",
    "node_messages_delivered_total",
    "Messages of other nodes handed to clients here.",
    ({ adapter }) => adapter.delivered,
  ),
  clusterMetric(
    "counter",
    "node_messages_dropped_total",
    "Messages between nodes that went no further, by reason (echo and unheard are no loss).",
    ({ adapter, bus }) =>
      samplesBy("reason", {
        echo: adapter.echoes,
        unheard: bus.unheardMessages,
        unknown: bus.unknownMessages,
        malformed: adapter.malformed,
        event_not_published: adapter.publishFailures,
        client_event_not_published: adapter.clientEventFailures,
      }),
    "reason",
  ),
  clusterMetric(
    "counter",
    "node_report_failures_total",
    "Reports of this node's connections that did not reach the others, for the max_connections of apps.",
    ({ reports }) => reports.failures,
  ),
];

/** A metric that a node has only among others. */
export function clusterMetric(
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (cluster: ClusterSample) => Reading,
  ...labels: readonly string[]
): ServerMetric {
  return {
    type,
    name,
    help,
    labels,
    read(sources) {
      const cluster = sources.cluster();
      return cluster === undefined ? [] : read(cluster);
    },
  };
}

function failures({ commands, publishes }: ClusterSample): Sample[] {
  return Object.entries({ commands, publishes }).flatMap(([connection, counters]) =>
    samplesBy("reason", {
      error: counters.errors,
      connection: counters.connectionFailures,
      timeout: counters.timeouts,
      refused_silent: counters.refusedSilent,
      refused_full: counters.refusedFull,
    }).map(({ labels, value }) => ({ labels: { connection, ...labels }, value })),
  );
}

function sum<T>(all: readonly T[], measure: (one: T) => number): number {
  return all.reduce((total, one) => total + measure(one), 0);
}

function countBy<T>(all: readonly T[], keyOf: (one: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of all) counts[keyOf(one)] = (counts[keyOf(one)] ?? 0) + 1;
  return counts;
}
