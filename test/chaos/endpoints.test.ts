/** Endpoints that are one of many, change while events wait for them, or have been dead for long. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { sendSigned } from "../support/http-request.ts";
import { until } from "../support/until.ts";
import { fillBacklog } from "./backlog.ts";
import type { Expected, Wants } from "./recorder.ts";
import { SCALE } from "./scale.ts";
import { scenario } from "./scenario.ts";
import { assertSound, type EndpointPlan, openStage, type Stage } from "./stage.ts";

const ENDPOINTS = 50;
/** Each healthy and dead in turn. */
const ROUNDS = 6;

// Rates and delays are measured: in the long run each has the machine for itself.
describe("endpoints", { concurrency: SCALE.isLong ? 1 : 2 }, () => {
  scenario("1 dead endpoint among 50", async (t, { outageMs, isLong }) => {
    const types = { event_types: ["client_event" as const] };
    const wants: Wants = ({ type }) => type === "client_event";
    const ids = Array.from({ length: ENDPOINTS }, (_, n) => `endpoint-${n}`);
    const [dead = "", ...others] = ids;
    const stage = await openStage(t, {
      endpoints: ids.map((id) => ({ id, config: types, wants })),
    });
    const { recorder, receivers } = stage;
    const load = stage.load({ name: "a", perSecond: isLong ? 40 : 20, hasVisits: false });
    const delaysMs = { with: [] as number[], without: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      const isDead = round % 2 === 1;
      receivers.setMood(dead, isDead ? "mute" : "sound");
      await until(
        "the dead one is up to date",
        () => isDead || recorder.waiting(dead) === 0,
        60_000,
      );
      const before = others.map((id) => recorder.delaysMs(id).length);
      await delay(outageMs / ROUNDS);
      await load.settle(true);
      await until(
        "the others have everything",
        () => others.every((id) => recorder.waiting(id) === 0),
        30_000,
      );
      if (isDead) assert.ok(recorder.waiting(dead) > 0, "it still waits");
      const measured = others.flatMap((id, n) => recorder.delaysMs(id).slice(before[n]));
      delaysMs[isDead ? "with" : "without"].push(...measured);
      await load.settle();
    }
    receivers.setMood(dead, "sound");
    const verdict = await stage.finish();
    assertSound(verdict);
    const [withMs, withoutMs] = [p99(delaysMs.with), p99(delaysMs.without)];
    const ratio = (withMs / withoutMs).toFixed(2);
    return {
      verdict,
      note: `p99 of the other 49: ${withMs} ms beside it, ${withoutMs} ms without, ${ratio}×`,
    };
  });

  scenario("endpoint edited, disabled, removed under load", async (t, { perSecond, outageMs }) => {
    // What is decided while nodes change over may or may not be for it.
    const wants: Wants = ({ channel }) => {
      if (channel.includes("-edge-")) return "maybe";
      return !channel.includes("-without-");
    };
    const stage = await openStage(t, { endpoints: [{ id: "steady" }, { id: "changed", wants }] });
    stage.receivers.setMood("changed", "dead");
    stage.load({ name: "edge", perSecond: perSecond / 2 });
    const steady: EndpointPlan = { id: "steady" };
    const url = `${stage.receivers.url("changed")}?edited`;
    const changed: EndpointPlan = { id: "changed", url };

    await stayFor(stage, "with-1", perSecond, outageMs / 4);
    await configure(stage, [steady, changed]);
    await stayFor(stage, "with-2", perSecond, outageMs / 4);
    await configure(stage, [steady, { ...changed, config: { enabled: false } }]);
    await stayFor(stage, "without-3", perSecond, outageMs / 4);
    await configure(stage, [steady]);
    await stayFor(stage, "without-4", perSecond, outageMs / 4);
    assert.ok(stage.recorder.waiting("changed") > 0, "its backlog is kept");
    await configure(stage, [steady, changed]);
    stage.receivers.setMood("changed", "sound");
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict };
  });

  scenario("removed endpoint's backlog moved under load", async (t, { perSecond, outageMs }) => {
    const wants: Wants = ({ channel }) => {
      if (channel.includes("-edge-")) return "maybe";
      return channel.includes("-with-");
    };
    const stage = await openStage(t, { endpoints: [{ id: "steady" }, { id: "removed", wants }] });
    stage.receivers.setMood("removed", "dead");
    stage.load({ name: "edge", perSecond: perSecond / 2 });
    await stayFor(stage, "with-1", perSecond, outageMs / 4);
    // By its own filter it wants nothing: what it receives has been moved to it.
    const filter = { channel_name_starts_with: "nothing-" };
    const heir = { id: "heir", url: stage.receivers.url("removed"), config: { filter } };
    await configure(stage, [{ id: "steady" }, heir]);
    await stayFor(stage, "without-2", perSecond, outageMs / 4);
    const moved = await moveBacklog(stage, "removed", "heir");
    assert.ok(moved > 0, "something was moved");
    stage.receivers.setMood("removed", "sound");
    const verdict = await stage.finish();
    assertSound(verdict);
    return { verdict, note: `${moved} moved` };
  });

  scenario("backlog of a dead endpoint", async (t, { backlog }) => {
    const stage = await openStage(t, { webhooks: { max_queued_events: 1_000_000 } });
    const { recorder, receivers, redis, nodes } = stage;
    receivers.setMood("all", "dead");
    let mostBytes = 0;
    const watch = setInterval(() => {
      mostBytes = Math.max(mostBytes, ...nodes.map((node) => node.memoryBytes()));
    }, 100);
    t.after(() => clearInterval(watch));
    const emptyBytes = await usedBytes(stage);
    await fillBacklog(t, redis.url, recorder, backlog);
    await until("all are routed", () => stage.isRouted(), 600_000);
    const redisBytes = (await usedBytes(stage)) - emptyBytes;
    assert.equal(recorder.waiting(), backlog);
    const startedMs = performance.now();
    receivers.setMood("all", "sound");
    await until("it is drained", () => recorder.waiting() === 0, 1_800_000);
    clearInterval(watch);
    const seconds = (performance.now() - startedMs) / 1_000;
    const verdict = await stage.finish();
    assertSound(verdict);
    const [inRedis, inNode] = [redisBytes, mostBytes].map((bytes) => (bytes / 2 ** 20).toFixed(0));
    const perEvent = (redisBytes / backlog).toFixed(0);
    const note = `${inRedis} MB in Redis (${perEvent} B each), at most ${inNode} MB in a node; drained at ${(backlog / seconds).toFixed(0)}/s`;
    return { verdict, note };
  });
});

