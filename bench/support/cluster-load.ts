/**
 * What clients and backends do to a cluster, and what it costs. Nodes live in this process, so that its CPU time
 * is the CPU time of all of them. Every message is counted: one too few or too many fails the run.
 */
import { sweepPartition } from "../../src/channel-state/redis-sweep.ts";
import { channelTopic } from "../../src/protocol/topic.ts";
import type { RedisServer } from "../../test/support/redis-server.ts";
import { until } from "../../test/support/until.ts";
import { APP, type ClusterNode, openClusterNode } from "./cluster-node.ts";
import { type Cost, measureCost } from "./cost.ts";

/** A presence channel with a member on two of the nodes, or an event channel that every node hears. */
interface Channel {
  readonly name: string;
  readonly nodes: readonly ClusterNode[];
}

export interface Cluster {
  readonly size: number;
  readonly nodes: readonly ClusterNode[];
  /** On two nodes each, so that every node has its share of them. */
  readonly rooms: readonly Channel[];
  readonly everywhere: readonly Channel[];
  /** How many messages have to have come to each node through Redis, and no more. */
  readonly due: Map<ClusterNode, number>;
  /** How many users there were: nobody comes twice, since a return within the grace is another thing. */
  users: number;
  close(): Promise<void>;
}

const ROOMS = 100;
const CHANNELS_EVERYWHERE = 20;
/** Of each node: what one turn of the event loop sends goes to Redis together. */
const MESSAGES_A_TURN = 50;
const FRAME_BYTES = 300;

export async function openCluster(server: RedisServer, size: number): Promise<Cluster> {
  const prefix = `bench-${size}:`;
  const indexes = Array.from({ length: size }, (_, n) => n);
  const nodes = await Promise.all(
    indexes.map((n) => openClusterNode(server.url, prefix, `node-${n}`)),
  );
  const nodesFrom = (n: number, count: number): readonly ClusterNode[] =>
    nodes.concat(nodes).slice(n % size, (n % size) + count);
  const rooms = Array.from({ length: ROOMS }, (_, n) => ({
    name: `presence-${n}`,
    nodes: nodesFrom(n, 2),
  }));
  const everywhere = Array.from({ length: CHANNELS_EVERYWHERE }, (_, n) => ({
    name: `everywhere-${n}`,
    nodes: nodesFrom(n, size),
  }));
  for (const room of rooms) {
    await Promise.all(room.nodes.map((node, n) => node.join(room.name, `host-${n}`)));
  }
  for (const { name, nodes: listeners } of everywhere) {
    await Promise.all(listeners.map(({ adapter }) => adapter.subscribe(channelTopic(APP, name))));
  }
  return {
    size,
    nodes,
    rooms,
    everywhere,
    due: await countReceived(nodes, rooms),
    users: 0,
    async close() {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}

/** Users who join the rooms, on either node in turns, `inFlight` at a time; and who leave again, which is not measured. */
export async function measureJoins(
  server: RedisServer,
  cluster: Cluster,
  { joins, inFlight }: { readonly joins: number; readonly inFlight: number },
): Promise<Cost> {
  const visits = Array.from({ length: joins }, (_, n) => {
    const room = at(cluster.rooms, n);
    const userId = `user-${cluster.users + n}`;
    return { room, node: at(room.nodes, Math.floor(n / ROOMS)), userId };
  });
  cluster.users += joins;
  const changes = countPerNode(visits.map(({ room }) => room));
  const waiting = visits.values();
  const work = async (): Promise<void> => {
    for (const { room, node, userId } of waiting) await node.join(room.name, userId);
  };
  const cost = await measureCost(server, joins, () =>
    whenHeard(cluster, changes, "members", async () => {
      await Promise.all(Array.from({ length: inFlight }, work));
    }),
  );
  await whenHeard(cluster, changes, "members", async () => {
    for (const { room, node, userId } of visits) node.leave(room.name, userId);
  });
  await until("every leave is acknowledged", () =>
    cluster.nodes.every(({ state }) => state.health().backlog === 0),
  );
  await sweep(cluster);
  return cost;
}

/** Messages that are published to the channels, from each of its nodes in turns. */
export function measurePublishes(
  server: RedisServer,
  cluster: Cluster,
  channels: readonly Channel[],
  messages: number,
): Promise<Cost> {
  const sent = Array.from({ length: messages }, (_, n) => at(channels, n));
  const frame = "x".repeat(FRAME_BYTES);
  const publish = async (): Promise<void> => {
    const perTurn = MESSAGES_A_TURN * cluster.size;
    for (let from = 0; from < messages; from += perTurn) {
      const turn = sent.slice(from, from + perTurn).map(({ name, nodes }, n) => {
        const { adapter } = at(nodes, Math.floor((from + n) / channels.length));
        return adapter.publish("event", channelTopic(APP, name), frame);
      });
      await Promise.all(turn);
    }
  };
  return measureCost(server, messages, () =>
    whenHeard(cluster, countPerNode(sent), "events", publish),
  );
}

/** What the dispatcher of webhooks does all the time: else leaves would pile up. */
async function sweep({ nodes }: Cluster): Promise<void> {
  const { redis } = at(nodes, 0);
  const partitions = Array.from({ length: redis.keys.partitions }, (_, p) => p);
  await Promise.all(partitions.map((p) => sweepPartition(redis, p)));
}

/** How many messages each node has to hear: one for each of these channels that it holds, its own included. */
function countPerNode(channels: readonly Channel[]): ReadonlyMap<ClusterNode, number> {
  const counts = new Map<ClusterNode, number>();
  for (const node of channels.flatMap(({ nodes }) => nodes)) {
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

/** Done when each node has told its sockets of as many as it should. Throws when more came through Redis. */
async function whenHeard(
  { nodes, due }: Cluster,
  expected: ReadonlyMap<ClusterNode, number>,
  what: "members" | "events",
  run: () => Promise<void>,
): Promise<void> {
  const before = nodes.map(({ told }) => told[what]);
  await run();
  for (const [n, node] of nodes.entries()) {
    const messages = expected.get(node) ?? 0;
    await until(
      `node ${n} has told its sockets`,
      () => node.told[what] - at(before, n) >= messages,
    );
    const allDue = (due.get(node) ?? 0) + messages;
    due.set(node, allDue);
    // From the opening on, so that what comes late to a node is found with what comes next.
    const { received } = node.redis.bus.counters;
    if (received !== allDue) throw new Error(`Node ${n} has received ${received} for ${allDue}.`);
  }
}

/** What has come to each node so far, once nothing is under way any more. */
async function countReceived(
  nodes: readonly ClusterNode[],
  rooms: readonly Channel[],
): Promise<Map<ClusterNode, number>> {
  const expected = countPerNode(rooms);
  const markers = rooms.map((room) =>
    at(room.nodes, 0).adapter.publish("event", channelTopic(APP, room.name), "marker"),
  );
  await Promise.all(markers);
  // What was published before them has come when they have.
  await until("every marker has come", () =>
    nodes.every((node) => node.told.events >= (expected.get(node) ?? 0)),
  );
  const received = nodes.map((node) => [node, node.redis.bus.counters.received] as const);
  return new Map(received);
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new RangeError("The list is empty.");
  return found;
}
