/** The bench itself, at its smallest: what it counts and when it refuses to give a figure. Never how long it takes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SCENARIOS } from "../../bench/scenarios/all.ts";
import type { Scenario } from "../../bench/scenarios/scenario.ts";
import { resultsTable } from "../../bench/support/results-table.ts";
import { type RunOptions, runScenarios } from "../../bench/support/run-scenarios.ts";
import { SIDE_OPTIONS } from "../../bench/support/sides.ts";

const OPTIONS: RunOptions = {
  ...SIDE_OPTIONS,
  pipit: ["--import", "tsx", "src/main.ts"],
  core: undefined,
  target: undefined,
  note: "not bound",
  command: "npm test",
  rounds: 1,
  scale: 0.01,
  onText() {},
};

/** The others do the same with other numbers. */
const CHOSEN = ["fan-out-100x10", "post-batch", "client-event", "presence", "connect", "idle-10k"];

function scenario(name: string): Scenario {
  const found = SCENARIOS.find((each) => each.name === name);
  assert.ok(found, name);
  return found;
}

describe("the bench", () => {
  test("has a row with a figure for both servers and their ratio for each scenario", async () => {
    const scenarios = [...CHOSEN, "latency"].map(scenario);
    const results = await runScenarios(scenarios, OPTIONS);
    const [, , ...rows] = resultsTable(results).split("\n");
    assert.equal(rows.length, scenarios.length);
    for (const [n, row] of rows.entries()) {
      const [title, , bare, pipit, ratio] = row.split(" | ").map((cell) => cell.trim());
      assert.equal(row.includes(scenarios[n]?.title ?? ""), true);
      assert.match(`${bare} ${pipit}`, /\d (µs|KB|ms) -?[\d.]+ (µs|KB|ms)/, title);
      assert.notEqual(ratio, "–", title);
    }
  });

  test("counts webhooks at their receiver", async () => {
    const results = await runScenarios([scenario("webhooks")], OPTIONS);
    assert.equal(results.scenarios[0]?.rounds.length, 1);
    assert.match(resultsTable(results), /memory outbox \| event \| – \| [\d.]+ µs/);
  });

  test("fails a run that loses one delivery of a hundred", async () => {
    const lossy = { ...OPTIONS, bare: [...SIDE_OPTIONS.bare, "100"], scale: 0.1 };
    const lost = /^Error: fan-out: \d+ deliveries of \d+ did not come\.$/;
    await assert.rejects(runScenarios([scenario("fan-out-100x10")], lossy), lost);
  });

  for (const name of ["fan-out-100x10", "post-events", "client-event", "latency"]) {
    test(`fails a run of ${name} in which one message of a hundred is delivered twice`, async () => {
      const twice = { ...OPTIONS, bare: [...SIDE_OPTIONS.bare, "0", "100"], scale: 0.1 };
      await assert.rejects(
        runScenarios([scenario(name)], twice),
        /\d+ deliveries more than \d+ came/,
      );
    });
  }

  test("measures a server that runs already, by its credentials", async () => {
    const { openSide } = await import("../../bench/support/sides.ts");
    const running = await openSide("bare", OPTIONS);
    try {
      const target = { endpoint: running.endpoint, pid: undefined };
      const results = await runScenarios([scenario("client-event")], { ...OPTIONS, target });
      const { target: measured } = results.scenarios[0]?.rounds[0] ?? {};
      assert.ok(Number.isNaN(measured?.value), "no CPU time without a process");
      assert.ok((measured?.perSecond ?? 0) > 0);
      assert.match(resultsTable(results), /target, per s/);
    } finally {
      await running.close();
    }
  });
});
