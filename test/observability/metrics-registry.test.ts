import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMetricsRegistry } from "../../src/observability/metrics-registry.ts";
import { readExposition } from "./exposition.ts";

const THINGS = { name: "things_total", help: "Things.", labels: ["app_id"] } as const;

describe("createMetricsRegistry", () => {
  test("a total is what its source says at the scrape, however often it is scraped", async () => {
    const registry = createMetricsRegistry({ prefix: "x_", port: () => 6001 });
    let value = 3;
    registry.exposeTotal(THINGS, () => [{ labels: { app_id: 'a"\n\\' }, value }]);
    const scrape = async () => readExposition(await registry.text()).get("x_things_total");
    await scrape();
    assert.deepEqual((await scrape())?.series, [
      { name: "x_things_total", labels: { app_id: 'a"\n\\', port: "6001" }, value: 3 },
    ]);
    value = 4;
    assert.equal((await scrape())?.series[0]?.value, 4);
  });

  test("a series whose source no longer names it is gone", async () => {
    const registry = createMetricsRegistry({ prefix: "", port: () => 1 });
    let apps = ["a", "b"];
    registry.exposeGauge({ name: "connected", help: "C.", labels: ["app_id"] }, () =>
      apps.map((app_id) => ({ labels: { app_id }, value: 1 })),
    );
    await registry.text();
    apps = ["b"];
    const series = readExposition(await registry.text()).get("connected")?.series;
    assert.deepEqual(
      series?.map(({ labels }) => labels.app_id),
      ["b"],
    );
  });

  test("the port is asked for at the scrape and labels every series, histograms too", async () => {
    let port = 0;
    const registry = createMetricsRegistry({ prefix: "", port: () => port });
    const observe = registry.createHistogram({
      name: "wait_seconds",
      help: "W.",
      labels: ["route"],
      buckets: [0.1, 1],
    });
    observe({ route: "/r" }, 0.5);
    port = 7001;
    const series = readExposition(await registry.text()).get("wait_seconds")?.series ?? [];
    assert.equal(series.length, 5);
    for (const { labels } of series) assert.equal(labels.port, "7001");
    const values = JSON.parse(await registry.json()) as { values: { labels: object }[] }[];
    assert.ok(values.every((metric) => metric.values.every(({ labels }) => "port" in labels)));
  });

  test("a metric that cannot be read is left out and counted, told once, and comes back", async () => {
    const told: string[] = [];
    const registry = createMetricsRegistry({
      prefix: "",
      port: () => 1,
      onReadFailure: (metric) => told.push(metric),
    });
    let isDown = true;
    registry.exposeTotal(THINGS, async () => {
      if (isDown) throw new Error("away");
      return [{ labels: { app_id: "a" }, value: 1 }];
    });
    registry.exposeGauge({ name: "other", help: "O.", labels: [] }, () => 5);
    await registry.text();
    const families = readExposition(await registry.text());
    assert.deepEqual(families.get("things_total")?.series, []);
    assert.equal(families.get("other")?.series[0]?.value, 5);
    assert.deepEqual(told, ["things_total"]);
    isDown = false;
    assert.match(await registry.text(), /^things_total\{app_id="a",port="1"\} 1$/m);
    assert.match(await registry.text(), /^metric_read_failures_total\{port="1"\} 2$/m);
  });

  test("two registries in one process share nothing", async () => {
    const [one, two] = [1, 2].map((port) =>
      createMetricsRegistry({ prefix: "", port: () => port }),
    );
    one?.exposeTotal(THINGS, () => [{ labels: { app_id: "one" }, value: 1 }]);
    two?.exposeTotal(THINGS, () => [{ labels: { app_id: "two" }, value: 2 }]);
    assert.match((await one?.text()) ?? "", /app_id="one",port="1"\} 1/);
    assert.doesNotMatch((await two?.text()) ?? "", /app_id="one"/);
  });
});
