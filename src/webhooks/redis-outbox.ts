/**
 * The outbox that a cluster shares: events wait in Redis streams, in the same hash slot as the state that
 * decided them, whoever dispatches them. Source: architecture.md §5.
 *
 *     {t}:ev                     stream of decided events, appended by the scripts of channel state and cache
 *     {t}:q:<app>:<endpoint>     lane: events for one endpoint     {t}:lanes   set of those that are not empty
 *     {t}:hold:<app>             events whose route is not known   {t}:holds   set of those apps
 *     {t}:dead:<app>:<endpoint>  dead letters                      {t}:deads   set of those endpoints
 *     {t}:try                    hash, failures of each lane since it last settled
 *     {t}:disp                   lease of the dispatcher           {t}:wake    topic that wakes it
 *     {t0}:dispatchers           zset, in partition 0 only: the dispatchers that are alive
 *
 * Nothing that an app keeps secret is in any of them.
 */
import type { RedisBus } from "../redis/bus.ts";
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { RedisUnavailableError } from "../redis/redis-unavailable.ts";
import type { Backlog, Backlogs, LaneKey, Loss, Outbox, RouteResult } from "./outbox.ts";
import { OutboxUnavailableError } from "./outbox.ts";
import { type Placed, readLane, readStream, unexpected } from "./redis-entries.ts";
import { createLaneCache, LANE_CACHE_BOUNDS, type LaneCacheBounds } from "./redis-lane-cache.ts";
import { createRedisLanes, type RedisLanes } from "./redis-lanes.ts";
import { createOwners, LEASE_MS } from "./redis-owners.ts";
import { byLane, createRouting, type Placement, splitLaneName } from "./redis-routing.ts";

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
  /** Turns due leaves of a partition into events; answers when the next is due, epoch ms. */
  readonly sweep: (partition: number) => Promise<number | undefined>;
  readonly bounds: RedisOutboxBounds;
  /** @default {@link LANE_CACHE_BOUNDS} */
  readonly cacheBounds?: LaneCacheBounds;
  /** How long a partition stays this node's when nothing is heard of it. @default {@link LEASE_MS} */
  readonly leaseMs?: number;
}

export interface RedisOutbox extends Outbox {
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

/** What a partition's owner remembers of it. */
interface Remembered {
  /** Apps with events in their holding lane. */
  held: Set<string> | undefined;
  /** What was read last, by source (an app's holding lane or, as "", the stream) and id. */
  readonly read: Map<string, ReadonlyMap<string, Placed>>;
}

export function createRedisOutbox(parts: RedisOutboxParts): RedisOutbox {
  const { redis, keys, owner, bounds, leaseMs = LEASE_MS } = parts;
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
  const move = createRouting({ commands, keys, owner, maxQueuedEvents, maxDeadLetters });
  const owners = createOwners({ commands, keys, owner, leaseMs, publishCommand });
  const cache = createLaneCache(lanes.read, parts.cacheBounds ?? LANE_CACHE_BOUNDS);
  const remembered = new Map<number, Remembered>();
  const heard = new Set<number>();
  const counters = { claims: 0, lost: 0, failures: 0, wakeUps: 0 };
  let wake: ((partition: number) => void) | undefined;
  let lastExpired = -1;

  bus.on("wake", (topic) => {
    const partition = keys.partitionOfTopic(topic);
    if (partition === undefined) return;
    counters.wakeUps += 1;
    wake?.(partition);
  });
  bus.onResubscribed((topics) => {
    // What was published meanwhile was missed.
    for (const partition of heard)
      if (topics.includes(keys.wakeTopic(partition))) wake?.(partition);
  });

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
    const answer = await reach(partition, call);
    if (answer !== "lost") return answer;
    counters.lost += 1;
    owners.lost(partition);
    forget(partition);
    return "lost" as const;
  }

  function forget(partition: number): void {
    remembered.delete(partition);
    cache.forgetPartition(partition);
  }

  function recall(partition: number): Remembered {
    let known = remembered.get(partition);
    if (!known) {
      known = { held: undefined, read: new Map() };
      remembered.set(partition, known);
    }
    return known;
  }

  async function members(partition: number, set: "lanes" | "holds" | "deads"): Promise<string[]> {
    const reply = await commands.call("SMEMBERS", keys.key(partition, set));
    if (!Array.isArray(reply)) throw unexpected("set");
    return reply.map(String);
  }

