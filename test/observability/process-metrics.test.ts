import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { collectDefaultMetrics, Registry } from "prom-client";
import { createMetricsRegistry } from "../../src/observability/metrics-registry.ts";
import { registerProcessMetrics } from "../../src/observability/process-metrics.ts";
import { until } from "../support/until.ts";
import { type Family, readExposition } from "./exposition.ts";

function open() {
  const registry = createMetricsRegistry({ prefix: "p_", port: () => 6001 });
  return { registry, metrics: registerProcessMetrics(registry) };
}

/** A family as a dashboard sees it: name, type, and the names of its labels. */
function shapes(families: Iterable<Family>): Record<string, string> {
  const all = [...families].map(({ name, type, series }) => {
    const labels = new Set(series.flatMap((one) => Object.keys(one.labels)));
    return [name, `${type} ${[...labels].sort()}`] as const;
  });
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("registerProcessMetrics", () => {
  test("has every default metric of prom-client, of the same type and labels", async (t) => {
    const reference = new Registry();
    collectDefaultMetrics({ register: reference, prefix: "p_", labels: { port: "6001" } });
    const { registry, metrics } = open();
    metrics.start();
    t.after(() => metrics.close());
    // Theirs has the lag of the event loop from the second scrape on.
    await reference.metrics();
    await nextTurn();
    const theirs = shapes(readExposition(await reference.metrics()).values());
    const ours = shapes(readExposition(await registry.text()).values());
    for (const gc of [theirs, ours]) gc.p_nodejs_gc_duration_seconds = "when collected";
    for (const [name, shape] of Object.entries(theirs)) assert.equal(ours[name], shape, name);
  });

  test("values are plausible and finite", async (t) => {
    const { registry, metrics } = open();
    metrics.start();
    t.after(() => metrics.close());
    for (let scrape = 0; scrape < 2; scrape++) {
      for (const { name, series } of readExposition(await registry.text()).values()) {
        for (const { value } of series) assert.ok(Number.isFinite(value) && value >= 0, name);
      }
    }
    const families = readExposition(await registry.text());
    const value = (name: string) => families.get(`p_${name}`)?.series[0]?.value ?? 0;
    assert.ok(value("process_resident_memory_bytes") > 10_000_000);
    assert.ok(value("process_cpu_seconds_total") > 0);
    assert.ok(value("process_open_fds") > 2);
    assert.ok(Math.abs(value("process_start_time_seconds") - Date.now() / 1000) < 600);
  });

  test("garbage collections are observed from start to close", async (t) => {
    const { registry, metrics } = open();
    t.after(() => metrics.close());
    const collections = async () => {
      const family = readExposition(await registry.text()).get("p_nodejs_gc_duration_seconds");
      const counts = family?.series.filter(({ name }) => name.endsWith("_count")) ?? [];
      return counts.reduce((sum, { value }) => sum + value, 0);
    };
    const litter = () => JSON.parse(JSON.stringify(Array.from({ length: 50_000 }, String)));
    litter();
    assert.equal(await collections(), 0);
    metrics.start();
    await until("a collection is counted", async () => {
      litter();
      return (await collections()) > 0;
    });
  });
});
