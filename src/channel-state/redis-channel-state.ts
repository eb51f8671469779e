/**
 * The channel state of many nodes, kept in Redis. Source: architecture.md §4.
 *
 * Every method notes what this node wants to be known and returns; lanes write it, in order for each channel.
 * Reads wait for what this node has told before. Nothing that is delayed happens until somebody sweeps the
 * partition (redis-sweep.ts): the dispatcher of webhooks does.
 */

import type { Log } from "../protocol/log.ts";
import type { PresenceMembers } from "../protocol/presence.ts";
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { type Announcements, type ChannelState, StateUnavailableError } from "./channel-state.ts";
import { settleJoin, waitForJoin } from "./redis-joins.ts";
import { createLanes } from "./redis-lanes.ts";
import { createPresence } from "./redis-presence.ts";
import { createReader } from "./redis-reader.ts";
import { readChannels, readCounts } from "./redis-reads.ts";
import { createRecords } from "./redis-records.ts";
import { readRoster } from "./redis-roster.ts";
import { readSnapshot } from "./redis-snapshot.ts";
import {
  createRedisStateCounters,
  REDIS_STATE_DEFAULTS,
  type RedisStateCounters,
  type RedisStateSettings,
  type StateContext,
  type StateRedis,
} from "./redis-state-context.ts";
import { tellMessages } from "./redis-state-messages.ts";
import { sweepPartition } from "./redis-sweep.ts";
import { createSweepFailures } from "./redis-sweep-failures.ts";
import {
  addStep,
  isSettled,
  rejectWaiters,
  type Step,
  type TrackedChannel,
} from "./redis-tracked-channel.ts";
import { createWatchedUsers } from "./redis-watched-users.ts";
import { type StepReply, userIdOf } from "./redis-write.ts";

export interface RedisChannelStateParts {
  readonly redis: StateRedis;
  /** Unique to this process, at most 48 ASCII characters, no colon. */
  readonly nodeName: string;
  readonly announce: Announcements;
  readonly settings?: Partial<RedisStateSettings>;
  /** Epoch ms. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
}

export interface RedisChannelState extends ChannelState {
  /**
   * Takes this node's leases and begins to write. Done once every partition has been registered in, however
   * long Redis is away; also done by `close`.
   */
  start(): Promise<void>;
  /**
   * Turns what is due in the partition into events and announcements, see redis-sweep.ts. Answers in how many ms
   * the next is due, undefined when nothing waits. Rejects with RedisUnavailableError.
   */
  sweep(partition: number): Promise<number | undefined>;
  health(): RedisStateHealth;
  readonly counters: Readonly<RedisStateCounters>;
  /** What is held in memory now: all 0 once everybody has left and it has been acknowledged. */
  sizes(): RedisStateSizes;
}

export interface RedisStateHealth {
  /** Every partition has been registered in: a node that starts is not ready before. */
  readonly isRegistered: boolean;
  /** Partitions that cannot be written just now. */
  readonly failingPartitions: number;
  /** Channels with something to be sent. */
  readonly backlog: number;
  /** How long ago the oldest of the leases was renewed; undefined before the first. */
  readonly leaseAgeMs: number | undefined;
}

export interface RedisStateSizes {
  readonly channels: number;
  readonly mirrors: number;
  readonly watchedUsers: number;
  readonly records: number;
}

