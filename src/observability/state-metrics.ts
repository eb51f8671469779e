/** The state that nodes share: what this node has written and read of it, what failed, and what it cleaned up. */
import { clusterMetric } from "./cluster-metrics.ts";
import { type ServerMetric, samplesBy } from "./server-metric.ts";

export const STATE_METRICS: readonly ServerMetric[] = [
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
        follow_members: state.rosterOverflows,
        unavailable: state.unavailable,
      }),
    "kind",
  ),
  clusterMetric(
    "counter",
    "state_rereads_total",
    "Reads of the shared state that were repeated, by reason: a change was missed, came late, or Redis had lost something.",
    ({ state }) =>
      samplesBy("reason", {
        missed: state.rosterGaps,
        late: state.versionWaits,
        foreign_epoch: state.foreignEpochs,
      }),
    "reason",
  ),
  clusterMetric(
    "counter",
    "state_collapses_total",
    "Channels whose waiting operations gave way to what they come to, while Redis was away. Nothing is lost by it.",
    ({ state }) => state.collapses,
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
