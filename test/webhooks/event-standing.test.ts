import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inTurn } from "./fake-target.ts";
import { channelsApart } from "./fixtures.ts";
import { openRig } from "./rig.ts";

const ONE = { appId: "app", endpointId: "one" };
const TYPE = "channel_occupied";

describe("where events of a type on a channel stand", () => {
  test("is told of every dead letter, however many other channels have", async (t) => {
    const { occupy, clock, webhooks } = await openRig(t, {
      partitions: 64,
      respond: inTurn(500),
      settings: { retry: { initialMs: 10, maxMs: 10, budgetMs: 1_000 } },
    });
    const channels = channelsApart(40);
    for (const channel of channels) for (let i = 0; i < 30; i++) occupy(channel);
    await clock.advance(5_000);
    const { standing } = webhooks.operations;
    for (const channel of channels) {
      const { dead, waiting } = await standing(ONE, TYPE, channel);
      assert.deepEqual([dead.found, waiting.found, waiting.isComplete], [30, 0, true], channel);
      assert.equal(dead.latest?.event.channel, channel);
    }
    assert.equal((await standing(ONE, "channel_vacated", "c0")).dead.found, 0);
    assert.equal((await standing(ONE, TYPE, "never")).dead.latest, undefined);
  });

  test("is told of what waits in its lane, as far as that was looked at", async (t) => {
    const { occupyAndWait, clock, webhooks } = await openRig(t, { respond: inTurn(500) });
    await occupyAndWait("other", "room", "room");
    const { standing } = webhooks.operations;
    const { waiting, dead } = await standing(ONE, TYPE, "room");
    assert.deepEqual([waiting.found, waiting.isComplete, dead.found], [2, true, 0]);
    assert.equal(waiting.oldest?.channel, "room");
    const none = await standing(ONE, TYPE, "hall");
    assert.deepEqual(none.waiting, { found: 0, isComplete: true, oldest: undefined });
    await occupyAndWait(...new Array<string>(1_000).fill("room"), "last");
    await clock.advance(100);
    const last = await standing(ONE, TYPE, "last");
    assert.deepEqual(last.waiting, { found: 0, isComplete: false, oldest: undefined });
    assert.equal((await standing(ONE, TYPE, "room")).waiting.found, 999);
  });
});
