/**
 * Random nodes and connections on a real Redis: they subscribe, unsubscribe, sign in; nodes crash, or fall
 * silent and go on writing; calls run twice, late or without an answer; several nodes reap at once; Redis loses
 * everything, or its last writes.
 */
import { setTimeout as delay } from "node:timers/promises";
import { StateUnavailableError } from "../../src/channel-state/channel-state.ts";
import { sweepPartition } from "../../src/channel-state/redis-sweep.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
import type { RedisEndpoint } from "../../src/redis/settings.ts";
import {
  type OpenedRedisState,
  openRedisState,
  type StreamEvent,
} from "../channel-state/redis-state.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { checkEvents, differences, leftOver, readAllEvents } from "./state-checks.ts";
import { flushIfTold, isLossOver, restore, type Snapshot, takeSnapshot } from "./state-losses.ts";
import { openStateNode, type StateNode } from "./state-node.ts";

/** `flush`: Redis loses everything. `rollback`: it loses its last writes, as after a failover. */
export type Loss = "none" | "flush" | "rollback";

export interface Simulation {
  readonly seed: number;
  readonly operations: number;
  readonly loss: Loss;
}

export interface SimulationReport {
  /** Each is a bug. */
  readonly problems: readonly string[];
  /** Events that do not alternate: bugs, unless Redis has lost something. Some of those near a loss are told again. */
  readonly anomalies: readonly string[];
  readonly events: number;
  readonly crashes: number;
  readonly silences: number;
  readonly losses: number;
  readonly reaped: number;
  readonly reincarnations: number;
}

export const PARTITIONS = 8;
const NODES = 4;
const CHANNELS = 24;
const USERS = 6;
const LEASE_MS = 600;
/** For so long after the time to come back nodes doubt whether who came in it has been told, and more. */
const LONGEST_DOUBT_MS = 1_500;
const FAULTS = { twice: 0.05, lostAnswer: 0.02, lateCopy: 0.02 };
/** The channel in which not everybody finds room. */
const SMALL = "presence-0";

export type SimulationServer = Pick<RedisServer, "url" | "call">;

/** Where the simulation runs: one server, or the masters of a Redis Cluster. Losses only on one server. */
export interface SimulationServers {
  readonly servers: readonly SimulationServer[];
  readonly cluster?: readonly RedisEndpoint[];
}

