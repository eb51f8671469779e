/** Runs a scenario: all servers in turns, round after round, each of them first every other time. */
import { setTimeout as delay } from "node:timers/promises";
import type { Load, Scenario, Surroundings } from "../scenarios/scenario.ts";
import { cpuUsOf, rssOf } from "./cpu-time.ts";
import { openSide, type Side, type SideName, type SideOptions } from "./sides.ts";

/** What one server did in one round. */
export interface Measured {
  /** Per unit: µs, bytes or ms, whatever the scenario is about. NaN for CPU time of an unknown process. */
  readonly value: number;
  /** Units per second of wall time. */
  readonly perSecond: number;
  /** CPU time in µs per unit of what ran beside the server, where something did. */
  readonly besideUs?: number;
}

/** One round: every side has its turn in it. */
export type Round = Readonly<Partial<Record<SideName, Measured>>>;

export interface MeasureOptions extends SideOptions {
  readonly rounds: number;
  readonly scale: number;
  /** Told of each figure: `round 3 pipit`. */
  readonly onProgress: (where: string, measured: Measured) => void;
}

interface OpenSide {
  readonly side: Side;
  readonly load: Load;
}

const COLLECT_NODE_ARGS = ["--expose-gc", "--import", "./bench/support/collect-on-signal.mjs"];
const NOTHING_BESIDE: Surroundings = { config: {}, close: async () => {} };
/**
 * Part of the connections that come and go before memory is measured: code is compiled then and V8's young generation
 * has grown, 6 MB that are there once and not per connection. The freed sockets of this tenth are used again.
 */
const MEMORY_WARM_UP = 0.1;

/** Rejects when a delivery is lost, or when two servers send different frames. */
export async function measureScenario(
  scenario: Scenario,
  options: MeasureOptions,
): Promise<readonly Round[]> {
  const surroundings = (await scenario.prepare?.()) ?? NOTHING_BESIDE;
  try {
    return scenario.quantity === "memory"
      ? await measureMemory(scenario, options)
      : await measureWork(scenario, options, surroundings);
  } finally {
    await surroundings.close();
  }
}

function sidesOf({ sides, takesTarget }: Scenario, { target }: SideOptions): readonly SideName[] {
  return target === undefined || !takesTarget ? sides : [...sides, "target"];
}

async function measureWork(
  scenario: Scenario,
  options: MeasureOptions,
  { config, cpuUs }: Surroundings,
): Promise<readonly Round[]> {
  const opened: OpenSide[] = [];
  try {
    for (const name of sidesOf(scenario, options)) {
      const side = await openSide(name, options, config);
      opened.push({ side, load: await openLoad(scenario, side, options.scale) });
    }
    compareSamples(opened);
    // Lets V8 compile what is measured.
    for (const { load } of opened) await load.round();
    await setPace(opened);
    const rounds = await inTurns(opened, options, (each) => measureRound(each, scenario, cpuUs));
    for (const { load } of opened) await load.end?.();
    return rounds;
  } finally {
    for (const { load } of opened) load.close();
    await Promise.all(opened.map(({ side }) => side.close()));
  }
}

/** A server of which no load could be opened is not left behind. */
async function openLoad(scenario: Scenario, side: Side, scale: number): Promise<Load> {
  try {
    return await scenario.open(side.endpoint, scale);
  } catch (error) {
    await side.close();
    throw error;
  }
}

function compareSamples(opened: readonly OpenSide[]): void {
  const [bare, pipit] = ["bare", "pipit"].map((name) =>
    opened.find(({ side }) => side.name === name),
  );
  if (bare === undefined || pipit === undefined || bare.load.sample === pipit.load.sample) return;
  throw new Error(`Pipit delivers ${pipit.load.sample} for ${bare.load.sample}.`);
}

/** Half of what Pipit takes, for every server: both must be able to. */
async function setPace(opened: readonly OpenSide[]): Promise<void> {
  const rates: number[] = [];
  for (const { load } of opened) {
    if (load.saturate !== undefined) rates.push(await load.saturate());
  }
  for (const { load } of opened) load.pace?.(Math.min(...rates) / 2);
}

async function inTurns(
  opened: readonly OpenSide[],
  { rounds, onProgress }: MeasureOptions,
  measure: (each: OpenSide) => Promise<Measured>,
): Promise<readonly Round[]> {
  const measured: Round[] = [];
  for (let number = 1; number <= rounds; number += 1) {
    const round: Partial<Record<SideName, Measured>> = {};
    for (const each of number % 2 === 1 ? opened : opened.toReversed()) {
      const result = await measure(each);
      round[each.side.name] = result;
      onProgress(`round ${number}  ${each.side.name}`, result);
    }
    measured.push(round);
  }
  return measured;
}

async function measureRound(
  { side: { pid }, load }: OpenSide,
  { quantity }: Scenario,
  besideCpuUs: Surroundings["cpuUs"],
): Promise<Measured> {
  const besideBeforeUs = await besideCpuUs?.();
  const beforeUs = pid === undefined ? Number.NaN : cpuUsOf(pid);
  const startedMs = performance.now();
  const { units, p99Ms } = await load.round();
  const perSecond = (units * 1_000) / (performance.now() - startedMs);
  const cpuUs = pid === undefined ? Number.NaN : cpuUsOf(pid) - beforeUs;
  const value = quantity === "latency" ? (p99Ms ?? Number.NaN) : cpuUs / units;
  if (besideCpuUs === undefined || besideBeforeUs === undefined) return { value, perSecond };
  return { value, perSecond, besideUs: ((await besideCpuUs()) - besideBeforeUs) / units };
}

/** A fresh server for each figure: what one round leaves behind would be the next one's. */
async function measureMemory(
  scenario: Scenario,
  options: MeasureOptions,
): Promise<readonly Round[]> {
  const rounds: Round[] = [];
  for (let number = 1; number <= options.rounds; number += 1) {
    const round: Partial<Record<SideName, Measured>> = {};
    const names = number % 2 === 1 ? scenario.sides : scenario.sides.toReversed();
    for (const name of names) {
      const measured = await weigh(scenario, name, options);
      round[name] = measured;
      options.onProgress(`round ${number}  ${name}`, measured);
    }
    rounds.push(round);
  }
  return rounds;
}

async function weigh(
  scenario: Scenario,
  name: SideName,
  options: MeasureOptions,
): Promise<Measured> {
  const side = await openSide(name, options, { nodeArgs: COLLECT_NODE_ARGS });
  const { pid } = side;
  try {
    if (pid === undefined) throw new Error("Memory is measured of own servers only.");
    (await scenario.open(side.endpoint, options.scale * MEMORY_WARM_UP)).close();
    const before = await settledRss(pid);
    const startedMs = performance.now();
    const load = await scenario.open(side.endpoint, options.scale);
    const seconds = (performance.now() - startedMs) / 1_000;
    const after = await settledRss(pid);
    // Throws when a client was lost meanwhile.
    const { units } = await load.round();
    load.close();
    return { value: (after - before) / units, perSecond: units / seconds };
  } finally {
    await side.close();
  }
}

/** Resident memory after a collection, once it does not move any more. */
async function settledRss(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR2");
  let last = -1;
  let same = 0;
  for (let looks = 0; looks < 50 && same < 4; looks += 1) {
    await delay(200);
    const rss = rssOf(pid);
    same = rss === last ? same + 1 : 0;
    last = rss;
  }
  return last;
}
