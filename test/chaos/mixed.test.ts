/** Faults of all kinds, two at a time, as a seed decides: `SEED=7 CHAOS_SEEDS=1` repeats one run. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ChaosNode } from "./node.ts";
import { createRandom, type Random } from "./random.ts";
import type { Mood } from "./receivers.ts";
import type { Verdict } from "./recorder.ts";
import { SCALE } from "./scale.ts";
import { scenario } from "./scenario.ts";
import { assertSound, type EndpointPlan, openStage, type Stage } from "./stage.ts";

const FIRST_SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const SEEDS = Number(process.env.CHAOS_SEEDS ?? SCALE.seeds);
const MOODS: readonly Mood[] = ["failing", "hanging", "resetting", "slow", "cut"];
const LONGEST_FAULT_MS = 3_000;
/** Past the dispatcher's lease of 6 s, so that somebody else takes over meanwhile. */
const FROZEN_MS = 8_000;

/** Seeds under way: they wait more than they work. */
const AT_ONCE = 3;
const ENDPOINTS: readonly EndpointPlan[] = [
  { id: "all" },
  {
    id: "clients",
    config: { event_types: ["client_event"] },
    wants: ({ type }) => type === "client_event",
  },
];

/** One thing that goes wrong, for a while, and is mended. */
type Fault = (stage: Stage, random: Random, busy: Set<ChaosNode>) => Promise<string>;

/** A node that no other fault has in its hands; one that runs is always left to the others. */
async function withNode(
  { nodes }: Stage,
  random: Random,
  busy: Set<ChaosNode>,
  run: (node: ChaosNode) => Promise<string>,
): Promise<string> {
  const free = nodes.filter((node) => !busy.has(node));
  const node = free[Math.floor(random() * free.length)];
  if (node === undefined || free.length < 2) return "nothing";
  busy.add(node);
  try {
    return await run(node);
  } finally {
    busy.delete(node);
  }
}

const receiverIll: Fault = async ({ receivers }, random) => {
  const endpoint = random() < 0.5 ? "all" : "clients";
  const mood = MOODS[Math.floor(random() * MOODS.length)] ?? "failing";
  receivers.setMood(endpoint, mood);
  await delay(random() * LONGEST_FAULT_MS);
  receivers.setMood(endpoint, "sound");
  return `${endpoint} ${mood}`;
};

const nodeKilled: Fault = (stage, random, busy) =>
  withNode(stage, random, busy, async (node) => {
    await node.kill();
    await delay(random() * LONGEST_FAULT_MS);
    await node.start();
    return `${node.name} killed`;
  });

const nodeStopped: Fault = (stage, random, busy) =>
  withNode(stage, random, busy, async (node) => {
    await node.stop();
    await node.start();
    return `${node.name} restarted`;
  });

const nodeFrozen: Fault = (stage, random, busy) =>
  withNode(stage, random, busy, async (node) => {
    node.freeze();
    await delay(random() * FROZEN_MS);
    node.thaw();
    return `${node.name} frozen`;
  });

const redisFrozen: Fault = async ({ redis }, random) => {
  redis.suspend();
  await delay(random() * LONGEST_FAULT_MS);
  redis.resume();
  return "Redis frozen";
};

const redisRestarted: Fault = async ({ redis }, random) => {
  await redis.stop("SIGTERM");
  await delay((random() * LONGEST_FAULT_MS) / 2);
  await redis.restart();
  return "Redis restarted";
};

const OF_NODES: readonly Fault[] = [nodeKilled, nodeStopped, nodeFrozen];
const OF_OTHERS: readonly Fault[] = [receiverIll, receiverIll, redisFrozen, redisRestarted];

async function runSeed(stage: Stage, seed: number, faults: number): Promise<string> {
  const busy = new Set<ChaosNode>();
  const told: string[] = [];
  const series = [OF_NODES, OF_OTHERS].map(async (kinds, n) => {
    const random = createRandom(seed * 2 + n);
    for (let i = 0; i < faults / 2; i++) {
      const fault = kinds[Math.floor(random() * kinds.length)];
      if (fault) told.push(await fault(stage, random, busy));
      await delay(random() * 500); // between two faults
    }
  });
  await Promise.all(series);
  return told.join(", ");
}

function sum(verdicts: readonly Verdict[]): Verdict {
  const add = (read: (verdict: Verdict) => number) =>
    verdicts.reduce((total, verdict) => total + read(verdict), 0);
  return {
    events: add(({ events }) => events),
    lost: verdicts.flatMap(({ lost }) => lost),
    invented: verdicts.flatMap(({ invented }) => invented),
    unordered: add(({ unordered }) => unordered),
    repeats: add(({ repeats }) => repeats),
    refused: add(({ refused }) => refused),
    worstDelayMs: Math.max(...verdicts.map(({ worstDelayMs }) => worstDelayMs)),
  };
}

describe("mixed", () => {
  scenario(`mixed faults, ${SEEDS} seeds`, async (t, { perSecond, faults }) => {
    const verdicts: Verdict[] = [];
    const left = Array.from({ length: SEEDS }, (_, n) => FIRST_SEED + n);
    const run = async (seed: number): Promise<void> => {
      await t.test(`seed ${seed}`, async (sub) => {
        const stage = await openStage(sub, { nodes: 3, endpoints: ENDPOINTS });
        for (const name of ["a", "b"]) stage.load({ name, perSecond: perSecond / 2 });
        sub.diagnostic(await runSeed(stage, seed, faults));
        const verdict = await stage.finish();
        verdicts.push(verdict);
        assertSound(verdict);
      });
    };
    const series = Array.from({ length: AT_ONCE }, async () => {
      for (let seed = left.shift(); seed !== undefined; seed = left.shift()) await run(seed);
    });
    await Promise.all(series);
    assert.equal(verdicts.length, SEEDS, "every seed came to its end");
    return { verdict: sum(verdicts), note: `from seed ${FIRST_SEED}` };
  });
});
