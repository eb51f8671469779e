/** How a node dispatches webhooks from the outbox that it shares with others. */
import { clusterMetric } from "./cluster-metrics.ts";
import type { ServerMetric } from "./server-metric.ts";

export const OUTBOX_METRICS: readonly ServerMetric[] = [
  clusterMetric(
    "gauge",
    "outbox_partitions",
    "Partitions of the deployment.",
    ({ outbox }) => outbox.partitions,
  ),
  clusterMetric(
    "gauge",
    "outbox_partitions_owned",
    "Partitions whose webhooks this node dispatches: a sum over nodes that stays lower means that some wait for nobody.",
    ({ outbox }) => outbox.owned,
  ),
  clusterMetric(
    "gauge",
    "outbox_cached_bytes",
    "Waiting webhook events of those partitions that are kept in memory.",
    ({ outbox }) => outbox.cachedBytes,
  ),
  clusterMetric(
    "counter",
    "outbox_partition_claims_total",
    "Partitions that this node has taken over: many without a start or a stop mean that leases run out.",
    ({ outbox }) => outbox.claims,
  ),
  clusterMetric(
    "counter",
    "outbox_lost_total",
    "Changes refused because another node had taken the partition over. Nothing is lost by them.",
    ({ outbox }) => outbox.lost,
  ),
  clusterMetric(
    "counter",
    "outbox_failures_total",
    "Calls of the webhook outbox that Redis has not answered: they are made again.",
    ({ outbox }) => outbox.failures,
  ),
  clusterMetric(
    "counter",
    "outbox_wake_ups_total",
    "Times that this node heard of new webhook events from Redis.",
    ({ outbox }) => outbox.wakeUps,
  ),
  clusterMetric(
    "counter",
    "outbox_cache_evictions_total",
    "Lanes of webhook events that fell out of a full cache, to be read again.",
    ({ outbox }) => outbox.evictions,
  ),
];
