/**
 * The outbox that a cluster shares: events wait in Redis streams, in the same hash slot as the state that
 * decided them, whoever dispatches them. Source: architecture.md §5.
 *
 *     {t}:ev                     stream of decided events, appended by the scripts of channel state and cache
 *     {t}:q:<app>:<endpoint>     lane: events for one endpoint     {t}:lanes   set of those that are not empty
 *     {t}:hold:<app>             events whose route is not known   {t}:holds   set of those apps
 *     {t}:dead:<app>:<endpoint>  dead letters                      {t}:deads   set of those endpoints
 *     {t}:try                    hash, failures of each lane since it last settled
 *     {t}:losses                 hash of what was given up and not yet booked for good, see redis-losses.ts
 *     {t}:touched                set of lanes that an operator has changed, until their dispatcher knows
 *     {t}:disp                   lease of the dispatcher           {t}:wake    topic that wakes it
 *     {t0}:dispatchers           zset, in partition 0, on a Redis Cluster in each: the dispatchers that are alive
 *     {t0}:paused                hash, in partition 0 only: the endpoints that are paused
 *     {t0}:control               topic, in partition 0 only: what operators tell all dispatchers
 *
 * Nothing that an app keeps secret is in any of them.
 */
import type { RedisBus } from "../redis/bus.ts";
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { RedisUnavailableError } from "../redis/redis-unavailable.ts";
import {
  type DeathReason,
  type FailResult,
  type LaneKey,
  OutboxUnavailableError,
} from "./outbox.ts";
import { createRedisBacklogs } from "./redis-backlogs.ts";
import { createRedisControls } from "./redis-controls.ts";
import { createRedisDesk } from "./redis-desk.ts";
import { createLaneCache, LANE_CACHE_BOUNDS, type LaneCacheBounds } from "./redis-lane-cache.ts";
import { createRedisLanes, type RedisLanes } from "./redis-lanes.ts";
import { createRedisLosses } from "./redis-losses.ts";
import { createOwners, LEASE_MS } from "./redis-owners.ts";
import { createRouting, splitLaneName } from "./redis-routing.ts";
import { createRedisSources } from "./redis-sources.ts";
import { createTaking } from "./redis-taking.ts";
import { createWakeUps } from "./redis-wake.ts";
import type { Now } from "./timer.ts";
import type { WholeOutbox } from "./whole-outbox.ts";

export interface RedisOutboxBounds {
  /** Events in one lane: of one partition and app for one endpoint. */
  readonly maxQueuedEvents: number;
  /** Dead letters of one endpoint: each partition keeps its equal share. */
  readonly maxDeadLetters: number;
  readonly maxDeadLetterAgeMs: number;
}

export interface RedisOutboxParts {
  readonly redis: { readonly commands: Commands; readonly bus: RedisBus };
  readonly keys: Keys;
  /** Names this process, unlike any other and unlike itself after a restart. */
  readonly owner: string;
  /** Turns due leaves of a partition into events; answers in how many ms the next is due. */
  readonly sweep: (partition: number) => Promise<number | undefined>;
  readonly now: Now;
  readonly bounds: RedisOutboxBounds;
  /** @default {@link LANE_CACHE_BOUNDS} */
  readonly cacheBounds?: LaneCacheBounds;
  /** How long a partition stays this node's when nothing is heard of it. @default {@link LEASE_MS} */
  readonly leaseMs?: number;
}

export interface RedisOutbox extends WholeOutbox {
  /** Partitions that this node dispatches, as far as it knows. */
  readonly owned: number;
  /** Of cached lanes. */
  readonly cachedBytes: number;
  readonly counters: Readonly<RedisOutboxCounters>;
}

export interface RedisOutboxCounters {
  /** Partitions taken over. */
  claims: number;
  /** Calls refused because another node owns the partition. */
  lost: number;
  /** Calls that Redis has not answered. */
  failures: number;
  wakeUps: number;
  /** Lanes that fell out of a full cache. */
  readonly evictions: number;
}

