/**
 * What does it cost that a subscriber is on another node? One scenario in three places, in turns: a server alone, a
 * node of two that has the subscribers itself, and one whose subscribers are all on the other.
 */
import type { RedisServer } from "../../test/support/redis-server.ts";
import type { Load, Scenario } from "../scenarios/scenario.ts";
import { cpuUsOf } from "./cpu-time.ts";
import { BENCH_APP, type Endpoint, OTHER_APP } from "./endpoint.ts";
import { type Nodes, openNodes } from "./nodes.ts";
import type { SideOptions } from "./sides.ts";

export const PLACES = ["alone", "local", "remote"] as const;
export type Place = (typeof PLACES)[number];

/** CPU time in µs per unit: of the node where it is published, of the other one, and of Redis. */
export interface PlaceCost {
  readonly publishingUs: number;
  readonly otherUs: number;
  readonly redisUs: number;
}

export type PlaceRound = Readonly<Record<Place, PlaceCost>>;

export interface PlaceResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly rounds: readonly PlaceRound[];
}

export interface PlaceOptions extends SideOptions {
  readonly rounds: number;
  readonly scale: number;
  /** Progress, a line at a time. */
  readonly onText: (text: string) => void;
}

/** Rejects when a delivery is lost or one too many, or when what is delivered differs. */
export async function measurePlaces(
  scenarios: readonly Scenario[],
  redis: RedisServer,
  options: PlaceOptions,
): Promise<readonly PlaceResult[]> {
  const results: PlaceResult[] = [];
  for (const [n, scenario] of scenarios.entries()) {
    const head = `[${n + 1}/${scenarios.length}] ${scenario.name}`;
    const onText = (text: string) => options.onText(`${head}  ${text}`);
    // New servers for each: what one scenario leaves behind would be the next one's.
    const nodes = await openNodes(options, redis, `${scenario.name}:`);
    try {
      const rounds = await measure(scenario, nodes, { ...options, onText });
      const { name, title, unit } = scenario;
      results.push({ name, title, unit, rounds });
    } finally {
      await nodes.close();
    }
  }
  return results;
}

/** Each cluster's place has an app of its own, so that neither hears what is the other's. */
function endpointsOf(
  { alone, publishing, other }: Nodes,
  place: Place,
): readonly [subscribers: Endpoint, publisher: Endpoint] {
  if (place === "alone") return [alone.endpoint, alone.endpoint];
  if (place === "local") {
    const endpoint = { ...publishing.endpoint, ...BENCH_APP };
    return [endpoint, endpoint];
  }
  return [
    { ...other.endpoint, ...OTHER_APP },
    { ...publishing.endpoint, ...OTHER_APP },
  ];
}

async function measure(
  scenario: Scenario,
  nodes: Nodes,
  { rounds: wanted, scale, onText }: PlaceOptions,
): Promise<readonly PlaceRound[]> {
  const loads: { place: Place; load: Load }[] = [];
  try {
    for (const place of PLACES) {
      const [subscribers, publisher] = endpointsOf(nodes, place);
      loads.push({ place, load: await scenario.open(subscribers, scale, publisher) });
    }
    const samples = new Set(loads.map(({ load }) => load.sample));
    if (samples.size > 1) throw new Error(`What is delivered differs: ${[...samples].join(", ")}`);
    // Lets V8 compile what is measured.
    for (const { load } of loads) await load.round();

    const rounds: PlaceRound[] = [];
    while (rounds.length < wanted) {
      const round: Partial<Record<Place, PlaceCost>> = {};
      for (const { place, load } of rounds.length % 2 === 0 ? loads : loads.toReversed()) {
        const cost = await costOf(nodes, place, load);
        round[place] = cost;
        onText(`round ${rounds.length + 1}  ${place}  ${costText(cost)}\n`);
      }
      rounds.push(round as PlaceRound);
    }
    for (const { load } of loads) await load.end?.();
    return rounds;
  } finally {
    for (const { load } of loads) load.close();
  }
}

async function costOf(
  { alone, publishing, other, redis }: Nodes,
  place: Place,
  load: Load,
): Promise<PlaceCost> {
  const pids = [place === "alone" ? alone.pid : publishing.pid, other.pid, redis.pid] as const;
  const before = pids.map(cpuUsOf);
  const { units } = await load.round();
  const [publishingUs = 0, otherUs = 0, redisUs = 0] = pids.map(
    (pid, n) => (cpuUsOf(pid) - (before[n] ?? Number.NaN)) / units,
  );
  // Alone it has nothing to do with the others.
  return place === "alone"
    ? { publishingUs, otherUs: 0, redisUs: 0 }
    : { publishingUs, otherUs, redisUs };
}

export function totalUs({ publishingUs, otherUs, redisUs }: PlaceCost): number {
  return publishingUs + otherUs + redisUs;
}

function costText({ publishingUs, otherUs, redisUs }: PlaceCost): string {
  return `${publishingUs.toFixed(2)} + ${otherUs.toFixed(2)} + Redis ${redisUs.toFixed(2)} µs`;
}
