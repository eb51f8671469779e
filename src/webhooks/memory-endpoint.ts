/** One endpoint's lanes and dead letters in memory. Plain records; how much waits is counted with each change. */
import type { DeadLetterBox } from "./dead-letter-box.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import type { LaneFailure } from "./operations.ts";
import type { DeathReason, LaneKey, OutboxEvent, UnderWay } from "./outbox.ts";

export interface MemoryLane {
  readonly key: LaneKey;
  readonly events: Fifo;
  /** Since the lane last settled, epoch ms. */
  firstFailureMs: number | undefined;
  /** Since then. */
  attempts: number;
  lastStatus: string | undefined;
}

export interface MemoryEndpoint {
  readonly appId: string;
  readonly endpointId: string;
  /** By partition; only those that hold something. */
  readonly lanes: Map<number, MemoryLane>;
  readonly dead: DeadLetterBox;
  events: number;
  bytes: number;
}

export function append(endpoint: MemoryEndpoint, key: LaneKey, event: OutboxEvent): void {
  let lane = endpoint.lanes.get(key.partition);
  if (!lane) {
    const events = createFifo();
    lane = { key, events, firstFailureMs: undefined, attempts: 0, lastStatus: undefined };
    endpoint.lanes.set(key.partition, lane);
  }
  lane.events.push(event);
  endpoint.events += 1;
  endpoint.bytes += event.bytes;
}

/** Takes events out of a lane; the empty lane is forgotten, and with it its failures. */
export function takeOut(
  endpoint: MemoryEndpoint,
  lane: MemoryLane,
  ids: readonly string[],
): OutboxEvent[] {
  const taken = lane.events.remove(ids);
  for (const event of taken) noteTaken(endpoint, lane, event);
  return taken;
}

/** Takes out the oldest event that is not under way, with its lane; undefined: all are. */
export function takeOldest(
  endpoint: MemoryEndpoint,
  underWay: UnderWay,
): { lane: MemoryLane; event: OutboxEvent } | undefined {
  const lane = oldestLane(endpoint, underWay);
  const event = lane?.events.takeAt(underWay(lane.key));
  if (!lane || !event) return undefined;
  noteTaken(endpoint, lane, event);
  return { lane, event };
}

function noteTaken(endpoint: MemoryEndpoint, lane: MemoryLane, event: OutboxEvent): void {
  endpoint.events -= 1;
  endpoint.bytes -= event.bytes;
  if (lane.events.length === 0) endpoint.lanes.delete(lane.key.partition);
}

/** When the oldest event that waits was decided, epoch ms. */
export function oldestMs(endpoint: MemoryEndpoint): number | undefined {
  return oldestLane(endpoint, () => 0)?.events.first?.decidedMs;
}

/** The lane whose first event that is not under way was decided before those of the others. */
function oldestLane(endpoint: MemoryEndpoint, underWay: UnderWay): MemoryLane | undefined {
  let oldest: MemoryLane | undefined;
  let firstMs = Number.POSITIVE_INFINITY;
  for (const lane of endpoint.lanes.values()) {
    const decidedMs = lane.events.at(underWay(lane.key))?.decidedMs ?? Number.POSITIVE_INFINITY;
    if (decidedMs < firstMs) {
      oldest = lane;
      firstMs = decidedMs;
    }
  }
  return oldest;
}

/** Makes events that were taken out of the lane dead letters; answers how many older ones had to give way. */
export function keepDead(
  endpoint: MemoryEndpoint,
  { lastStatus }: MemoryLane,
  events: readonly OutboxEvent[],
  reason: DeathReason,
  nowMs: number,
): number {
  let dropped = 0;
  for (const event of events) {
    dropped += endpoint.dead.add({ event, reason, status: lastStatus, diedMs: nowMs });
  }
  return dropped;
}

/** The lane's budget begins anew. */
export function forgive(lane: MemoryLane): void {
  lane.firstFailureMs = undefined;
  lane.attempts = 0;
}

/** Undefined: the lane does not fail. */
export function failureOf(lane: MemoryLane): LaneFailure | undefined {
  const { firstFailureMs, attempts, lastStatus } = lane;
  if (firstFailureMs === undefined || lastStatus === undefined) return undefined;
  return { sinceMs: firstFailureMs, attempts, lastStatus };
}

/** Of the lane that has failed longest. */
export function longestFailure({ lanes }: MemoryEndpoint): LaneFailure | undefined {
  const failures = [...lanes.values()].flatMap((lane) => failureOf(lane) ?? []);
  return failures.toSorted((a, b) => a.sinceMs - b.sinceMs)[0];
}
