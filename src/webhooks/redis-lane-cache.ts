/**
 * The heads of a node's lanes, so that an event which was just routed is not read back from Redis. Worth
 * nothing once a partition was lost or newly claimed: it is forgotten then. Source: architecture.md §5.
 */
import { compareEventIds } from "./event-id.ts";
import type { Head, LaneKey, OutboxEvent } from "./outbox.ts";
import type { Placed } from "./redis-entries.ts";

export interface LaneCacheBounds {
  readonly maxEventsPerLane: number;
  /** Of their JSON; one event is kept whatever its size. */
  readonly maxBytesPerLane: number;
  readonly maxBytes: number;
}

export const LANE_CACHE_BOUNDS: LaneCacheBounds = {
  maxEventsPerLane: 200,
  maxBytesPerLane: 1_048_576,
  maxBytes: 64 * 1_048_576,
};

/** Reads up to `count` events of a lane that come after the place `after`, or from its head. */
export type ReadLane = (
  lane: LaneKey,
  after: string | undefined,
  count: number,
) => Promise<readonly Placed[]>;

export interface LaneCache {
  head(lane: LaneKey, maxEvents: number, maxBytes: number): Promise<Head>;
  /** These were added to the lane's end in Redis. */
  append(lane: LaneKey, events: readonly OutboxEvent[]): void;
  /** These are not in the lane any more: of several copies of an event, as many as there are of its id. */
  remove(lane: LaneKey, ids: readonly string[]): void;
  forgetLane(lane: LaneKey): void;
  forgetPartition(partition: number): void;
  /** Of the JSON that is kept, and what comes with it. */
  readonly bytes: number;
  /** Lanes that were forgotten because all together were too large. */
  readonly counters: { readonly evictions: number };
}

interface CachedLane {
  readonly partition: number;
  events: OutboxEvent[];
  bytes: number;
  /** Redis has events behind those in `events`, or may have. */
  hasMore: boolean;
  /** Of the last in `events`; undefined: the head, or not known. */
  lastPlace: string | undefined;
  /** Grows with every append, so that a read notices what it may not have seen. */
  appends: number;
}

/** What an entry weighs beside its JSON, an empty lane included. */
const ENTRY_BYTES = 256;

export function createLaneCache(read: ReadLane, bounds: LaneCacheBounds): LaneCache {
  const { maxEventsPerLane, maxBytesPerLane, maxBytes: maxTotalBytes } = bounds;
  /** The one that was used last is the last. */
  const lanes = new Map<string, CachedLane>();
  const counters = { evictions: 0 };
  let totalBytes = 0;

  function use(key: LaneKey): CachedLane {
    const name = nameOf(key);
    const known = lanes.get(name);
    if (known) {
      lanes.delete(name);
      lanes.set(name, known);
      return known;
    }
    const lane: CachedLane = {
      partition: key.partition,
      events: [],
      bytes: 0,
      hasMore: true,
      lastPlace: undefined,
      appends: 0,
    };
    lanes.set(name, lane);
    totalBytes += ENTRY_BYTES;
    return lane;
  }

  function add(lane: CachedLane, event: OutboxEvent): boolean {
    const isFull =
      lane.events.length >= maxEventsPerLane || lane.bytes + event.bytes > maxBytesPerLane;
    if (isFull && lane.events.length > 0) return false;
    lane.events.push(event);
    lane.bytes += event.bytes;
    totalBytes += event.bytes + ENTRY_BYTES;
    return true;
  }

  function clear(lane: CachedLane): void {
    totalBytes -= lane.bytes + lane.events.length * ENTRY_BYTES;
    lane.events = [];
    lane.bytes = 0;
    lane.lastPlace = undefined;
  }

  function forget(name: string): void {
    const lane = lanes.get(name);
    if (!lane) return;
    clear(lane);
    totalBytes -= ENTRY_BYTES;
    lanes.delete(name);
  }

  function evict(except: CachedLane): void {
    for (const [name, lane] of lanes) {
      if (totalBytes <= maxTotalBytes) return;
      if (lane === except) continue;
      forget(name);
      counters.evictions += 1;
    }
  }

  async function fill(key: LaneKey, lane: CachedLane): Promise<void> {
    // Appended events have no place here: what follows them cannot be asked for, so all is read again.
    if (lane.lastPlace === undefined) clear(lane);
    const room = maxEventsPerLane - lane.events.length;
    const { appends } = lane;
    const page = await read(key, lane.lastPlace, room);
    if (lanes.get(nameOf(key)) !== lane) return;
    let kept = 0;
    for (const { place, event } of page) {
      if (!add(lane, event)) break;
      lane.lastPlace = place;
      kept += 1;
    }
    lane.hasMore = page.length === room || kept < page.length || appends !== lane.appends;
    evict(lane);
  }

  return {
    counters,
    get bytes() {
      return totalBytes;
    },
    async head(key, maxEvents, maxBytes) {
      const wanted = Math.min(maxEvents, maxEventsPerLane);
      let lane = use(key);
      while (lane.hasMore && lane.events.length < wanted && lane.bytes < maxBytes) {
        const { length } = lane.events;
        await fill(key, lane);
        const now = use(key);
        if (now === lane && lane.events.length <= length) break;
        lane = now;
      }
      const events = firstOf(lane.events, wanted, maxBytes);
      return { events, hasMore: lane.hasMore || events.length < lane.events.length };
    },
    append(key, events) {
      const lane = use(key);
      lane.appends += 1;
      for (const event of events) {
        if (lane.hasMore) break;
        const last = lane.events.at(-1);
        const isNewest = last === undefined || compareEventIds(last.id, event.id) < 0;
        if (isNewest && !add(lane, event)) {
          lane.hasMore = true;
        } else {
          lane.hasMore = !isNewest;
          lane.lastPlace = undefined;
        }
      }
      evict(lane);
    },
    remove(key, ids) {
      const lane = lanes.get(nameOf(key));
      if (!lane) return;
      const kept = without(lane.events, ids);
      const bytes = kept.reduce((sum, event) => sum + event.bytes, 0);
      totalBytes -= lane.bytes - bytes + (lane.events.length - kept.length) * ENTRY_BYTES;
      lane.events = kept;
      lane.bytes = bytes;
    },
    forgetLane: (key) => forget(nameOf(key)),
    forgetPartition(partition) {
      for (const [name, lane] of lanes) if (lane.partition === partition) forget(name);
    },
  };
}

/** Takes out the first events that have these ids. */
function without(events: readonly OutboxEvent[], ids: readonly string[]): OutboxEvent[] {
  // Nearly always they are the head.
  if (ids.every((id, at) => events[at]?.id === id)) return events.slice(ids.length);
  const gone = new Map<string, number>();
  for (const id of ids) gone.set(id, (gone.get(id) ?? 0) + 1);
  return events.filter(({ id }) => {
    const copies = gone.get(id) ?? 0;
    if (copies > 0) gone.set(id, copies - 1);
    return copies === 0;
  });
}

function firstOf(events: readonly OutboxEvent[], maxEvents: number, maxBytes: number) {
  const first: OutboxEvent[] = [];
  let bytes = 0;
  for (const event of events.slice(0, maxEvents)) {
    bytes += event.bytes + 1;
    if (bytes > maxBytes && first.length > 0) break;
    first.push(event);
  }
  return first;
}

function nameOf({ partition, appId, endpointId }: LaneKey): string {
  return `${partition}:${appId}:${endpointId}`;
}
