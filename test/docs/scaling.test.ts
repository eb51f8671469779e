/** What docs/scaling.md shows can be used, and the figures that it gives are those of the code. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import { REDIS_STATE_DEFAULTS } from "../../src/channel-state/redis-state-context.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { DEFAULT_PARTITIONS } from "../../src/protocol/partition.ts";
import { redisTimings } from "../../src/redis/settings.ts";
import { codeBlock, codeBlocks, ROOT, readPage } from "./pages.ts";

const PAGE = readPage("docs/scaling.md");

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
