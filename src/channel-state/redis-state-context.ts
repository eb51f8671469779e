/** What all parts of the Redis driver share: settings, counters, and what was handed in. */
import type { Log } from "../protocol/log.ts";
import type { RedisConnections } from "../redis/connections.ts";
import { type Announcements, COUNT_WINDOW_MS, LEAVE_GRACE_MS } from "./channel-state.ts";
import { MAX_SNAPSHOT_ENTRIES } from "./snapshot.ts";

/** Times in ms. All nodes of a deployment must have the same. */
export interface RedisStateSettings {
  /** How long a node that says nothing is believed to be alive. Several heartbeats. */
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly leaveGraceMs: number;
  readonly countWindowMs: number;
  /** After Redis has lost the state leaves wait so long for those who come back: more than lease and replay. */
  readonly restoreMs: number;
  /** After Redis was away running nodes are back within this: the longest pause before they try again, and more. */
  readonly returnMs: number;
  /** After so long a call is rejected. */
  readonly answerTimeoutMs: number;
  /** After so long a version that was not heard of is looked up. */
  readonly versionWaitMs: number;
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  /** Events of {@link ChannelState.record} that may wait on this node. */
  readonly maxRecords: number;
  /** Steps in one write: bounds how long a script keeps Redis busy. */
  readonly maxSteps: number;
  /** Channels, members and leaves that one snapshot may have: the same. */
  readonly maxSnapshotEntries: number;
}

export const REDIS_STATE_DEFAULTS: RedisStateSettings = {
  leaseMs: 15_000,
  heartbeatMs: 5_000,
  leaveGraceMs: LEAVE_GRACE_MS,
  countWindowMs: COUNT_WINDOW_MS,
  restoreMs: 25_000,
  returnMs: 3_000,
  answerTimeoutMs: 5_000,
  versionWaitMs: 200,
  firstRetryMs: 50,
  longestRetryMs: 2_000,
  maxRecords: 10_000,
  maxSteps: 128,
  maxSnapshotEntries: MAX_SNAPSHOT_ENTRIES,
};

export interface RedisStateCounters {
  /** Writes that Redis has acknowledged, and the steps in them. */
  writes: number;
  countSteps: number;
  joinSteps: number;
  leaveSteps: number;
  recordSteps: number;
  /** Writes that failed or got no answer; each is sent again. */
  writeFailures: number;
  heartbeats: number;
  heartbeatFailures: number;
  /** Registrations after the first: this node was taken for dead, or Redis had lost something. */
  reincarnations: number;
  /** How often Redis had lost the state of a partition (flushed, or restarted empty). */
  stateLosses: number;
  /** How often the last writes of a partition were lost (failover). */
  writeLosses: number;
  nodesReaped: number;
  channelsReaped: number;
  /** What was due and could not be settled; each is tried again by the next sweep. */
  sweepFailures: number;
  /** Channels out of which a node that is gone could not be taken; each is tried again with the next heartbeat. */
  reapFailures: number;
  /** Events that fell out because too many waited. */
  recordsDropped: number;
  /** Remembered leaves that fell out because there were too many. */
  leavesForgotten: number;
  /** Channels whose waiting steps were replaced by the difference to what is wanted. */
  collapses: number;
  rosterReads: number;
  /** Rosters read because a change was missed, because an awaited version did not come. */
  rosterGaps: number;
  versionWaits: number;
  /** What was read was of another epoch than this node is registered in: not believed, read again. */
  foreignEpochs: number;
  /** Rosters that changed too often to be followed while they were read. */
  rosterOverflows: number;
  /** Calls rejected with StateUnavailableError. */
  unavailable: number;
}

export function createRedisStateCounters(): RedisStateCounters {
  return {
    writes: 0,
    countSteps: 0,
    joinSteps: 0,
    leaveSteps: 0,
    recordSteps: 0,
    writeFailures: 0,
    heartbeats: 0,
    heartbeatFailures: 0,
    reincarnations: 0,
    stateLosses: 0,
    writeLosses: 0,
    nodesReaped: 0,
    channelsReaped: 0,
    sweepFailures: 0,
    reapFailures: 0,
    recordsDropped: 0,
    leavesForgotten: 0,
    collapses: 0,
    rosterReads: 0,
    rosterGaps: 0,
    versionWaits: 0,
    foreignEpochs: 0,
    rosterOverflows: 0,
    unavailable: 0,
  };
}

/** What this driver uses of the connections. */
export type StateRedis = Pick<
  RedisConnections,
  "keys" | "commands" | "bus" | "isUp" | "onUp" | "onDown" | "rejoin" | "hasBeenAway"
>;

export interface StateContext {
  readonly redis: StateRedis;
  /** Unique to this process: incarnations are named after it. No colon, does not begin with `#`. */
  readonly nodeName: string;
  readonly settings: RedisStateSettings;
  readonly counters: RedisStateCounters;
  readonly announce: Announcements;
  /** Epoch ms. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** How long to wait before the `failures`-th repetition: exponential, jittered. */
export function retryAfterMs({ settings, random }: StateContext, failures: number): number {
  const longestMs = Math.min(settings.firstRetryMs * 2 ** (failures - 1), settings.longestRetryMs);
  return longestMs * (0.5 + random() / 2);
}
