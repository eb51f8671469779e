/** The bench of two nodes, at its smallest: what it counts and when it refuses to give a figure. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseScenarios } from "../../bench/scenarios/all.ts";
import { type QuietNode, quietNodeProblems } from "../../bench/support/quiet-node.ts";
import { runTwoNodes, type TwoNodesOptions } from "../../bench/support/run-two-nodes.ts";
import { SIDE_OPTIONS } from "../../bench/support/sides.ts";
import { totalUs } from "../../bench/support/two-nodes.ts";
import { twoNodesTable } from "../../bench/support/two-nodes-results.ts";

const OPTIONS: TwoNodesOptions = {
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
const CHOSEN = ["fan-out-100x10", "post-batch", "client-event", "presence", "connect"];

const QUIET: QuietNode = {
  events: 1_000,
  publishes: 1_001,
  otherCommands: 300,
  idleCommands: 400,
  sent: 1_000,
  receivedByOther: 0,
};

describe("the bench of two nodes", () => {
  test("has a row for each scenario with figures of each place", async () => {
    const results = await runTwoNodes(chooseScenarios(CHOSEN), OPTIONS);
    const [, , ...rows] = twoNodesTable(results.scenarios).split("\n");
    assert.equal(rows.length, CHOSEN.length);
    for (const { title, rounds } of results.scenarios) {
      const [round] = rounds;
      assert.ok(round !== undefined && totalUs(round.local) > 0 && totalUs(round.alone) > 0, title);
      assert.ok(round.remote.otherUs > 0, title);
    }
    assert.ok(results.quiet.publishes >= results.quiet.events);
  });

  test("counts one PUBLISH for each event, and nothing for who has no subscriber", () => {
    assert.deepEqual(quietNodeProblems(QUIET), []);
    const problems = (changes: Partial<QuietNode>) => quietNodeProblems({ ...QUIET, ...changes });
    assert.match(problems({ publishes: 2_000 }).join(), /1000 events were 2000 PUBLISH commands/);
    assert.match(problems({ publishes: 900 }).join(), /1000 events were 900 PUBLISH/);
    assert.match(problems({ sent: 2_000 }).join(), /2000 messages of the node/);
    assert.match(problems({ otherCommands: 1_300 }).join(), /came with 1300 other commands/);
    assert.match(problems({ receivedByOther: 1_000 }).join(), /received 1000 messages of 1000/);
  });
});