export async function simulate(
  { servers, cluster }: SimulationServers,
  simulation: Simulation,
): Promise<SimulationReport> {
  const { seed, operations, loss } = simulation;
  const random = createSeededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const keyPrefix = `simulation-${seed}-${loss}:`;
  const settings = {
    leaseMs: LEASE_MS,
    heartbeatMs: LEASE_MS / 4,
    leaveGraceMs: [1, 40, 120, 240][below(4)] ?? 1,
    countWindowMs: 100,
    restoreMs: 2_000,
    versionWaitMs: 50,
    firstRetryMs: 5,
    longestRetryMs: 50,
  };
  const server = firstOf(servers);
  const where = { url: cluster ? undefined : server.url };
  const redisSettings = cluster ? { cluster } : {};
  const partitions = PARTITIONS;
  const common = { server: where, redisSettings, keyPrefix, partitions, settings };
  const observer = await openRedisState({ ...common, nodeName: "observer" });
  let opened = 0;
  const open = (): Promise<StateNode> => {
    opened += 1;
    return openStateNode({
      ...common,
      name: `n${opened}`,
      random,
      faults: FAULTS,
      maxMembers: (channel) => (channel === SMALL ? 3 : Number.POSITIVE_INFINITY),
      isAnnounced: (channel) => channel.startsWith("room-"),
    });
  };
  const nodes = await Promise.all(Array.from({ length: NODES }, open));
  const everyone = [...nodes];
  const crashing: Promise<void>[] = [];
  const report = { crashes: 0, silences: 0, losses: 0 };
  const lostEvents: StreamEvent[] = [];
  const sweeping = setInterval(() => void sweepAll(observer), 30);
  let snapshot: Snapshot | undefined;

  function connect(node: StateNode): void {
    const kind = below(3);
    if (kind === 0) return node.signIn(`u${below(USERS)}`);
    if (kind === 1) return node.subscribe(`room-${below(CHANNELS)}`, undefined);
    const userInfoJson = JSON.stringify({ seat: below(3) });
    node.subscribe(`presence-${below(CHANNELS)}`, { userId: `u${below(USERS)}`, userInfoJson });
  }

  function disconnect(node: StateNode): void {
    const { subscriptions, signedIn } = node;
    const choice = below(subscriptions.size + signedIn.size);
    const subscription = [...subscriptions][choice];
    if (subscription) node.unsubscribe(subscription);
    else node.signOut([...signedIn.keys()][choice - subscriptions.size] ?? "");
  }

  const readSoon = () => until("the events are read", () => unlessAway(readAllEvents(observer)));

  /** What is due is told, and what is decided delivered, in place of a dispatcher: then all is lost. */
  async function sweepAndFlush(): Promise<readonly StreamEvent[]> {
    for (;;) {
      await sweepAll(observer);
      const events = await readSoon();
      if (await flushIfTold(server, keyPrefix, events.length)) return events;
    }
  }

  async function lose(step: number): Promise<void> {
    if (loss === "none" || step === 0) return;
    const every = Math.floor(operations / 4);
    if (loss === "flush" && step % every === 0) {
      // Two within the time to come back are another story: state-two-losses.test.ts tells it.
      const names = nodes.map(({ name }) => name);
      const isOver = () => unlessAway(isLossOver(observer, names, LONGEST_DOUBT_MS));
      await until("everybody is back from the loss before", isOver, 30_000);
      lostEvents.push(...(await sweepAndFlush()));
      report.losses += 1;
      await delay(settings.heartbeatMs * 3);
    }
    if (loss === "rollback" && step % every === 0) snapshot = await takeSnapshot(server, keyPrefix);
    if (loss === "rollback" && step % every === 60 && snapshot) {
      await restore(server, keyPrefix, snapshot);
      report.losses += 1;
    }
  }

  for (let step = 0; step < operations; step++) {
    await lose(step);
    const at = below(nodes.length);
    const node = nodes[at];
    if (!node) throw new RangeError(`There is no node ${at}.`);
    const isEmpty = node.subscriptions.size + node.signedIn.size === 0;
    if (isEmpty || random() < 0.52) connect(node);
    else disconnect(node);
    if (random() < 0.004) node.leaveAll();
    // A node that crashes with Redis takes with it what it alone remembers.
    if (loss !== "flush" && random() < 0.002) {
      report.crashes += 1;
      crashing.push(node.crash());
      const successor = await open();
      nodes[at] = successor;
      everyone.push(successor);
    }
    if (random() < 0.001) {
      report.silences += 1;
      node.faults.isSilent = true;
      setTimeout(() => {
        node.faults.isSilent = false;
      }, LEASE_MS * 3);
    }
    if (step % 10 === 0) await delay(below(8));
  }
  for (const { faults } of nodes) Object.assign(faults, { twice: 0, lostAnswer: 0, lateCopy: 0 });

  const problems: string[] = [];
  const expect = async (what: string, look: () => Promise<readonly string[]>) => {
    let found: readonly string[] = [];
    await until(
      what,
      async () => {
        // After a loss reads are refused for a while.
        found = await look().catch((error: unknown) => {
          if (error instanceof StateUnavailableError) return [error.message];
          throw error;
        });
        return found.length === 0;
      },
      12_000,
    ).catch(() => problems.push(`${what}: ${found.slice(0, 5).join("; ")}`));
  };
  await expect("the state and every list equal the truth", () => differences(observer, nodes));
  for (const node of nodes) node.leaveAll();
  await expect("nothing is left when all have gone", () => leftOver(servers, keyPrefix));
  clearInterval(sweeping);
  const events = [...lostEvents, ...(await readSoon())];
  const { anomalies, present } = checkEvents(events);
  // What was told of a node that crashed together with what Redis lost is known to nobody any longer.
  const believed = `webhooks still believe in ${present.slice(0, 5)}`;
  if (present.length > 0) (loss === "rollback" ? anomalies : problems).push(believed);
  for (const { complaints } of everyone) problems.push(...complaints.slice(0, 5));
  for (const {
    name,
    opened: { state },
  } of nodes) {
    await expect(`${name} remembers nothing`, async () =>
      Object.entries(state.sizes())
        .filter(([, size]) => size > 0)
        .map(String),
    );
  }
  await Promise.all([...nodes.map((node) => node.opened.close()), ...crashing]);
  await observer.close();
  const sum = (counter: "nodesReaped" | "reincarnations") =>
    everyone.reduce((total, each) => total + each.opened.state.counters[counter], 0);
  return {
    ...report,
    problems,
    anomalies,
    events: events.length,
    reaped: sum("nodesReaped") + observer.state.counters.nodesReaped,
    reincarnations: sum("reincarnations"),
  };
}

function firstOf(servers: readonly SimulationServer[]): SimulationServer {
  const [server] = servers;
  if (!server) throw new RangeError("The simulation needs a server.");
  return server;
}

/** Undefined on a machine so busy that Redis is not heard in time. */
async function unlessAway<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RedisUnavailableError) return undefined;
    throw error;
  }
}

async function sweepAll({ redis }: OpenedRedisState): Promise<void> {
  const all = Array.from({ length: PARTITIONS }, (_, p) => sweepPartition(redis, p));
  await Promise.allSettled(all);
}
