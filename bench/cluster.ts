/**
 * What do a presence join and a publish cost in a cluster, and does it depend on the number of nodes?
 *
 *   npm run bench:cluster -- [--rounds 5]
 *
 * Clusters of 2, 5 and 10 nodes share one redis-server of this bench and take turns. Counted are the CPU time of
 * all nodes together (they live in this process: connections, adapter and channel state of src/, no sockets) and
 * that of Redis. Every message is counted too: one that a node without a subscriber receives fails the run, and
 * so does a join that costs more among more nodes. Loopback; ends by itself in a minute and writes
 * bench/results/cluster.{md,json}.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRedis } from "../test/support/redis-server.ts";
import {
  type Cluster,
  measureJoins,
  measurePublishes,
  openCluster,
} from "./support/cluster-load.ts";
import { type Cost, redisVersion } from "./support/cost.ts";
import { writeReport } from "./support/report.ts";
import { type Spread, spreadOf, spreadText } from "./support/statistics.ts";

interface Scenario {
  readonly name: string;
  readonly run: (cluster: Cluster) => Promise<Cost>;
  /** What the prototype of this design took on the same kind of machine: nodes, and Redis. */
  readonly prototype: readonly [nodes: string, redis: string];
  /** The same at any number of nodes. */
  readonly isFlat: boolean;
}

interface Result {
  readonly scenario: string;
  readonly size: number;
  /** One a round. */
  readonly costs: Cost[];
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SIZES = [2, 5, 10];
const MAX_ROUNDS = 20;
const JOINS = 2_000;
const JOINS_IN_FLIGHT_A_NODE = 10;
const JOINS_AT_ONCE_A_NODE = 500;
const MESSAGES = 10_000;
/** The most that a join among ten nodes may cost, in joins among two: what remains is the noise of a machine. */
const MOST_GROWTH = 1.5;

process.chdir(ROOT);
const rounds = readRounds();
const server = await startRedis(undefined);
const clusters: Cluster[] = [];

const scenarios: readonly Scenario[] = [
  {
    name: `join, ${JOINS_IN_FLIGHT_A_NODE} at a time on each node`,
    run: (cluster) => join(cluster, JOINS, JOINS_IN_FLIGHT_A_NODE * cluster.size),
    prototype: ["55", "45"],
    isFlat: true,
  },
  {
    name: `join, ${JOINS_AT_ONCE_A_NODE} at once on each node`,
    run: (cluster) => join(cluster, JOINS_AT_ONCE_A_NODE * cluster.size),
    prototype: ["", ""],
    isFlat: true,
  },
  {
    name: "publish, subscribers on two nodes",
    run: (cluster) => measurePublishes(server, cluster, cluster.rooms, MESSAGES),
    prototype: ["13 on one node, 19 on four", "2.5 on one node, 6.1 on four"],
    isFlat: true,
  },
  {
    name: "publish, subscribers on every node",
    run: (cluster) => measurePublishes(server, cluster, cluster.everywhere, MESSAGES),
    prototype: ["19 on four, 34 on ten", "6.1 on four, 7.5 on ten"],
    isFlat: false,
  },
];

try {
  for (const size of SIZES) clusters.push(await openCluster(server, size));
  // Lets V8 compile what is measured.
  for (const cluster of clusters) for (const { run } of scenarios) await run(cluster);
  await report(await measureAll());
} finally {
  await Promise.all(clusters.map((cluster) => cluster.close()));
  await server.stop();
}

function readRounds(): number {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
  const value = Number(values.rounds);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_ROUNDS) return value;
  throw new Error(`--rounds is ${JSON.stringify(values.rounds)}, allowed are 1 to ${MAX_ROUNDS}.`);
}

function join(cluster: Cluster, joins: number, inFlight = joins): Promise<Cost> {
  return measureJoins(server, cluster, { joins, inFlight });
}

/** The clusters in turns, and each goes first now and then: what the machine does besides meets all. */
async function measureAll(): Promise<readonly Result[]> {
  const results: Result[] = scenarios.flatMap(({ name }) =>
    SIZES.map((size) => ({ scenario: name, size, costs: [] })),
  );
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, run } of scenarios) {
      for (const [n] of clusters.entries()) {
        const cluster = clusters[(n + round) % clusters.length];
        const result = results.find(
          ({ scenario, size }) => scenario === name && size === cluster?.size,
        );
        if (cluster === undefined || result === undefined) throw new Error("A cluster is missing.");
        const cost = await run(cluster);
        result.costs.push(cost);
        const { nodesUs, redisUs } = cost;
        console.log(
          `round ${round + 1}  ${name}  ${cluster.size} nodes  ${nodesUs.toFixed(1)} + ${redisUs.toFixed(1)} µs`,
        );
      }
    }
  }
  return results;
}

/** Throws when what should cost the same among more nodes does not. */
async function report(results: readonly Result[]): Promise<void> {
  const sides = [
    { side: "nodes", of: ({ nodesUs }: Cost) => nodesUs },
    { side: "Redis", of: ({ redisUs }: Cost) => redisUs },
  ] as const;
  const tooMuch: string[] = [];
  const rows = scenarios.flatMap(({ name, prototype, isFlat }) =>
    sides.map(({ side, of }, column) => {
      const bySize = SIZES.map(
        (size) =>
          results.find((each) => each.scenario === name && each.size === size)?.costs.map(of) ?? [],
      );
      const growth = growthOf(bySize);
      if (isFlat && growth.median > MOST_GROWTH) {
        tooMuch.push(`${name}, ${side}: ${spreadText(growth)}`);
      }
      const cells = bySize.map((values) => spreadText(spreadOf(values), 1));
      return [`${name}: ${side}`, ...cells, spreadText(growth), prototype[column] ?? ""];
    }),
  );
  const table = writeReport(ROOT, {
    name: "cluster",
    title: "What do a presence join and a publish cost in a cluster?",
    command: `npm run bench:cluster -- --rounds ${rounds}`,
    method:
      `CPU time in µs per operation, of all nodes together and of Redis: median of ${rounds} rounds (lowest–highest). ` +
      "The clusters take turns on one Redis; their nodes are the connections, adapter and channel state of src/ in " +
      "one process, without sockets and without webhooks, with their heartbeats. A join comes to a presence channel " +
      "that has members on two of the nodes, as a client's does: the list is complete when it ends, and both nodes " +
      "have told their members of it. 300 bytes a message, 50 of each node in a turn, published by the nodes that " +
      "hear the channel, their own copy that comes back included. No node received a message of a channel of which it has " +
      "no subscriber: each was counted, in every round. The last but one column is ten nodes over two, in each round. " +
      "The prototype is the one that decided the design, measured on the same kind of machine; asking all nodes " +
      "for the members, measured beside it, took 217, 401 and 922 µs of the nodes and 57, 102 and 216 µs of Redis for a join among " +
      "2, 5 and 10 nodes.",
    columns: ["", ...SIZES.map((size) => `${size} nodes`), "growth", "prototype"],
    rows,
    raw: results,
    versions: { redis: await redisVersion(server), partitions: "64" },
  });
  console.log(`\n${table}\n\nWritten to bench/results/cluster.md and .json.`);
  if (tooMuch.length > 0) throw new Error(`The cost grows with the nodes: ${tooMuch.join("; ")}.`);
}

/** The most nodes over the fewest, in each round. */
function growthOf(bySize: readonly (readonly number[])[]): Spread {
  const [fewest = [], most = []] = [bySize[0], bySize.at(-1)];
  return spreadOf(most.map((value, round) => value / (fewest[round] ?? Number.NaN)));
}