/** A load of its own comes, stays and goes; resolves when all that it caused has been routed. */
async function stayFor(stage: Stage, name: string, perSecond: number, ms: number): Promise<void> {
  const load = stage.load({ name, perSecond });
  await delay(ms); // load
  await load.settle();
  await load.end();
  const isOurs = ({ channel }: Expected): boolean => channel.includes(`-${name}-`);
  const isRouted = (): boolean => !stage.recorder.lacks("steady", isOurs);
  await until(`all of ${name} has been routed`, isRouted, 30_000);
}

/** Restarts the nodes one after another with these endpoints. */
async function configure(stage: Stage, endpoints: readonly EndpointPlan[]): Promise<void> {
  for (const node of stage.nodes) {
    await node.stop();
    await node.start(stage.configOf(node.name, endpoints));
  }
}

/** As `pipit webhooks move` does, step by step; resolves with how many were moved. */
async function moveBacklog(stage: Stage, from: string, to: string): Promise<number> {
  let moved = 0;
  let cursor: string | null | undefined;
  do {
    const body = cursor ? { to, cursor } : { to };
    const path = `/webhooks/${from}/move`;
    const { status, text } = await sendSigned(stage.nodes[0]?.port ?? 0, { path, body });
    assert.equal(status, 200, text);
    const step = JSON.parse(text) as { changed: number; next: string | null };
    moved += step.changed;
    cursor = step.next;
  } while (cursor);
  return moved;
}

async function usedBytes({ redis }: Stage): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(String(await redis.call("INFO", "memory")))?.[1]);
}

function p99(delaysMs: readonly number[]): number {
  const sorted = delaysMs.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}
