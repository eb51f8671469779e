/**
 * Runs the simulation as it is told in a message, and sends back a report of each run. A process of its own, so
 * that several cores take part; and where tests run Node watches every promise, which costs a fifth of the time.
 */
import { once } from "node:events";
import { Redis } from "ioredis";
import { type Simulation, type SimulationReport, simulate } from "./state-simulation.ts";

/** What is to be done, and on which Redis. */
export interface SimulationTask {
  readonly url: string;
  readonly runs: readonly Simulation[];
  readonly atOnce: number;
}

export interface SimulationRun extends Simulation, SimulationReport {}

const [task] = (await once(process, "message")) as [SimulationTask];
const redis = new Redis(task.url);
const server = {
  url: task.url,
  call: (command: string, ...args: (string | number)[]) => redis.call(command, ...args),
};
const left = [...task.runs];

async function runSome(): Promise<void> {
  for (let run = left.shift(); run !== undefined; run = left.shift()) {
    const report = await simulate({ servers: [server] }, run);
    const result: SimulationRun = { ...run, ...report };
    process.send?.(result);
  }
}

await Promise.all(Array.from({ length: task.atOnce }, runSome));
redis.disconnect();
