/** How a node stands in its cluster: Redis, the messages between nodes, the state that nodes share. */
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
    "state_operations_total",
    "Operations on the state that nodes share, by kind, once Redis has acknowledged them.",
    ({ state }) =>
      samplesBy("kind", {
        write: state.writes,
        count: state.countSteps,
        join: state.joinSteps,
        leave: state.leaveSteps,
        record: state.recordSteps,
        heartbeat: state.heartbeats,
        read_members: state.rosterReads,
      }),
    "kind",
  ),
  clusterMetric(
    "counter",
    "state_failures_total",
    "Operations on the shared state that failed, by kind: unavailable was answered with 503, the others are tried again.",
    ({ state }) =>
      samplesBy("kind", {
        write: state.writeFailures,
        heartbeat: state.heartbeatFailures,
        sweep: state.sweepFailures,
        reap: state.reapFailures,
        unavailable: state.unavailable,
      }),
    "kind",
  ),
  clusterMetric(
    "gauge",
    "state_backlog_channels",
    "Channels of which something is still to be told to the shared state.",
    ({ health }) => health.backlog,
  ),
  clusterMetric(
    "gauge",
    "state_failing_partitions",
    "Partitions of the shared state that cannot be written just now.",
    ({ health }) => health.failingPartitions,
  ),
  clusterMetric(
    "gauge",
    "state_lease_age_seconds",
    "How long ago the oldest of this node's leases was renewed: other nodes clean up after it at 15.",
    ({ health }) => (health.leaseAgeMs === undefined ? [] : health.leaseAgeMs / 1e3),
  ),
  clusterMetric(
    "counter",
    "state_replays_total",
    "Times that this node told everything it holds in a partition anew: it was taken for dead, or Redis had lost something.",
    ({ state }) => state.reincarnations,
  ),
  clusterMetric(
    "counter",
    "state_losses_total",
    "Losses of Redis that this node noticed in a partition, by what was lost: all, or the last writes.",
    ({ state }) => samplesBy("lost", { all: state.stateLosses, writes: state.writeLosses }),
    "lost",
  ),
  clusterMetric(
    "counter",
    "state_reaped_nodes_total",
    "Partitions in which this node has cleaned up after a node that was gone.",
    ({ state }) => state.nodesReaped,
  ),
  clusterMetric(
    "counter",
    "state_reaped_channels_total",
    "Channels out of which this node has taken a node that was gone.",
    ({ state }) => state.channelsReaped,
  ),
  clusterMetric(
    "counter",
    "state_dropped_total",
    "What was given up because too much waited, by what: webhook events, or leaves to be told after a loss.",
    ({ state }) =>
      samplesBy("what", { webhook_events: state.recordsDropped, leaves: state.leavesForgotten }),
    "what",
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