export function createRedisChannelState(parts: RedisChannelStateParts): RedisChannelState {
  const settings = { ...REDIS_STATE_DEFAULTS, ...parts.settings };
  const counters = createRedisStateCounters();
  const context: StateContext = { ...parts, settings, counters };
  const { redis } = parts;
  const lanes = createLanes(context, { settled, reincarnated });
  const confirmEpoch = (p: number, epoch: number) => lanes.lane(p).confirmEpoch(epoch);
  const presence = createPresence(context, confirmEpoch);
  const watched = createWatchedUsers(context, confirmEpoch);
  const records = createRecords(settings.maxRecords, (channel) => {
    counters.recordsDropped += 1;
    lanes.lane(channel.partition).changed(channel);
  });
  const reader = createReader(context, lanes);
  const sweepFailures = createSweepFailures(context);
  let isClosing = false;
  tellMessages(redis.bus, { presence, watched, announce: parts.announce, keys: redis.keys });

  function tell(channel: TrackedChannel, step: Step): void {
    addStep(channel, step);
    lanes.lane(channel.partition).changed(channel);
  }

  /** The channel, if anything is known of it here. */
  function known(appId: string, name: string): readonly TrackedChannel[] {
    const channel = lanes.get(appId, name);
    return channel ? [channel] : [];
  }

  function setCount(appId: string, name: string, count: number, isAnnounced: boolean): void {
    const channel = count > 0 ? lanes.obtain(appId, name) : lanes.get(appId, name);
    if (!channel || isClosing) return;
    // Told before, and Redis knows or will: nothing else can have changed it.
    if (channel.wantedCount === count && channel.isAnnounced === isAnnounced) return;
    channel.wantedCount = count;
    channel.isAnnounced = isAnnounced;
    tell(channel, { kind: "count", count, isAnnounced, isRestored: false });
  }

  function settled(channel: TrackedChannel, step: Step, reply: StepReply): void {
    if (step.kind === "join") {
      const { user } = step;
      const remove = () => removeWanted(channel, user.userId);
      settleJoin(presence, channel, user, reply, remove);
    } else if (step.kind === "record") records.remove(step);
    else if (step.kind === "count" && channel.isUser && typeof reply === "number") {
      watched.cameOnline(channel.appId, userIdOf(channel.name), reply);
    }
  }

  async function readUsers(appId: string, name: string): Promise<PresenceMembers> {
    const { epoch, restoreMs, members } = await readRoster(redis, appId, name);
    const problem = reader.lossProblem(redis.keys.partition(appId, name), epoch, restoreMs);
    if (problem) throw problem;
    return members;
  }

  function removeWanted(channel: TrackedChannel, userId: string): void {
    channel.wantedUsers?.delete(userId);
    if (channel.wantedUsers?.size === 0) presence.close(channel);
  }

  function reincarnated(partition: number): void {
    for (const channel of lanes.lane(partition).channels) {
      if (!channel.wantedUsers?.size) continue;
      // Once this node's own members are back in the list.
      addStep(channel, { kind: "barrier", pass: () => presence.reload(channel) });
    }
  }

  return {
    driver: "redis",
    start: lanes.start,
    sweep: (partition) => sweepPartition(redis, partition, sweepFailures),
    setSubscriptions: setCount,
    addMember(appId, name, member, maxMembers) {
      if (isClosing) return Promise.reject(new StateUnavailableError("This node is closing."));
      const channel = lanes.obtain(appId, name);
      channel.wantedUsers ??= new Map();
      let user = channel.wantedUsers.get(member.userId);
      if (!user) {
        user = { ...member, maxMembers, version: undefined, waiters: new Set() };
        channel.wantedUsers.set(member.userId, user);
        if (channel.wantedUsers.size === 1) presence.open(channel);
        tell(channel, { kind: "join", user, isRestored: false });
      } else if (user.version !== undefined && presence.members(appId, name).has(member.userId)) {
        return "added";
      }
      return waitForJoin(context, user);
    },
    removeMember(appId, name, userId) {
      const channel = lanes.get(appId, name);
      if (!channel?.wantedUsers?.has(userId)) return;
      removeWanted(channel, userId);
      tell(channel, { kind: "leave", userId, isRestored: false });
    },
    members: presence.members,
    setUserConnections(appId, userId, count, appendEvents) {
      setCount(appId, USER_CHANNEL_PREFIX + userId, count > 0 ? 1 : 0, appendEvents);
    },
    watch(appId, userIds) {
      const own = userIds.flatMap((userId) => known(appId, USER_CHANNEL_PREFIX + userId));
      return watched.watch(appId, userIds, () => reader.settled(own));
    },
    unwatch(appId, userIds) {
      for (const userId of userIds) unwatch(appId, userId);
    },
    record(appId, name, event) {
      const channel = lanes.obtain(appId, name);
      const step = { kind: "record", event } as const;
      records.add(channel, step);
      tell(channel, step);
    },
    channel: (appId, name) =>
      reader.read(known(appId, name), () => readCounts(redis, reader.lossProblem, appId, name)),
    channels: (appId, prefix) =>
      reader.read(lanes.unsettled(appId), () =>
        readChannels(redis, reader.lossProblem, appId, prefix),
      ),
    users: (appId, name) => reader.read(known(appId, name), () => readUsers(appId, name)),
    snapshot(appId, p, prefix) {
      if (p >= redis.keys.partitions) return "no partition";
      const unsettled = [...lanes.unsettled(appId)].filter(({ partition }) => partition === p);
      return reader.read(unsettled, () =>
        readSnapshot(redis, reader.lossProblem, p, appId, prefix, settings.maxSnapshotEntries),
      );
    },
    async close() {
      if (isClosing) return;
      for (const channel of lanes.all()) leave(channel);
      isClosing = true;
      presence.closeAll();
      watched.close();
      await lanes.close(settings.answerTimeoutMs);
    },
    health() {
      const { isRegistered, failingPartitions, backlog, leaseAgeMs } = lanes.health;
      return { isRegistered, failingPartitions, backlog, leaseAgeMs };
    },
    counters,
    sizes: () => ({
      channels: lanes.health.channels,
      mirrors: presence.size,
      watchedUsers: watched.size,
      records: records.size,
    }),
  };

  /** After what this node has told of the user, so that its announcement is not missed. */
  function unwatch(appId: string, userId: string): void {
    const channel = lanes.get(appId, USER_CHANNEL_PREFIX + userId);
    const forget = () => watched.unwatch(appId, [userId]);
    const mustWait =
      channel && !isSettled(channel) && lanes.lane(channel.partition).isHealthy() && !isClosing;
    if (mustWait) tell(channel, { kind: "barrier", pass: forget });
    else forget();
  }

  function leave(channel: TrackedChannel): void {
    for (const [userId, user] of channel.wantedUsers ?? []) {
      rejectWaiters(user);
      removeWanted(channel, userId);
      tell(channel, { kind: "leave", userId, isRestored: false });
    }
    if (channel.wantedCount > 0) setCount(channel.appId, channel.name, 0, channel.isAnnounced);
  }
}
