/** What docs/scaling.md shows can be used, and the figures that it gives are those of the code. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import { REDIS_STATE_DEFAULTS } from "../../src/channel-state/redis-state-context.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { DEFAULT_PARTITIONS } from "../../src/protocol/partition.ts";
import { redisTimings } from "../../src/redis/settings.ts";
import { codeBlock, codeBlocks, ROOT, readPage } from "./pages.ts";

const PAGE = readPage("docs/scaling.md");

interface ClusterBench {
  readonly results: readonly {
    readonly scenario: string;
    readonly size: number;
    readonly costs: readonly { readonly redisUs: number; readonly nodesUs: number }[];
  }[];
}

/** The second cell of the row that begins so. */
function cell(first: string): string {
  const row = PAGE.split("\n").find((line) => line.startsWith(`| ${first}`));
  return row?.split("|")[2]?.trim() ?? `no row ${first}`;
}

describe("docs/scaling.md", () => {
  test("its configurations can be used", () => {
    const examples = codeBlocks(PAGE).filter(({ language }) => language === "json");
    assert.equal(examples.length, 3);
    for (const { code } of examples) {
      assert.deepEqual("problems" in readConfig(JSON.parse(code)), false, code);
    }
  });

  test("its commands for one machine give each process the port, Redis and metrics of its own", () => {
    const lines = codeBlock(PAGE, "sh", "PIPIT_REUSE_PORT").trim().split("\n");
    assert.equal(lines.length, 2);
    for (const line of lines) {
      const pairs = [...line.matchAll(/(PIPIT_\w+)=(\S+)/g)].map(([, name, value]) => [
        name,
        value,
      ]);
      const loaded = loadConfig({
        env: Object.fromEntries(pairs),
        cwd: ROOT,
        file: undefined,
        flags: {},
      });
      assert.ok("config" in loaded, JSON.stringify(loaded));
      assert.equal(loaded.config.reuse_port, true);
      assert.equal(loaded.config.redis?.url, "redis://127.0.0.1:6379");
    }
    assert.equal(new Set(lines.map((line) => /--metrics-port (\d+)/.exec(line)?.[1])).size, 2);
  });

  test("its costs are those that the bench has measured last", () => {
    const { results } = JSON.parse(
      readFileSync(join(ROOT, "bench/results/cluster.json"), "utf8"),
    ) as ClusterBench;
    const medianOf = (scenario: string, size: number, of: "redisUs" | "nodesUs"): string => {
      const found = results.find((each) => each.scenario === scenario && each.size === size);
      const sorted = found?.costs.map((cost) => cost[of]).toSorted((a, b) => a - b) ?? [];
      return sorted[Math.floor(sorted.length / 2)]?.toFixed(1) ?? `no ${scenario}`;
    };
    for (const [what, scenario] of [
      ["a presence join, 10", "join, 10 at a time on each node"],
      ["a presence join, 500", "join, 500 at once on each node"],
      ["a published event, subscribers on two", "publish, subscribers on two nodes"],
      ["a published event, subscribers on every", "publish, subscribers on every node"],
    ] as const) {
      const row = PAGE.split("\n").find((line) => line.startsWith(`| ${what}`)) ?? "";
      assert.deepEqual(
        row
          .split("|")
          .slice(2, 6)
          .map((text) => text.trim()),
        [
          medianOf(scenario, 2, "redisUs"),
          medianOf(scenario, 10, "redisUs"),
          medianOf(scenario, 2, "nodesUs"),
          medianOf(scenario, 10, "nodesUs"),
        ],
        what,
      );
    }
  });

  test("its limits are those of the code", () => {
    const { leaseMs, heartbeatMs, answerTimeoutMs, maxRecords } = REDIS_STATE_DEFAULTS;
    const { commandTimeoutMs, publishTimeoutMs, maxInFlight } = redisTimings({});
    const s = (ms: number) => `${ms / 1_000} s`;
    const inWords = (count: number) => count.toLocaleString("en");
    const alive = `${s(leaseMs)} without a sign of life; it gives one every ${s(heartbeatMs)}`;
    assert.equal(cell("A node is taken for dead after"), alive);
    assert.equal(cell("Leaves wait for a return"), s(LEAVE_GRACE_MS));
    assert.equal(
      cell("A command to Redis may take"),
      `${s(commandTimeoutMs)}; a publish ${s(publishTimeoutMs)}`,
    );
    assert.ok(cell("Calls that may wait for Redis").startsWith(inWords(maxInFlight)));
    assert.equal(cell("A join of a presence channel waits at most"), s(answerTimeoutMs));
    assert.ok(cell("Partitions").startsWith(`${DEFAULT_PARTITIONS}, `));
    assert.equal(cell("Client events for receivers"), `${inWords(maxRecords)} per node`);
  });
});
