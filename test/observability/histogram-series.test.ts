import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Histogram, Registry } from "prom-client";
import { createMetricsRegistry } from "../../src/observability/metrics-registry.ts";
import { pick, seededSource } from "../support/random-source.ts";

const BUCKETS = [0.1, 0.5, 1, 2.5];
/** Bounds themselves, both sides of them, and what is above all. */
const VALUES = [0, 0.05, 0.1, 0.100001, 0.5, 0.75, 1, 2.5, 2.6, 1e6];

/** What is observed, by a registry of ours and by prom-client alone. */
function bothWays(labels: readonly string[]) {
  const ours = createMetricsRegistry({ prefix: "x_", port: () => 7 });
  const observe = ours.createHistogram({ name: "s", help: "S.", labels, buckets: BUCKETS });
  const theirs = new Registry();
  theirs.setDefaultLabels({ port: "7" });
  const histogram = new Histogram({
    name: "x_s",
    help: "S.",
    labelNames: [...labels, "port"],
    buckets: [...BUCKETS],
    registers: [theirs],
  });
  return {
    ours,
    theirs,
    observe(values: Readonly<Record<string, string>>, value: number) {
      observe(values, value);
      histogram.observe(values, value);
    },
  };
}

/** Without the metric that our registry always has. */
function shown(text: string): string {
  const family = text.split("\n\n").find((each) => each.includes(" x_s "));
  return family?.trimEnd() ?? "";
}

describe("a histogram", () => {
  for (const labels of [["route"], ["app_id", "endpoint"]]) {
    test(`shows what prom-client's own shows: ${labels.join(", ")}`, async (t) => {
      const { seed, below } = seededSource(t);
      const { ours, theirs, observe } = bothWays(labels);
      const words = ["", "/a", "/b c", 'q"\\', "é\n"];
      for (let round = 0; round < 500; round++) {
        const values = Object.fromEntries(labels.map((name) => [name, pick(below, words)]));
        observe(values, pick(below, VALUES));
        if (below(50) > 0) continue;
        const expected = (await theirs.metrics()).trimEnd();
        assert.equal(shown(await ours.text()), expected, `seed ${seed}`);
        const [family] = await theirs.getMetricsAsJSON();
        const found: { name: string }[] = JSON.parse(await ours.json());
        assert.deepEqual(
          found.find(({ name }) => name === "x_s"),
          // Exemplars exist in another format only.
          JSON.parse(
            JSON.stringify(family, (key, value) => (key === "exemplar" ? undefined : value)),
          ),
          `seed ${seed}`,
        );
      }
    });
  }

  test("shows no series before the first observation", async () => {
    const { ours, theirs } = bothWays(["route"]);
    assert.equal(shown(await ours.text()), (await theirs.metrics()).trimEnd());
  });
});
