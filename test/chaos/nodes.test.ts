/** Nodes that are killed, stopped, frozen, replaced, or late to know an app. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../support/until.ts";
import type { ChaosNode } from "./node.ts";
import { SOON_MS } from "./scale.ts";
import { scenario } from "./scenario.ts";
import { assertSound, openStage, type Stage } from "./stage.ts";

const KILLS = 5;

/** The stage's node at `index`; throws where there is none. */
function nodeAt({ nodes }: Stage, index: number): ChaosNode {
  const node = nodes[index];
  if (node === undefined) throw new RangeError(`There is no node ${index} of ${nodes.length}.`);
  return node;
}

/** Resolves with the node that is sending a POST, which has not been answered. */
function sender({ receivers, nodes }: Stage, isWanted: (node: ChaosNode) => boolean) {
  return new Promise<ChaosNode>((resolve) => {
    receivers.onPost = (_endpointId, name) => {
      const node = nodes.find((each) => each.name === name);
      if (node === undefined || !isWanted(node)) return;
      receivers.onPost = undefined;
      resolve(node);
    };
  });
}

describe("nodes", { concurrency: 4 }, () => {
  scenario("dispatching node killed amid a batch, 5 times", async (t, { perSecond, isLong }) => {
    const stage = await openStage(t, { nodes: 3 });
    const load = stage.load({ name: "a", perSecond });
    stage.receivers.setMood("all", "slow");
    for (let kill = 0; kill < KILLS; kill++) {
      const victim = nodeAt(stage, kill % 3);
      const before = load.sent;
      await until("events flow", () => load.sent > before + perSecond / (isLong ? 0.1 : 2), 60_000);
      await sender(stage, (node) => node === victim);
      await victim.kill();
      await victim.start();
    }
    stage.receivers.setMood("all", "sound");
    const verdict = await stage.finish();
    assertSound(verdict);
    assert.ok(verdict.repeats > 0, "a batch was under way");
    return { verdict };
  });

  scenario("all nodes killed and started again", async (t, { perSecond, outageMs }) => {
    const stage = await openStage(t, { nodes: 3 });
    stage.load({ name: "a", perSecond });
    stage.load({ name: "b", perSecond });
    stage.receivers.setMood("all", "slow");
    await delay(outageMs / 2); // load, before and between the kills
    for (let round = 0; round < 2; round++) {
      await sender(stage, () => true);
      await Promise.all(stage.nodes.map((node) => node.kill()));
      await Promise.all(stage.nodes.map((node) => node.start()));
      await delay(outageMs / 2);
    }
    stage.receivers.setMood("all", "sound");
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict };
  });

  scenario("rolling restart of three nodes (SIGTERM)", async (t, { perSecond, outageMs }) => {
    const stage = await openStage(t, { nodes: 3 });
    for (const name of ["a", "b", "c"]) stage.load({ name, perSecond });
    for (const node of stage.nodes) {
      await delay(outageMs / 3);
      await node.stop();
      await node.start();
    }
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict };
  });

  scenario("owner frozen while its successors route and die", async (t, { perSecond }) => {
    const stage = await openStage(t, { nodes: 3 });
    const { receivers } = stage;
    const [sleeper, second, third] = [nodeAt(stage, 0), nodeAt(stage, 1), nodeAt(stage, 2)];
    let isAsleep = false;
    const node = () => (isAsleep && second.isRunning ? second : stage.anyNode());
    const load = stage.load({ name: "a", perSecond, node });
    await until("events arrive", () => receivers.posts("all") > 10, SOON_MS);
    receivers.setMood("all", "failing");
    await sender(stage, (each) => each === sleeper);
    isAsleep = true;
    sleeper.freeze();
    // A client of the sleeper's is not heard any more: another one goes on.
    const other = stage.load({ name: "b", perSecond, node: () => second });
    await until(
      "the successors have routed",
      async () => {
        return other.sent > 5 * perSecond && (await stage.isRouted());
      },
      30_000,
    );
    await other.settle(true);
    await until("they have routed all", () => stage.isRouted(), 30_000);
    await Promise.all([second.kill(), third.kill()]);
    receivers.setMood("all", "sound");
    sleeper.thaw();
    const before = load.sent;
    await until("the sleeper goes on", () => load.sent > before + perSecond, 30_000);
    await second.start();
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict };
  });

  scenario("a node that does not know the app yet", async (t, { perSecond, outageMs }) => {
    const stage = await openStage(t);
    const [knowing, late] = [nodeAt(stage, 0), nodeAt(stage, 1)];
    const config = stage.configOf(late.name);
    await late.stop();
    const apps = [{ id: "43", key: "other-key", secret: "other-secret" }];
    await late.start({ ...config, app_manager: { apps } });
    stage.load({ name: "a", perSecond, node: () => knowing });
    const held = () => stage.redis.call("KEYS", "*:hold:*") as Promise<string[]>;
    await until("events are held", async () => (await held()).length > 0, 20_000);
    await delay(outageMs);
    assert.ok((await held()).length > 0, "they wait");
    await late.stop();
    await late.start(config);
    const verdict = await stage.finish();
    assertSound(verdict);
    assert.deepEqual(await held(), []);
    return { verdict };
  });

  scenario("no node for longer than the retry budget", async (t, { perSecond, isLong }) => {
    const budgetS = isLong ? 30 : 10;
    const retry = { initial_ms: 100, max_ms: 1_000, budget_s: budgetS };
    const stage = await openStage(t, { webhooks: { retry } });
    const { recorder, receivers } = stage;
    const load = stage.load({ name: "a", perSecond });
    await until("events arrive", () => receivers.posts("all") > 10, SOON_MS);
    await load.settle(true);
    await until("all has arrived", () => recorder.waiting() === 0, 20_000);
    receivers.setMood("all", "failing");
    const posts = receivers.posts("all");
    await load.settle();
    await until("attempts have failed", () => receivers.posts("all") > posts + 1, SOON_MS);
    await load.settle(true);
    await Promise.all(stage.nodes.map((node) => node.kill()));
    const waiting = recorder.waiting();
    assert.ok(waiting > 0, "events wait");
    await delay(budgetS * 1_200); // the outage itself
    receivers.setMood("all", "sound");
    await Promise.all(stage.nodes.map((node) => node.start()));
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict, note: `${waiting} waited` };
  });
});