  /** Only the owner changes what is held, so it need not ask again. */
  async function heldApps(partition: number): Promise<Set<string>> {
    const known = recall(partition);
    known.held ??= new Set(await members(partition, "holds"));
    return known.held;
  }

  /** Without an epoch no node has registered since Redis lost everything: the ids are not known yet. */
  async function readEvents(partition: number, heldApp: string | undefined, maxEvents: number) {
    const source = heldApp === undefined ? ["ev"] : ["hold", heldApp];
    const range = ["-", "+", "COUNT", maxEvents] as const;
    const entries = commands.call("XRANGE", keys.key(partition, ...source), ...range);
    if (heldApp !== undefined) return readLane(await entries, heldApp);
    const epoch = commands.call("HGET", keys.key(partition, "meta"), "#epoch");
    const [reply, number] = await Promise.all([entries, epoch]);
    return typeof number === "string" ? readStream(reply, number, partition) : [];
  }

  async function route(
    partition: number,
    heldApp: string | undefined,
    placements: readonly Placement[],
  ): Promise<RouteResult | "lost"> {
    const result = await move(partition, heldApp, placements);
    if (result === "lost") return "lost";
    const { left, isAsAsked, losses } = result;
    const { held } = recall(partition);
    for (const { route: chosen, placed } of placements) {
      if (!chosen.endpointIds) held?.add(placed.event.appId);
    }
    if (heldApp !== undefined && left === 0) held?.delete(heldApp);
    for (const { lane, events } of byLane(partition, placements)) {
      if (isAsAsked) cache.append(lane, events);
      else cache.forgetLane(lane);
    }
    if (!isAsAsked) recall(partition).held = undefined;
    for (const { appId, endpointId } of losses) {
      if (endpointId !== undefined) cache.forgetLane({ partition, appId, endpointId });
    }
    return { left, losses };
  }

  /** Nobody waits for it: what came before a topic was heard is looked for then, or with the next look. */
  function hear(wanted: readonly number[]): void {
    for (const partition of heard) {
      if (wanted.includes(partition)) continue;
      heard.delete(partition);
      bus.unsubscribe(keys.wakeTopic(partition));
    }
    for (const partition of wanted) {
      if (heard.has(partition)) continue;
      heard.add(partition);
      bus.subscribe(keys.wakeTopic(partition)).then(
        () => wake?.(partition),
        (error: unknown) => {
          if (!(error instanceof RedisUnavailableError)) throw error;
          counters.failures += 1;
          heard.delete(partition);
        },
      );
    }
  }

  async function backlogOf(partition: number, into: Map<string, Backlog>) {
    const [length, waiting, dead, held] = await Promise.all([
      commands.call("XLEN", keys.key(partition, "ev")),
      members(partition, "lanes"),
      members(partition, "deads"),
      heldApps(partition),
    ]);
    const names = new Set([...waiting, ...dead]);
    await Promise.all(
      [...names].map(async (name) => {
        const { appId, endpointId } = splitLaneName(name);
        const { events, oldestMs, deadLetters } = await lanes.backlog({
          partition,
          appId,
          endpointId,
        });
        const known = into.get(name);
        into.set(name, {
          appId,
          endpointId,
          events: events + (known?.events ?? 0),
          oldestMs: earlier(oldestMs, known?.oldestMs),
          deadLetters: deadLetters + (known?.deadLetters ?? 0),
        });
      }),
    );
    const lengths = await Promise.all(
      [...held].map((appId) => commands.call("XLEN", keys.key(partition, "hold", appId))),
    );
    const heldEvents = lengths.reduce<number>((sum, each) => sum + Number(each), 0);
    return { unrouted: Number(length), held: heldEvents };
  }

  const everyLane = (appId: string, endpointId: string): LaneKey[] =>
    Array.from({ length: keys.partitions }, (_, partition) => ({ partition, appId, endpointId }));

