import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMetricsRegistry } from "../../src/observability/metrics-registry.ts";
import { registerServerMetrics } from "../../src/observability/server-metrics.ts";
import { readExposition } from "./exposition.ts";
import { sampleSources } from "./sources.ts";

async function scrape(changes: Partial<ReturnType<typeof sampleSources>> = {}) {
  const registry = createMetricsRegistry({ prefix: "", port: () => 6001 });
  const observe = registerServerMetrics(registry, { ...sampleSources(), ...changes });
  observe.redisCommand("write", 0.003);
  const families = readExposition(await registry.text());
  return (name: string, labels: Record<string, string> = {}) =>
    families
      .get(name)
      ?.series.find((one) => Object.entries(labels).every(([key, is]) => one.labels[key] === is))
      ?.value;
}

describe("cluster metrics", () => {
  test("every counter of the cluster reaches a series of its own value", async () => {
    const value = await scrape();
    assert.equal(value("degraded"), 1);
    assert.equal(value("redis_up"), 1);
    assert.equal(value("redis_commands_total", { connection: "publishes" }), 70);
    const timeouts = { connection: "commands", reason: "timeout" };
    assert.equal(value("redis_failures_total", timeouts), 2);
    const refused = { connection: "publishes", reason: "refused_silent" };
    assert.equal(value("redis_failures_total", refused), 3);
    assert.equal(value("redis_memory_used_bytes"), 6_000);
    assert.equal(value("redis_memory_max_bytes"), 12_000);
    assert.equal(value("redis_masters", { maxmemory_policy: "noeviction" }), 2);
    assert.equal(value("redis_masters", { maxmemory_policy: "allkeys-lru" }), 1);
    assert.equal(value("redis_topics"), 5);
    assert.equal(value("node_messages_published_total"), 70);
    assert.equal(value("node_messages_received_total"), 60);
    assert.equal(value("node_messages_delivered_total"), 40);
    assert.equal(value("node_messages_dropped_total", { reason: "echo" }), 20);
    assert.equal(value("node_messages_dropped_total", { reason: "malformed" }), 6);
    assert.equal(value("state_operations_total", { kind: "join" }), 11);
    assert.equal(value("state_failures_total", { kind: "unavailable" }), 25);
    assert.equal(value("state_failures_total", { kind: "sweep" }), 121);
    assert.equal(value("state_failures_total", { kind: "reap" }), 122);
    assert.equal(value("redis_subscribe_failures_total"), 34);
    assert.equal(value("node_report_failures_total"), 35);
    assert.equal(value("state_collapses_total"), 36);
    assert.equal(value("state_rereads_total", { reason: "missed" }), 37);
    assert.equal(value("state_rereads_total", { reason: "late" }), 38);
    assert.equal(value("state_rereads_total", { reason: "foreign_epoch" }), 39);
    assert.equal(value("state_failures_total", { kind: "follow_members" }), 40);
    assert.equal(value("state_backlog_channels"), 26);
    assert.equal(value("state_lease_age_seconds"), 4.5);
    assert.equal(value("state_losses_total", { lost: "writes" }), 19);
    assert.equal(value("state_reaped_nodes_total"), 20);
    assert.equal(value("state_reaped_channels_total"), 21);
    assert.equal(value("outbox_partitions"), 64);
    assert.equal(value("outbox_partitions_owned"), 27);
    assert.equal(value("outbox_cached_bytes"), 28);
    assert.equal(value("outbox_partition_claims_total"), 29);
    assert.equal(value("outbox_lost_total"), 30);
    assert.equal(value("outbox_failures_total"), 31);
    assert.equal(value("outbox_wake_ups_total"), 32);
    assert.equal(value("outbox_cache_evictions_total"), 33);
    assert.equal(value("redis_command_duration_seconds", { command: "write" }), 0);
  });

  test("a node that is alone has none of them", async () => {
    const value = await scrape({ cluster: () => undefined, isDegraded: () => false });
    assert.equal(value("redis_up"), undefined);
    assert.equal(value("state_operations_total"), undefined);
    assert.equal(value("degraded"), 0);
  });
});
