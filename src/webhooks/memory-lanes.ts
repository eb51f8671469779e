/**
 * Lanes in memory, with what bounds them: an endpoint's lanes together hold a limited number of events, and
 * past it the oldest that is not under way becomes a dead letter. Source: architecture.md §5.
 */
import { createDeadLetterBox } from "./dead-letter-box.ts";
import {
  append,
  failureOf,
  forgive,
  keepDead,
  longestFailure,
  type MemoryEndpoint,
  type MemoryLane,
  oldestMs,
  takeOldest,
  takeOut,
} from "./memory-endpoint.ts";
import type { EndpointName, LaneFailure } from "./operations.ts";
import type {
  Backlog,
  DeadLetter,
  DeathReason,
  FailResult,
  Failure,
  Head,
  LaneKey,
  Loss,
  OutboxEvent,
  UnderWay,
} from "./outbox.ts";
import type { Now } from "./timer.ts";

export interface LaneBounds {
  /** Events that may wait for one endpoint, or for an app that is not known. */
  readonly maxQueuedEvents: number;
  /** Bytes of their JSON. @default {@link MAX_QUEUED_BYTES} */
  readonly maxQueuedBytes?: number;
  /** Dead letters kept for one endpoint; their bytes are bounded as those that wait. */
  readonly maxDeadLetters: number;
  readonly maxDeadLetterAgeMs: number;
}

/** Memory that one endpoint's waiting events may take, however few they are. */
export const MAX_QUEUED_BYTES = 256 * 1024 * 1024;

const NO_LANES: readonly LaneKey[] = [];

/** The most that one failed attempt moves to the dead letters. */
export const MAX_BURIED_AT_ONCE = 500;

/** The parts of `Outbox` that concern lanes, all answered at once. See there. */
export interface MemoryLanes {
  readonly maxQueuedBytes: number;
  /** Answers the lanes whose oldest events gave way. */
  push(lane: LaneKey, event: OutboxEvent, underWay: UnderWay): readonly LaneKey[];
  ofPartition(partition: number): LaneKey[];
  head(lane: LaneKey, maxEvents: number, maxBytes: number): Head;
  settle(lane: LaneKey, ids: readonly string[]): "settled";
  fail(lane: LaneKey, failure: Failure): FailResult;
  bury(lane: LaneKey, ids: readonly string[], status: string): FailResult;
  renew(appId: string, endpointId: string): void;
  backlogs(): Backlog[];
  deadLetters(appId: string, endpointId: string, offset: number, limit: number): DeadLetter[];
  expireDeadLetters(): void;
  /** The oldest `count` events of a lane. */
  waiting(lane: LaneKey, count: number): OutboxEvent[];
  length(lane: LaneKey): number;
  /** Adds to the lane's end what is not in it yet. False: there is no room, and nothing gives way. */
  add(lane: LaneKey, event: OutboxEvent): boolean;
  /** As `add`. */
  addLetter(of: EndpointName, letter: DeadLetter): boolean;
  /** Answers how many there were. */
  takeEvents(lane: LaneKey, ids: ReadonlySet<string>): number;
  takeLetters(of: EndpointName, ids: ReadonlySet<string>): number;
  renewLane(lane: LaneKey): void;
  laneFailure(lane: LaneKey): LaneFailure | undefined;
  /** Of the endpoint's lane that has failed longest. */
  failing(appId: string, endpointId: string): LaneFailure | undefined;
}

