/**
 * Runs the simulation as it is told in a message, and sends back a report of each run. A process of its own, so
 * that several cores take part; and where tests run Node watches every promise, which costs a fifth of the time.
 */
import { once } from "node:events";
import { Redis } from "ioredis";
import type { RedisEndpoint } from "../../src/redis/settings.ts";
import { type Simulation, type SimulationReport, simulate } from "./state-simulation.ts";

/** What is to be done, and where: on one server, or on the masters of a Redis Cluster. */
export interface SimulationTask {
  readonly urls: readonly string[];
  readonly cluster?: readonly RedisEndpoint[];
  readonly runs: readonly Simulation[];
  readonly atOnce: number;
}

export interface SimulationRun extends Simulation, SimulationReport {}

const [task] = (await once(process, "message")) as [SimulationTask];
const clients = task.urls.map((url) => new Redis(url));
const servers = clients.map((client, at) => ({
  url: task.urls[at] ?? "",
  call: (command: string, ...args: (string | number)[]) => client.call(command, ...args),
}));
const where = task.cluster ? { servers, cluster: task.cluster } : { servers };
const left = [...task.runs];

async function runSome(): Promise<void> {
  for (let run = left.shift(); run !== undefined; run = left.shift()) {
    const report = await simulate(where, run);
    const result: SimulationRun = { ...run, ...report };
    process.send?.(result);
  }
}

await Promise.all(Array.from({ length: task.atOnce }, runSome));
for (const client of clients) client.disconnect();
