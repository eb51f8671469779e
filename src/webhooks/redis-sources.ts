/**
 * What waits to be routed: each partition's stream, and the holding lanes of apps that are not known. Of a
 * partition only the last read is remembered, and only until it is routed. Source: architecture.md §5, Route.
 */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import type { OutboxEvent, Route, RouteResult, Taken, UnderWay, Way } from "./outbox.ts";
import { type Placed, readLane, readStream } from "./redis-entries.ts";
import type { LaneCache } from "./redis-lane-cache.ts";
import { byLane, type MoveEvents, type Placement } from "./redis-routing.ts";
import type { TakeEvents } from "./redis-taking.ts";

export interface RedisSourcesParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly move: MoveEvents;
  readonly takeEvents: TakeEvents;
  /** Is told what comes into lanes. */
  readonly cache: LaneCache;
  /** Apps with events in their holding lane, by Redis. */
  readonly readHeldApps: (partition: number) => Promise<readonly string[]>;
}

export interface RedisSources {
  heldApps(partition: number): Promise<readonly string[]>;
  read(
    partition: number,
    heldApp: string | undefined,
    maxEvents: number,
  ): Promise<readonly OutboxEvent[]>;
  /** Moves events of the last read. */
  route(
    partition: number,
    heldApp: string | undefined,
    routes: readonly Route[],
    underWay: UnderWay,
  ): Promise<RouteResult | "lost">;
  /** Moves events of the stream that were not read. */
  take(partition: number, ways: readonly Way[], maxEvents: number): Promise<Taken | "lost">;
  forget(partition: number): void;
}

export function createRedisSources(parts: RedisSourcesParts): RedisSources {
  const { commands, keys, move, takeEvents, cache, readHeldApps } = parts;
  /** By partition: only its owner changes what is held, so it need not ask again. */
  const held = new Map<number, Set<string>>();
  /** By partition, once it is known: moving an event checks that it is the same yet. */
  const epochs = new Map<number, string>();
  /** By partition: the source, `undefined` for the stream, and its events by id. */
  const reads = new Map<
    number,
    { readonly heldApp: string | undefined; readonly events: ReadonlyMap<string, Placed> }
  >();

  /** Without an epoch no node has registered since Redis lost everything: the ids are not known yet. */
  async function readStreamOf(partition: number, maxEvents: number): Promise<readonly Placed[]> {
    const [entries, epoch] = await Promise.all([
      commands.call("XRANGE", keys.key(partition, "ev"), "-", "+", "COUNT", maxEvents),
      epochs.get(partition) ?? commands.call("HGET", keys.key(partition, "meta"), "#epoch"),
    ]);
    if (typeof epoch !== "string") return [];
    epochs.set(partition, epoch);
    return readStream(entries, epoch, partition);
  }

  async function readHeld(partition: number, appId: string, maxEvents: number) {
    const key = keys.key(partition, "hold", appId);
    return readLane(await commands.call("XRANGE", key, "-", "+", "COUNT", maxEvents), appId);
  }

  function placementsOf(
    partition: number,
    heldApp: string | undefined,
    routes: readonly Route[],
  ): readonly Placement[] {
    const last = reads.get(partition);
    reads.delete(partition);
    const events = last?.heldApp === heldApp ? last?.events : undefined;
    const placements: Placement[] = [];
    for (const route of routes) {
      const placed = events?.get(route.id);
      // What is held on stays where it is: taking it out would put it behind its followers.
      const stays = heldApp !== undefined && !route.endpointIds;
      if (placed && !stays) placements.push({ route, placed });
    }
    return placements;
  }

  function noteHeld(partition: number, placements: readonly Placement[]): void {
    const apps = held.get(partition);
    for (const { route, placed } of placements) {
      if (!route.endpointIds) apps?.add(placed.event.appId);
    }
  }

  return {
    async heldApps(partition) {
      const known = held.get(partition) ?? new Set(await readHeldApps(partition));
      held.set(partition, known);
      return [...known];
    },
    async read(partition, heldApp, maxEvents) {
      const placed =
        heldApp === undefined
          ? await readStreamOf(partition, maxEvents)
          : await readHeld(partition, heldApp, maxEvents);
      const events = new Map(placed.map((each) => [each.event.id, each]));
      reads.set(partition, { heldApp, events });
      return placed.map(({ event }) => event);
    },
    async route(partition, heldApp, routes, underWay) {
      const placements = placementsOf(partition, heldApp, routes);
      const result = await move(partition, heldApp, placements, underWay);
      if (result === "lost") return "lost";
      const { left, enqueued, pushedOut, isAsAsked } = result;
      if (isAsAsked) noteHeld(partition, placements);
      else held.delete(partition);
      if (heldApp !== undefined && left === 0) held.get(partition)?.delete(heldApp);
      for (const { lane, events } of byLane(partition, placements)) {
        if (isAsAsked) cache.append(lane, events);
        else cache.forgetLane(lane);
      }
      for (const lane of pushedOut) cache.forgetLane(lane);
      return { left, enqueued, pushedOut };
    },
    async take(partition, ways, maxEvents) {
      const taken = await takeEvents(partition, ways, maxEvents);
      if (taken === "lost") return "lost";
      for (const { lane, events } of taken.lanes) if (events.length > 0) cache.append(lane, events);
      return taken;
    },
    forget(partition) {
      held.delete(partition);
      epochs.delete(partition);
      reads.delete(partition);
    },
  };
}