  return {
    driver: "redis",
    partitions: keys.partitions,
    isDurable: true,
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
        return counters.failures;
      },
      get wakeUps() {
        return counters.wakeUps;
      },
      get evictions() {
        return cache.counters.evictions;
      },
    },
    listen(listener) {
      wake = listener;
    },
    async enlist() {
      const wanted = await reach(0, owners.enlist);
      hear(wanted);
      return wanted;
    },
    async resign() {
      hear([]);
      await reach(0, owners.resign);
    },
    async claim(partition) {
      const claim = await reach(partition, () => owners.claim(partition));
      if (claim !== "mine") forget(partition);
      if (claim === "new") counters.claims += 1;
      return claim;
    },
    async release(partition) {
      forget(partition);
      await reach(partition, () => owners.release(partition));
    },
    sweep: (partition) => reach(partition, () => parts.sweep(partition)),
    heldApps: (partition) => reach(partition, async () => [...(await heldApps(partition))]),
    async read(partition, heldApp, maxEvents) {
      const events = await reach(partition, () => readEvents(partition, heldApp, maxEvents));
      const byId = new Map(events.map((placed) => [placed.event.id, placed]));
      recall(partition).read.set(heldApp ?? "", byId);
      return events.map(({ event }) => event);
    },
    async route(partition, heldApp, routes) {
      const read = recall(partition).read.get(heldApp ?? "");
      const placements: Placement[] = [];
      for (const each of routes) {
        const placed = read?.get(each.id);
        // What is held on stays where it is: taking it out would put it behind its followers.
        const stays = heldApp !== undefined && !each.endpointIds;
        if (placed && !stays) placements.push({ route: each, placed });
      }
      return change(partition, () => route(partition, heldApp, placements));
    },
    lanes: (partition) =>
      reach(partition, async () =>
        (await members(partition, "lanes")).map((name) => ({ partition, ...splitLaneName(name) })),
      ),
    head: (lane, maxEvents, maxBytes) =>
      reach(lane.partition, () => cache.head(lane, maxEvents, maxBytes)),
    async settle(lane, ids) {
      const answer = await change(lane.partition, () => lanes.settle(lane, ids));
      if (answer === "settled") cache.remove(lane, ids);
      return answer;
    },
    async fail(lane, { status, budgetMs }) {
      const failingMs = await change(lane.partition, () => lanes.fail(lane, status));
      if (failingMs === "lost") return "lost";
      if (failingMs < budgetMs) return { buried: [], dropped: 0 };
      const result = await change(lane.partition, () =>
        lanes.buryOlderThan(lane, budgetMs, status),
      );
      if (result !== "lost") cache.remove(lane, result.buried);
      return result;
    },
    async bury(lane, ids, status) {
      const result = await change(lane.partition, () => lanes.bury(lane, ids, status));
      if (result !== "lost") cache.remove(lane, result.buried);
      return result;
    },
    async renew(appId, endpointId) {
      await Promise.all(
        everyLane(appId, endpointId).map((lane) => reach(lane.partition, () => lanes.renew(lane))),
      );
    },
    async backlogs(): Promise<Backlogs> {
      const endpoints = new Map<string, Backlog>();
      const sums = await Promise.all(
        owners.owned().map((partition) => reach(partition, () => backlogOf(partition, endpoints))),
      );
      return {
        unrouted: sums.reduce((sum, { unrouted }) => sum + unrouted, 0),
        held: sums.reduce((sum, { held }) => sum + held, 0),
        // The stream has no bound of its own: Redis refuses what it cannot hold.
        overrun: 0,
        endpoints: [...endpoints.values()],
      };
    },
    async deadLetters(appId, endpointId, offset, limit) {
      const pages = await Promise.all(
        everyLane(appId, endpointId).map((lane) =>
          reach(lane.partition, () => lanes.deadLetters(lane, offset + limit)),
        ),
      );
      const letters = pages.flat().toSorted((a, b) => a.diedMs - b.diedMs);
      return letters.slice(offset, offset + limit);
    },
    async expireDeadLetters() {
      // One partition a call: a week is not missed by the minutes that a round takes.
      const owned = owners.owned();
      const partition = owned.find((each) => each > lastExpired) ?? owned[0];
      if (partition === undefined) return [];
      lastExpired = partition;
      const losses: Loss[] = [];
      for (const name of await reach(partition, () => members(partition, "deads"))) {
        const lane = { partition, ...splitLaneName(name) };
        const dropped = await change(partition, () => lanes.expire(lane));
        if (dropped === "lost") break;
        if (dropped > 0) losses.push({ ...lane, buried: 0, dropped });
      }
      return losses;
    },
    close() {
      wake = undefined;
      hear([]);
    },
  };
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
