/** A registry that has every metric of a running server, with sample values. */
import { createMetricsRegistry } from "../../src/observability/metrics-registry.ts";
import { registerProcessMetrics } from "../../src/observability/process-metrics.ts";
import { registerServerMetrics } from "../../src/observability/server-metrics.ts";
import { sampleSources } from "./sources.ts";

export function allMetrics() {
  const registry = createMetricsRegistry({ prefix: "pipit_", port: () => 6001 });
  registerServerMetrics(registry, sampleSources());
  registerProcessMetrics(registry);
  return registry;
}
