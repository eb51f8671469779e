import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { metricsTable, replaceTable } from "../../src/observability/metrics-table.ts";
import { allMetrics } from "./all-metrics.ts";

describe("docs/metrics.md", () => {
  test("its tables are what the code prints (npx tsx test/tools/write-metrics-table.ts)", () => {
    const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    assert.equal(page, replaceTable(page, metricsTable(allMetrics().descriptions(), "pipit_")));
  });

  test("every metric that it tells to watch exists", () => {
    const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    const watch = page.slice(page.indexOf("## What to watch"), page.indexOf("## All metrics"));
    const names = new Set(
      allMetrics()
        .descriptions()
        .map(({ name }) => name.slice("pipit_".length)),
    );
    const named = watch.match(/\b[a-z_]+_(?:total|seconds)\b/g) ?? [];
    assert.ok(named.length >= 7);
    for (const name of named) assert.ok(names.has(name), name);
  });

  test("a page without the marks is not written over", () => {
    assert.throws(() => replaceTable("# Metrics", "x"), /lacks/);
  });
});