/** `book` is told of all that is given up. */
export function createMemoryLanes(
  bounds: LaneBounds,
  now: Now,
  book: (loss: Loss) => void,
): MemoryLanes {
  const { maxQueuedEvents, maxQueuedBytes = MAX_QUEUED_BYTES } = bounds;
  const endpoints = new Map<string, MemoryEndpoint>();
  /** The one asked for last: what is routed in one go is mostly for one, and its name need not be joined and hashed. */
  let latest: MemoryEndpoint | undefined;

  function known(appId: string, endpointId: string): MemoryEndpoint | undefined {
    if (latest?.endpointId === endpointId && latest.appId === appId) return latest;
    const endpoint = endpoints.get(endpointName(appId, endpointId));
    if (endpoint) latest = endpoint;
    return endpoint;
  }

  function endpointOf(appId: string, endpointId: string): MemoryEndpoint {
    const found = known(appId, endpointId);
    if (found) return found;
    const dead = createDeadLetterBox(bounds.maxDeadLetters, maxQueuedBytes);
    const endpoint = { appId, endpointId, lanes: new Map(), dead, events: 0, bytes: 0 };
    endpoints.set(endpointName(appId, endpointId), endpoint);
    return endpoint;
  }

  function find(key: LaneKey): { endpoint: MemoryEndpoint; lane: MemoryLane } | undefined {
    const endpoint = known(key.appId, key.endpointId);
    const lane = endpoint?.lanes.get(key.partition);
    return endpoint && lane && { endpoint, lane };
  }

  function buryEvents(key: LaneKey, ids: readonly string[], reason: DeathReason): FailResult {
    const found = find(key);
    if (!found) return { buried: [], dropped: 0 };
    const { endpoint, lane } = found;
    const taken = takeOut(endpoint, lane, ids);
    const dropped = keepDead(endpoint, lane, taken, reason, now());
    if (taken.length > 0) book({ ...key, reason, buried: taken.length, dropped });
    return { buried: taken.map((event) => event.id), dropped };
  }

  return {
    maxQueuedBytes,
    push(key, event, underWay) {
      const endpoint = endpointOf(key.appId, key.endpointId);
      append(endpoint, key, event);
      if (endpoint.events <= maxQueuedEvents && endpoint.bytes <= maxQueuedBytes) return NO_LANES;
      const pushedOut: LaneKey[] = [];
      while (endpoint.events > maxQueuedEvents || endpoint.bytes > maxQueuedBytes) {
        const oldest = takeOldest(endpoint, underWay);
        if (!oldest) break;
        const dropped = keepDead(endpoint, oldest.lane, [oldest.event], "overflow", now());
        book({ ...oldest.lane.key, reason: "overflow", buried: 1, dropped });
        pushedOut.push(oldest.lane.key);
      }
      return pushedOut;
    },
    ofPartition(partition) {
      const keys: LaneKey[] = [];
      for (const { lanes } of endpoints.values()) {
        const lane = lanes.get(partition);
        if (lane) keys.push(lane.key);
      }
      return keys;
    },
    head(key, maxEvents, maxBytes) {
      const waiting = find(key)?.lane.events;
      if (!waiting) return { events: [], hasMore: false };
      const events: OutboxEvent[] = [];
      let bytes = 0;
      for (const event of waiting.peek(maxEvents)) {
        bytes += event.bytes + 1;
        if (bytes > maxBytes && events.length > 0) break;
        events.push(event);
      }
      return { events, hasMore: events.length < waiting.length };
    },
    settle(key, ids) {
      const found = find(key);
      if (found) {
        takeOut(found.endpoint, found.lane, ids);
        forgive(found.lane);
        found.lane.lastStatus = undefined;
      }
      return "settled";
    },
    fail(key, { status, budgetMs }) {
      const found = find(key);
      if (!found) return { buried: [], dropped: 0 };
      const { lane } = found;
      const nowMs = now();
      lane.firstFailureMs ??= nowMs;
      lane.attempts += 1;
      lane.lastStatus = status;
      if (nowMs - lane.firstFailureMs < budgetMs) return { buried: [], dropped: 0 };
      const old = lane.events
        .peek(MAX_BURIED_AT_ONCE)
        .filter((event) => nowMs - event.retriedFromMs >= budgetMs);
      return buryEvents(
        key,
        old.map((event) => event.id),
        "budget",
      );
    },
    bury(key, ids, status) {
      const found = find(key);
      if (found) found.lane.lastStatus = status;
      return buryEvents(key, ids, "refused");
    },
    renew(appId, endpointId) {
      const endpoint = endpoints.get(endpointName(appId, endpointId));
      for (const lane of endpoint?.lanes.values() ?? []) forgive(lane);
    },
    backlogs: () =>
      [...endpoints.values()].map((endpoint) => ({
        appId: endpoint.appId,
        endpointId: endpoint.endpointId,
        events: endpoint.events,
        oldestMs: oldestMs(endpoint),
        deadLetters: endpoint.dead.length,
      })),
    deadLetters: (appId, endpointId, offset, limit) =>
      endpoints.get(endpointName(appId, endpointId))?.dead.list(offset, limit) ?? [],
    expireDeadLetters() {
      for (const [name, endpoint] of endpoints) {
        const { appId, endpointId, dead } = endpoint;
        const dropped = dead.expire(now() - bounds.maxDeadLetterAgeMs);
        const loss = {
          partition: 0,
          appId,
          endpointId,
          reason: "age",
          buried: 0,
          dropped,
        } as const;
        if (dropped > 0) book(loss);
        if (endpoint.events === 0 && dead.length === 0) {
          endpoints.delete(name);
          if (latest === endpoint) latest = undefined;
        }
      }
    },
    waiting: (key, count) => find(key)?.lane.events.peek(count) ?? [],
    length: (key) => find(key)?.lane.events.length ?? 0,
    add(key, event) {
      const endpoint = endpointOf(key.appId, key.endpointId);
      if (endpoint.lanes.get(key.partition)?.events.has(event.id)) return true;
      if (endpoint.events >= maxQueuedEvents) return false;
      if (endpoint.events > 0 && endpoint.bytes + event.bytes > maxQueuedBytes) return false;
      append(endpoint, key, event);
      return true;
    },
    addLetter({ appId, endpointId }, letter) {
      const { dead } = endpointOf(appId, endpointId);
      if (!dead.hasRoom(letter)) return false;
      dead.add(letter);
      return true;
    },
    takeEvents(key, ids) {
      const found = find(key);
      return found ? takeOut(found.endpoint, found.lane, [...ids]).length : 0;
    },
    takeLetters: ({ appId, endpointId }, ids) =>
      endpoints.get(endpointName(appId, endpointId))?.dead.take(ids) ?? 0,
    renewLane(key) {
      const found = find(key);
      if (found) forgive(found.lane);
    },
    laneFailure(key) {
      const found = find(key);
      return found && failureOf(found.lane);
    },
    failing(appId, endpointId) {
      const endpoint = endpoints.get(endpointName(appId, endpointId));
      return endpoint && longestFailure(endpoint);
    },
  };
}

function endpointName(appId: string, endpointId: string): string {
  return `${appId}:${endpointId}`;
}
