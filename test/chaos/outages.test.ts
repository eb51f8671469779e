/** Redis goes away under load, with its file, without the end of it, or for good. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../support/until.ts";
import { awaitPowerCut, startReplicated } from "./redis-outages.ts";
import { SOON_MS } from "./scale.ts";
import { scenario } from "./scenario.ts";
import { assertConverged, assertSound, openStage } from "./stage.ts";

/** How long Redis stays away: as long as its own restart takes, or longer. */
const AWAY_MS = 1_000;
const LOST_MS = 1_000;

describe("Redis", { concurrency: 4 }, () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    scenario(`Redis restarted (${signal}, AOF everysec), twice`, async (t, scale) => {
      const stage = await openStage(t, {
        nodes: 3,
        endpoints: [{ id: "all" }, { id: "other" }],
      });
      for (const name of ["a", "b"]) stage.load({ name, perSecond: scale.perSecond });
      stage.receivers.setMood("other", "failing");
      for (let restart = 0; restart < 2; restart++) {
        await delay(scale.outageMs / 2); // load before the restart, and after it
        await stage.redis.stop(signal);
        await delay(AWAY_MS);
        await stage.redis.restart();
      }
      stage.receivers.setMood("other", "sound");
      const verdict = await stage.finish();
      assertSound(verdict);
      return { verdict };
    });
  }

  scenario("Redis loses what its file had not synced (power cut)", async (t, scale) => {
    const stage = await openStage(t, { nodes: 3, endpoints: [{ id: "all" }, { id: "dead" }] });
    const cut = await awaitPowerCut(t, stage.redis);
    for (const name of ["a", "b"]) stage.load({ name, perSecond: scale.perSecond });
    stage.receivers.setMood("dead", "failing");
    await delay(Math.max(scale.outageMs / 2, 2 * LOST_MS)); // load
    const sinceMs = await cut.strike(LOST_MS);
    const strickenMs = Date.now();
    await delay(AWAY_MS);
    await stage.redis.restart();
    stage.receivers.setMood("dead", "sound");
    await delay(scale.outageMs / 2); // load
    const verdict = await stage.finish({ mayLose: true });
    assertConverged(verdict, sinceMs, strickenMs);
    assert.ok(verdict.lost.length > 0, "something was lost, or nothing was measured");
    return { verdict, note: "all of the last second before the cut" };
  });

  scenario("Redis failed over to its replica (Sentinel)", async (t, scale) => {
    const replicated = await startReplicated(t);
    const stage = await openStage(t, { nodes: 3, redis: replicated.redis });
    for (const name of ["a", "b"]) stage.load({ name, perSecond: scale.perSecond });
    await until("events arrive", () => stage.receivers.posts("all") > 10, SOON_MS);
    await delay(scale.outageMs / 2); // load
    const struckMs = Date.now();
    await replicated.strike();
    const takenMs = Date.now();
    await delay(scale.outageMs / 2); // load
    const verdict = await stage.finish({ mayLose: true });
    assertConverged(verdict, struckMs - LOST_MS, takenMs);
    const agesMs = verdict.lost.map(({ dueMs }) => struckMs - dueMs);
    const note = `the oldest that was lost: ${Math.max(...agesMs)} ms before it`;
    return { verdict, note: agesMs.length > 0 ? note : "the replica had received everything" };
  });
});
