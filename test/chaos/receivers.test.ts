/** Receivers that fall ill and recover: what was decided meanwhile arrives, once it can. */

import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../support/until.ts";
import { createMortalReceiver } from "./mortal-receiver.ts";
import type { Mood } from "./receivers.ts";
import { SOON_MS } from "./scale.ts";
import { scenario } from "./scenario.ts";
import { assertSound, openStage } from "./stage.ts";

const ILLNESSES: readonly (readonly [name: string, mood: Mood])[] = [
  ["receiver answers 500", "failing"],
  ["receiver hangs", "hanging"],
  ["receiver resets connections", "resetting"],
  ["receiver answers slowly", "slow"],
  ["receiver's 2xx is cut off", "cut"],
];

describe("receivers", { concurrency: 4 }, () => {
  for (const [name, mood] of ILLNESSES) {
    scenario(name, async (t, { outageMs, perSecond }) => {
      const stage = await openStage(t);
      stage.load({ name: "a", perSecond });
      await until("events arrive", () => stage.receivers.posts("all") > 3, SOON_MS);
      stage.receivers.setMood("all", mood);
      await delay(outageMs); // the outage itself: load goes on through it
      stage.receivers.setMood("all", "sound");
      const verdict = await stage.finish();
      assertSound(verdict);
      return { verdict };
    });
  }

  scenario("receiver is killed and started again", async (t, { outageMs, perSecond }) => {
    const stage = await openStage(t, { endpoints: [] });
    const receiver = await createMortalReceiver(t, stage.recorder, "mortal");
    stage.recorder.addEndpoint("mortal");
    await receiver.start();
    const endpoints = [{ id: "mortal", url: receiver.url }];
    for (const node of stage.nodes) {
      await node.stop();
      await node.start(stage.configOf(node.name, endpoints));
    }
    const load = stage.load({ name: "a", perSecond });
    await until("events arrive", () => stage.recorder.delaysMs("mortal").length > 100, SOON_MS);
    for (let kill = 0; kill < 2; kill++) {
      const before = load.sent;
      receiver.kill();
      await until("events wait", () => load.sent > before + 50, SOON_MS);
      await delay(outageMs / 2);
      await receiver.start();
    }
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict };
  });

  scenario("two endpoints with filters, one dead", async (t, { outageMs, perSecond }) => {
    const types = { event_types: ["client_event" as const] };
    const filter = { filter: { channel_name_starts_with: "presence-" } };
    const stage = await openStage(t, {
      endpoints: [
        { id: "clients", config: types, wants: ({ type }) => type === "client_event" },
        { id: "presence", config: filter, wants: ({ channel }) => channel.startsWith("presence-") },
      ],
    });
    const { recorder, receivers } = stage;
    const load = stage.load({ name: "a", perSecond });
    for (const [ill, sound] of [
      ["clients", "presence"],
      ["presence", "clients"],
    ] as const) {
      receivers.setMood(ill, "hanging");
      const before = recorder.delaysMs(sound).length;
      await delay(outageMs / 2);
      await load.settle();
      await until("the other goes on", () => recorder.delaysMs(sound).length > before, SOON_MS);
      assert.ok(recorder.waiting(ill) > 0, "events wait for the dead one");
      receivers.setMood(ill, "sound");
    }
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict };
  });
});
