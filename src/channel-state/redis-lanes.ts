/** The lanes of all partitions: their channels, heartbeats, and how they are doing. */
import { RedisUnavailableError } from "../redis/redis-unavailable.ts";
import { createAppMap } from "./memory-app-map.ts";
import { createLane, type Lane, type LaneHooks } from "./redis-lane.ts";
import { release } from "./redis-lease.ts";
import { createPeers } from "./redis-peers.ts";
import { reap } from "./redis-reaper.ts";
import { createRecentLeaves } from "./redis-recent-leaves.ts";
import type { StateContext } from "./redis-state-context.ts";
import { createTrackedChannel, isSettled, type TrackedChannel } from "./redis-tracked-channel.ts";

/** Leaves within their grace that a partition remembers. */
const MAX_RECENT_LEAVES = 2_000;

export interface Lanes {
  /** Registers in all partitions, and goes on trying until it has. */
  start(): Promise<void>;
  get(appId: string, name: string): TrackedChannel | undefined;
  obtain(appId: string, name: string): TrackedChannel;
  all(): Iterable<TrackedChannel>;
  /** Channels with steps that wait or are under way. */
  unsettled(appId: string): Iterable<TrackedChannel>;
  lane(partition: number): Lane;
  /** Every partition has been registered in, be it in the past. */
  isRegistered(): boolean;
  /** Sends what waits, as far as Redis lets it in `withinMs`; gives the leases back. */
  close(withinMs: number): Promise<void>;
  readonly health: LanesHealth;
}

export interface LanesHealth {
  readonly isRegistered: boolean;
  /** Partitions that cannot be written just now. */
  readonly failingPartitions: number;
  /** Channels with something to be sent. */
  readonly backlog: number;
  /** Channels of which something is held, wanted or to be sent. */
  readonly channels: number;
  /** How long ago the oldest lease was renewed; undefined before the first. */
  readonly leaseAgeMs: number | undefined;
}

export type LanesHooks = Pick<LaneHooks, "settled" | "reincarnated">;

