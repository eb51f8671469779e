import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { hashSlot } from "../../src/redis/hash-slot.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis-cluster.ts";
import { startRedis } from "../support/redis-server.ts";
import { type Loss, PARTITIONS, type SimulationReport, simulate } from "./state-simulation.ts";

/** 200 on demand. */
const SEEDS = Number(process.env.SEEDS ?? 20);
const OPERATIONS = 5_000;
const BASE_SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** Most of the time a run waits. */
const AT_ONCE = 2 * availableParallelism();
/** Of five runs. */
const LOSSES: readonly Loss[] = ["none", "none", "none", "flush", "rollback"];

test(`through crashes, zombies, repeated calls and losses the state converges to the truth (SEED=${BASE_SEED})`, async (t) => {
  const server = await startRedis(t);
  const reports: (SimulationReport & { loss: Loss; seed: number })[] = [];
  const seeds = Array.from({ length: SEEDS }, (_, n) => n);
  const runSome = async () => {
    for (let n = seeds.shift(); n !== undefined; n = seeds.shift()) {
      const loss = LOSSES[n % LOSSES.length] ?? "none";
      const seed = BASE_SEED + n;
      const report = await simulate({ servers: [server] }, { seed, operations: OPERATIONS, loss });
      reports.push({ ...report, loss, seed });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runSome));
  for (const { seed, loss, problems, anomalies } of reports) {
    assert.deepEqual(problems, [], `seed ${seed}, loss ${loss}`);
    if (loss === "none") assert.deepEqual(anomalies, [], `seed ${seed}`);
  }

  const sum = (key: "crashes" | "silences" | "losses" | "reaped" | "reincarnations" | "events") =>
    reports.reduce((total, report) => total + report[key], 0);
  const repeated = reports.reduce((total, { anomalies }) => total + anomalies.length, 0);
  t.diagnostic(
    `${SEEDS} runs of ${OPERATIONS} operations: ${sum("events")} events, ${sum("crashes")} crashes, ` +
      `${sum("silences")} silences, ${sum("reaped")} leases reaped, ${sum("losses")} losses, ` +
      `${repeated} events that do not alternate near a loss`,
  );
  assert.ok(sum("crashes") > 0 && sum("silences") > 0 && sum("reaped") > 0, "faults have happened");
  assert.ok(sum("losses") > 0 && sum("reincarnations") > 0, "losses have happened");
});

test(`on a Redis Cluster, with a slot that moves meanwhile, it does so too (SEED=${BASE_SEED})`, async (t) => {
  const cluster = await startRedisCluster(t);
  const { servers, nodes } = cluster;
  const simulation = { seed: BASE_SEED, operations: OPERATIONS, loss: "none" } as const;
  const running = simulate({ servers, cluster: nodes }, simulation);
  const moving = moveSlots(cluster);
  const { problems, anomalies, reaped } = await running;
  await moving;
  assert.deepEqual(problems, [], `seed ${BASE_SEED}`);
  assert.deepEqual(anomalies, [], `seed ${BASE_SEED}`);
  assert.ok(reaped > 0);
});

/** Every partition of the simulation to another master, one after the other. */
async function moveSlots(cluster: RedisCluster): Promise<void> {
  const { key, partitions } = createKeys({ prefix: "", partitions: PARTITIONS });
  for (let p = 0; p < partitions; p++) {
    await delay(300);
    await cluster.moveSlot(hashSlot(key(p, "hb")));
  }
}
