/** Receivers that fall ill and recover: what was decided meanwhile arrives, once it can. */

import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../support/until.ts";
import type { Mood } from "./receivers.ts";
import { scenario } from "./scenario.ts";
import { assertSound, openStage } from "./stage.ts";

const ILLNESSES: readonly (readonly [name: string, mood: Mood])[] = [
  ["receiver answers 500", "failing"],
  ["receiver hangs", "hanging"],
  ["receiver resets connections", "resetting"],
  ["receiver answers slowly", "slow"],
  ["receiver's 2xx is cut off", "cut"],
];

describe("receivers", { concurrency: 3 }, () => {
  for (const [name, mood] of ILLNESSES) {
    scenario(name, async (t, { outageMs, perSecond }) => {
      const stage = await openStage(t);
      stage.load({ name: "a", perSecond });
      await until("events arrive", () => stage.receivers.posts("all") > 3);
      stage.receivers.setMood("all", mood);
      await delay(outageMs); // the outage itself: load goes on through it
      stage.receivers.setMood("all", "sound");
      const verdict = await stage.finish();
      assertSound(verdict);
      return { verdict };
    });
  }
});