export function createLanes(context: StateContext, hooks: LanesHooks): Lanes {
  const { redis, settings, counters, now, log } = context;
  const { keys } = redis;
  const tracked = createAppMap<TrackedChannel>();
  const failing = new Set<number>();
  const reaping = new Set<string>();
  /** Those of whom the last heartbeat told and that could not be cleaned up after: told when the first is one. */
  const unreaped = new Set<string>();
  const peers = createPeers(context);
  let heartbeats: NodeJS.Timeout | undefined;
  let isBeating = false;
  let whenIdle: (() => void) | undefined;
  let whenRegistered: (() => void) | undefined;

  const laneHooks: LaneHooks = {
    ...hooks,
    spent: ({ appId, name }) => tracked.delete(appId, name),
    obtain,
    failing(partition, error) {
      const isPassing = error instanceof RedisUnavailableError;
      if (failing.size === 0) {
        log[isPassing ? "warn" : "error"](reasonOf(error), "channel state cannot be written");
      }
      failing.add(partition);
    },
    recovered(partition) {
      failing.delete(partition);
      if (failing.size === 0) log.info({}, "channel state is written again");
    },
    registered() {
      if (!isRegistered()) return;
      peers.join();
      whenRegistered?.();
    },
    returnMs: peers.returnMs,
    idle: () => whenIdle?.(),
  };
  const lanes = Array.from({ length: keys.partitions }, (_, partition) => {
    const leaves = createRecentLeaves(MAX_RECENT_LEAVES, () => {
      counters.leavesForgotten += 1;
    });
    return createLane(context, partition, leaves, laneHooks);
  });
  redis.onUp(() => {
    for (const each of lanes) each.kick();
    if (heartbeats === undefined) return;
    // What Redis has lost while it was away is noticed now, and not first by those who read too little.
    beatRegularly();
    void beatAll(false);
  });

  function lane(partition: number): Lane {
    const found = lanes[partition];
    if (!found) throw new RangeError(`There is no partition ${partition} of ${lanes.length}.`);
    return found;
  }

  const isRegistered = (): boolean => lanes.every((each) => each.renewedMs() !== undefined);

  function obtain(appId: string, name: string): TrackedChannel {
    const found = tracked.get(appId, name);
    if (found) return found;
    const channel = createTrackedChannel(appId, name, keys.partition(appId, name));
    tracked.set(appId, name, channel);
    lane(channel.partition).channels.add(channel);
    return channel;
  }

  function beatRegularly(): void {
    clearInterval(heartbeats);
    heartbeats = setInterval(() => void beatAll(true), settings.heartbeatMs);
  }

  /** `reaps`: not right after Redis was away, when others may not have come back to renew their leases. */
  async function beatAll(reaps: boolean): Promise<void> {
    if (isBeating) return;
    isBeating = true;
    redis.rejoin();
    if (isRegistered()) peers.join();
    const beaten = await Promise.allSettled(lanes.map((each) => each.beat()));
    isBeating = false;
    const ended = new Set<string>();
    for (const [partition, result] of beaten.entries()) {
      if (result.status === "rejected") {
        counters.heartbeatFailures += 1;
        continue;
      }
      if (!reaps) continue;
      for (const node of result.value) ended.add(reapOnce(partition, node));
    }
    // Another node has cleaned up after the others.
    for (const key of unreaped) if (!ended.has(key)) unreaped.delete(key);
  }

  /** Answers what the incarnation is called here. */
  function reapOnce(partition: number, node: string): string {
    const key = `${partition}:${node}`;
    if (reaping.has(key)) return key;
    reaping.add(key);
    reap(context, partition, node)
      .then(
        () => unreaped.delete(key),
        (error: unknown) => {
          if (unreaped.size === 0) {
            log.warn(reasonOf(error), "a node that is gone was not cleaned up");
          }
          // The next heartbeat finds the node again.
          unreaped.add(key);
        },
      )
      .finally(() => reaping.delete(key));
    return key;
  }

  function* all(): Generator<TrackedChannel> {
    for (const each of lanes) yield* each.channels;
  }

  function countUnsettled(): number {
    let unsettled = 0;
    for (const channel of all()) if (!isSettled(channel)) unsettled += 1;
    return unsettled;
  }

  async function settled(withinMs: number): Promise<void> {
    const isIdle = (): boolean => lanes.every((each) => each.isIdle());
    if (isIdle()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      whenIdle = () => {
        if (!isIdle()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    start() {
      beatRegularly();
      for (const each of lanes) each.open();
      return new Promise((resolve) => {
        whenRegistered = resolve;
      });
    },
    get: (appId, name) => tracked.get(appId, name),
    obtain,
    all,
    *unsettled(appId) {
      for (const channel of tracked.of(appId).values()) if (!isSettled(channel)) yield channel;
    },
    lane,
    isRegistered,
    async close(withinMs) {
      clearInterval(heartbeats);
      heartbeats = undefined;
      await settled(withinMs);
      peers.leave();
      for (const each of lanes) each.close();
      whenRegistered?.();
      const registered = lanes.filter((each) => each.isRegistered());
      await Promise.allSettled(
        registered.map((each) => release(redis, each.partition, each.node())),
      );
    },
    get health() {
      const renewed = lanes.map((each) => each.renewedMs()).filter((ms) => ms !== undefined);
      return {
        isRegistered: isRegistered(),
        failingPartitions: failing.size,
        backlog: countUnsettled(),
        channels: lanes.reduce((sum, each) => sum + each.channels.size, 0),
        leaseAgeMs: renewed.length === 0 ? undefined : now() - Math.min(...renewed),
      };
    },
  };
}

function reasonOf(error: unknown): Readonly<Record<string, unknown>> {
  return { reason: error instanceof Error ? error.message : String(error) };
}