export function createRedisOutbox(parts: RedisOutboxParts): RedisOutbox {
  const { redis, keys, owner, now, bounds, leaseMs = LEASE_MS } = parts;
  const { commands, bus } = redis;
  const { maxQueuedEvents, maxDeadLetterAgeMs } = bounds;
  const maxDeadLetters = Math.ceil(bounds.maxDeadLetters / keys.partitions);
  const { publishCommand } = bus;
  const lanes: RedisLanes = createRedisLanes({
    commands,
    keys,
    owner,
    maxDeadLetters,
    maxDeadLetterAgeMs,
  });
  const losses = createRedisLosses({ commands, keys, owner, now });
  const owners = createOwners({
    commands,
    keys,
    owner,
    leaseMs,
    publishCommand,
    onTouched(partition, names) {
      for (const name of names) touched({ partition, ...splitLaneName(name) });
    },
    onLosses: losses.told,
  });
  const cache = createLaneCache(lanes.read, parts.cacheBounds ?? LANE_CACHE_BOUNDS);
  const backlogs = createRedisBacklogs(commands, keys, lanes);
  const sources = createRedisSources({
    commands,
    keys,
    move: createRouting({ commands, keys, owner, maxQueuedEvents, maxDeadLetters }),
    takeEvents: createTaking({ commands, keys, owner, maxQueuedEvents }),
    cache,
    readHeldApps: (partition) => backlogs.members(partition, "holds"),
  });
  const counters = { claims: 0, lost: 0, failures: 0 };
  let wake: ((partition: number) => void) | undefined;
  let lastExpired = -1;

  const wakeUps = createWakeUps({
    bus,
    keys,
    wake: (partition) => wake?.(partition),
    onMissed: doubt,
  });

  const controls = createRedisControls({ bus, commands, keys, owner, onTouched: touched, reach });
  const desk = createRedisDesk({
    commands,
    keys,
    lanes,
    backlogs,
    maxQueuedEvents,
    maxDeadLetters,
    onTouched: controls.tellTouched,
    reach,
  });

  /** Whoever dispatches the lane reads it again. */
  function touched(lane: LaneKey): void {
    cache.forgetLane(lane);
    if (owners.owns(lane.partition)) controls.noteTouched(lane);
  }

  async function reach<T>(partition: number, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      counters.failures += 1;
      throw new OutboxUnavailableError(partition, error);
    }
  }

  /** As `reach`; the answer `lost` makes the partition another's here too. */
  async function change<T>(partition: number, call: () => Promise<T | "lost">) {
    let answer: T | "lost";
    try {
      answer = await reach(partition, call);
    } catch (error) {
      // It may have been done, so that lanes have more than is remembered of them.
      doubt(partition);
      throw error;
    }
    return answer === "lost" ? refused(partition) : answer;
  }

  function refused(partition: number): "lost" {
    counters.lost += 1;
    owners.lost(partition);
    forget(partition);
    return "lost";
  }

  function doubt(partition: number): void {
    owners.doubt(partition);
    forget(partition);
  }

  /** What is not written off now is so later, or counted once more by the next owner. */
  async function writeOff(partition: number, call: (partition: number) => Promise<void>) {
    try {
      await reach(partition, () => call(partition));
    } catch (error) {
      if (!(error instanceof OutboxUnavailableError)) throw error;
    }
  }

  function forget(partition: number): void {
    sources.forget(partition);
    cache.forgetPartition(partition);
  }

  async function bury(
    lane: LaneKey,
    ids: readonly string[],
    reason: DeathReason,
    status: string,
  ): Promise<FailResult | "lost"> {
    const result = await change(lane.partition, () => lanes.bury(lane, ids, reason, status));
    if (result === "lost") return "lost";
    const buried = new Set(result.buried);
    if (ids.every((id) => buried.has(id))) cache.remove(lane, result.buried);
    else touched(lane);
    return result;
  }

  return {
    driver: "redis",
    partitions: keys.partitions,
    isDurable: true,
    desk,
    controls,
    get owned() {
      return owners.owned().length;
    },
    get cachedBytes() {
      return cache.bytes;
    },
    counters: {
      get claims() {
        return counters.claims;
      },
      get lost() {
        return counters.lost;
      },
      get failures() {
        return counters.failures + wakeUps.counters.failures + controls.counters.failures;
      },
      get wakeUps() {
        return wakeUps.counters.wakeUps;
      },
      get evictions() {
        return cache.counters.evictions;
      },
    },
    listen(listener, book) {
      wake = listener;
      losses.listen(book);
    },
    async enlist() {
      const wanted = await reach(0, owners.enlist);
      wakeUps.hear(wanted);
      controls.hear();
      return wanted;
    },
    async resign() {
      wakeUps.hear([]);
      await reach(0, owners.resign);
    },
    async claim(partition) {
      const claim = await reach(partition, () => owners.claim(partition));
      if (claim !== "mine") forget(partition);
      if (claim === "new") counters.claims += 1;
      if (claim !== "lost") await writeOff(partition, losses.writeOffOld);
      return claim;
    },
    async release(partition) {
      forget(partition);
      await writeOff(partition, losses.writeOffAll);
      await reach(partition, () => owners.release(partition));
    },
    async sweep(partition) {
      const dueInMs = await reach(partition, () => parts.sweep(partition));
      return dueInMs === undefined ? undefined : now() + dueInMs;
    },
    heldApps: (partition) => reach(partition, () => sources.heldApps(partition)),
    read: (partition, ...source) => reach(partition, () => sources.read(partition, ...source)),
    route: (partition, ...moves) => change(partition, () => sources.route(partition, ...moves)),
    take: (partition, ...on) => change(partition, () => sources.take(partition, ...on)),
    lanes: (partition) =>
      reach(partition, async () =>
        (await backlogs.members(partition, "lanes")).map((name) => ({
          partition,
          ...splitLaneName(name),
        })),
      ),
    head: (lane, maxEvents, maxBytes) =>
      reach(lane.partition, () => cache.head(lane, maxEvents, maxBytes)),
    readAnew: cache.forgetLane,
    async settle(lane, ids) {
      const taken = await reach(lane.partition, () => lanes.settle(lane, ids));
      if (taken === "lost") return refused(lane.partition);
      // Fewer than asked: the head is not what is remembered of it, and what is in front may not be known at all.
      if (taken < ids.length) touched(lane);
      else cache.remove(lane, ids);
      return "settled";
    },
    async fail(lane, failure) {
      const givenUp = await change(lane.partition, () => lanes.fail(lane, failure));
      if (givenUp === "lost") return "lost";
      return bury(lane, givenUp, "budget", failure.status);
    },
    bury: (lane, ids, status) => bury(lane, ids, "refused", status),
    async renew(appId, endpointId) {
      await Promise.all(
        Array.from({ length: keys.partitions }, (_, partition) =>
          reach(partition, () => lanes.renew({ partition, appId, endpointId })),
        ),
      );
    },
    backlogs: () => reach(0, () => backlogs.of(owners.owned())),
    deadLetters: (...page) => reach(0, () => backlogs.deadLetters(...page)),
    async expireDeadLetters() {
      // One partition a call: a week is not missed by the minutes that a round takes.
      const owned = owners.owned();
      const partition = owned.find((each) => each > lastExpired) ?? owned[0];
      if (partition === undefined) return;
      lastExpired = partition;
      for (const name of await reach(partition, () => backlogs.members(partition, "deads"))) {
        const lane = { partition, ...splitLaneName(name) };
        if ((await change(partition, () => lanes.expire(lane))) === "lost") return;
      }
    },
    close() {
      wake = undefined;
      wakeUps.hear([]);
      controls.close();
    },
  };
}
