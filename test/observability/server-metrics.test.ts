import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMetricsRegistry } from "../../src/observability/metrics-registry.ts";
import type { ServerMetricsSources } from "../../src/observability/metrics-sources.ts";
import { registerServerMetrics } from "../../src/observability/server-metrics.ts";
import { readExposition } from "./exposition.ts";
import { sampleSources } from "./sources.ts";

async function scrape(changes: Partial<ServerMetricsSources> = {}, prefix = "") {
  const registry = createMetricsRegistry({ prefix, port: () => 6001 });
  const observe = registerServerMetrics(registry, { ...sampleSources(), ...changes });
  observe.httpRequest("/apps/:app_id/events", 0.002);
  observe.webhookDelivered("1", "orders", 0.2);
  observe.redisCommand("write", 0.001);
  return readExposition(await registry.text());
}

/** The names, types and labels that dashboards made for other servers read. */
const COMPATIBLE = {
  connected: "gauge",
  new_connections_total: "counter",
  new_disconnections_total: "counter",
  socket_received_bytes: "counter",
  socket_transmitted_bytes: "counter",
  ws_messages_received_total: "counter",
  ws_messages_sent_total: "counter",
  http_received_bytes: "counter",
  http_transmitted_bytes: "counter",
  http_calls_received_total: "counter",
  horizontal_adapter_resolved_promises: "counter",
  horizontal_adapter_uncomplete_promises: "counter",
  horizontal_adapter_sent_requests: "counter",
  horizontal_adapter_received_requests: "counter",
  horizontal_adapter_received_responses: "counter",
};

describe("registerServerMetrics", () => {
  test("compatible metrics keep name, type and exactly the labels app_id and port", async () => {
    const families = await scrape({}, "old_");
    for (const [name, type] of Object.entries(COMPATIBLE)) {
      const family = families.get(`old_${name}`);
      assert.equal(family?.type, type, name);
      assert.deepEqual(
        family?.series.map(({ labels }) => labels),
        [{ app_id: "1", port: "6001" }],
      );
    }
    assert.equal(families.get("old_horizontal_adapter_resolve_time")?.type, "histogram");
    assert.equal(families.get("old_connected")?.series[0]?.value, 3);
    assert.equal(families.get("old_socket_transmitted_bytes")?.series[0]?.value, 40_000);
  });

  test("every source reaches a series of its own value", async () => {
    const families = await scrape();
    const value = (name: string, labels: Record<string, string> = {}) =>
      families
        .get(name)
        ?.series.find((one) => Object.entries(labels).every(([key, is]) => one.labels[key] === is))
        ?.value;
    assert.equal(value("build_info", { uws_version: "20.57.0" }), 1);
    assert.equal(value("ready"), 1);
    assert.equal(value("connections_refused_total", { code: "4001" }), 6);
    assert.equal(value("limits_hit_total", { limit: "frame_bytes" }), 4);
    assert.equal(value("subscriptions", { app_id: "1" }), 4);
    assert.equal(value("client_events_rejected_total", { reason: "rate" }), 3);
    assert.equal(value("client_events_rejected_total", { reason: "auth" }), undefined);
    assert.equal(value("refusals_total", { reason: "auth" }), 1);
    assert.equal(value("failures_total", { operation: "cache_read" }), 2);
    assert.equal(value("http_requests_total", { route: "/apps/:app_id/events", status: "401" }), 1);
    const endpoint = { app_id: "1", endpoint: "orders" };
    assert.equal(value("webhook_events_total", { ...endpoint, type: "channel_occupied" }), 3);
    assert.equal(value("webhook_attempts_total", { ...endpoint, outcome: "timeout" }), 1);
    assert.equal(value("webhook_oldest_event_age_seconds", endpoint), 1.5);
    assert.equal(value("webhook_events_replayed_total", endpoint), 5);
    assert.equal(value("webhook_events_discarded_total", endpoint), 6);
    assert.equal(value("webhook_endpoint_paused", endpoint), 0);
    assert.equal(value("webhook_endpoint_state", { ...endpoint, state: "healthy" }), 0);
    assert.equal(value("webhook_endpoint_state", { ...endpoint, state: "backing_off" }), 1);
    assert.equal(value("webhook_unrouted_events"), 2);
    assert.equal(value("webhook_held_events"), 3);
    assert.equal(value("webhook_events_overrun_total"), 4);
  });

  test("no metric of the table lacks a series when every source has values", async () => {
    for (const { name, series } of (await scrape()).values()) {
      if (name === "horizontal_adapter_resolve_time") continue;
      assert.ok(series.length > 0, name);
    }
  });

  test("close codes that clients made up share one series", async () => {
    const closed = (await scrape()).get("connections_closed_total")?.series ?? [];
    assert.deepEqual(
      closed.map(({ labels, value }) => [labels.code, value]),
      [
        ["1000", 2],
        ["other", 2],
      ],
    );
  });

  test("state that cannot be reached costs its own metrics only", async () => {
    const families = await scrape({ channels: () => Promise.reject(new Error("away")) });
    assert.deepEqual(families.get("channels")?.series, []);
    assert.equal(families.get("connected")?.series.length, 1);
    assert.equal(families.get("metric_read_failures_total")?.series.length, 1);
  });

  test("a source with nothing to tell yields no series and no error", async () => {
    const families = await scrape({
      apps: () => [],
      channels: () => [],
      webhookEndpoints: () => [],
      connectionsClosed: () => ({}),
    });
    assert.deepEqual(families.get("connected")?.series, []);
    assert.deepEqual(families.get("webhook_queued_events")?.series, []);
  });

  test("a scrape asks once for what several metrics show, and the next asks again", async () => {
    const asked = { channels: 0, endpoints: 0 };
    const registry = createMetricsRegistry({ prefix: "", port: () => 6001 });
    registerServerMetrics(registry, {
      ...sampleSources(),
      channels: () => {
        asked.channels += 1;
        return [];
      },
      webhookEndpoints: () => {
        asked.endpoints += 1;
        return [];
      },
    });
    await registry.text();
    assert.deepEqual(asked, { channels: 1, endpoints: 1 });
    await registry.json();
    assert.deepEqual(asked, { channels: 2, endpoints: 2 });
  });
});
