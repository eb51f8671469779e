import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { hashSlot } from "../../src/redis/hash-slot.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis-cluster.ts";
import { startRedis } from "../support/redis-server.ts";
import type { SimulationRun, SimulationTask } from "./simulation-runs.ts";
import { type Loss, PARTITIONS, type Simulation } from "./state-simulation.ts";

const PROGRAM = fileURLToPath(new URL("simulation-runs.ts", import.meta.url));

/** 200 on demand. */
const SEEDS = Number(process.env.SEEDS ?? 20);
const OPERATIONS = 5_000;
const BASE_SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** Of these in each process, of which there is one for each core: most of the time a run waits. */
const AT_ONCE = 4;
/** Of five runs. */
const LOSSES: readonly Loss[] = ["none", "none", "none", "flush", "rollback"];

test(`through crashes, zombies, repeated calls and losses the state converges to the truth (SEED=${BASE_SEED})`, async (t) => {
  const server = await startRedis(t);
  const runs = Array.from({ length: SEEDS }, (_, n) => {
    const loss = LOSSES[n % LOSSES.length] ?? "none";
    return { seed: BASE_SEED + n, operations: OPERATIONS, loss };
  });
  const reports = await runAll(t, server.url, runs);
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
  const task = {
    urls: servers.map(({ url }) => url),
    cluster: nodes,
    runs: [simulation],
    atOnce: 1,
  };
  const running = runApart(t, task);
  const moving = moveSlots(cluster);
  const [report] = await running;
  await moving;
  assert.ok(report);
  const { problems, anomalies, reaped } = report;
  assert.deepEqual(problems, [], `seed ${BASE_SEED}`);
  assert.deepEqual(anomalies, [], `seed ${BASE_SEED}`);
  assert.ok(reaped > 0);
});

/** In as many processes as there are cores, and runs. */
async function runAll(
  t: TestContext,
  url: string,
  runs: readonly Simulation[],
): Promise<readonly SimulationRun[]> {
  const processes = Math.min(availableParallelism(), runs.length);
  const shares = Array.from({ length: processes }, (_, at) =>
    // Each has its part of every kind of run.
    runs.filter((_run, n) => n % processes === at),
  );
  const reports = await Promise.all(
    shares.map((share) => runApart(t, { urls: [url], runs: share, atOnce: AT_ONCE })),
  );
  return reports.flat().toSorted((a, b) => a.seed - b.seed);
}

/** In a process of its own, which ends with the test at the latest. */
async function runApart(t: TestContext, task: SimulationTask): Promise<readonly SimulationRun[]> {
  const child = fork(PROGRAM, { execArgv: ["--import", "tsx"] });
  t.after(() => child.kill("SIGKILL"));
  const reports: SimulationRun[] = [];
  child.send(task);
  await new Promise<void>((resolve, reject) => {
    child.on("message", (report) => {
      reports.push(report as SimulationRun);
      if (reports.length === task.runs.length) resolve();
    });
    child.once("exit", (code) => reject(new Error(`The simulation has ended with ${code}.`)));
  });
  return reports;
}

/** Every partition of the simulation to another master, one after the other. */
async function moveSlots(cluster: RedisCluster): Promise<void> {
  const { key, partitions } = createKeys({ prefix: "", partitions: PARTITIONS });
  for (let p = 0; p < partitions; p++) {
    await delay(300);
    await cluster.moveSlot(hashSlot(key(p, "hb")));
  }
}
