/**
 * The channel state of many nodes, kept in Redis. Source: architecture.md §4.
 *
 * Every method notes what this node wants to be known and returns; lanes write it, in order for each channel.
 * Reads wait for what this node has told before. Nothing that is delayed happens until somebody sweeps the
 * partition (redis-sweep.ts): the dispatcher of webhooks does.
 */

import type { Log } from "../protocol/log.ts";
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { type Announcements, type ChannelState, StateUnavailableError } from "./channel-state.ts";
import { createLanes } from "./redis-lanes.ts";
import { createPresence } from "./redis-presence.ts";
import { readChannels, readCounts } from "./redis-reads.ts";
import { createRecords } from "./redis-records.ts";
import { readRoster } from "./redis-roster.ts";
import {
  createRedisStateCounters,
  REDIS_STATE_DEFAULTS,
  type RedisStateCounters,
  type RedisStateSettings,
  type StateContext,
  type StateRedis,
} from "./redis-state-context.ts";
import { tellMessages } from "./redis-state-messages.ts";
import {
  addStep,
  isSettled,
  type LocalUser,
  rejectWaiters,
  resolveWaiters,
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
  let isClosing = false;
  tellMessages(redis.bus, { presence, watched, announce: parts.announce, keys: redis.keys });

  function tell(channel: TrackedChannel, step: Step): void {
    addStep(channel, step);
    lanes.lane(channel.partition).changed(channel);
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
    if (step.kind === "join") settleJoin(channel, step.user, reply);
    else if (step.kind === "record") records.remove(step);
    else if (step.kind === "count" && channel.isUser && typeof reply === "number") {
      watched.cameOnline(channel.appId, userIdOf(channel.name), reply);
    }
  }

  function settleJoin(channel: TrackedChannel, user: LocalUser, reply: StepReply): void {
    const isPresent = channel.wantedUsers?.get(user.userId) === user;
    if (reply === "full") {
      if (isPresent) removeWanted(channel, user.userId);
      resolveWaiters(user, "full");
    } else if (!isPresent || reply === undefined) {
      // Gone again meanwhile: there is no list to wait for.
      resolveWaiters(user, "added");
    } else {
      user.version = reply;
      const { userId } = user;
      presence.whenPresent(channel, userId, reply, () => resolveWaiters(user, "added"));
    }
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

  function unavailable(what: string, cause?: unknown): StateUnavailableError {
    counters.unavailable += 1;
    return new StateUnavailableError(`${what}: is Redis up?`, { cause });
  }

  /** Undefined when there is nothing to wait for. */
  function settledChannel(channel: TrackedChannel | undefined): Promise<void> | undefined {
    if (!channel || isSettled(channel)) return undefined;
    const lane = lanes.lane(channel.partition);
    if (!lane.isHealthy()) return Promise.reject(unavailable("Redis cannot be written"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        channel.steps.delete(step);
        lane.changed(channel);
        reject(unavailable("What this node has told is not acknowledged"));
      }, settings.answerTimeoutMs);
      const step: Step = {
        kind: "barrier",
        pass() {
          clearTimeout(timer);
          resolve();
        },
      };
      tell(channel, step);
    });
  }

  function settledChannels(channels: Iterable<TrackedChannel>): Promise<void> | undefined {
    const waits = [...channels].map(settledChannel).filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
  }

  async function read<T>(what: string, before: Promise<void> | undefined, ask: () => Promise<T>) {
    if (before) await before;
    // Before the first registration another deployment's data may be all there is.
    if (!lanes.isRegistered()) throw unavailable(what);
    try {
      return await ask();
    } catch (cause) {
      throw unavailable(what, cause);
    }
  }

  return {
    driver: "redis",
    start: lanes.start,
    setSubscriptions: setCount,
    addMember(appId, name, member, maxMembers) {
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
      return waitForJoin(user);
    },
    removeMember(appId, name, userId) {
      const channel = lanes.get(appId, name);
      if (!channel?.wantedUsers?.has(userId)) return;
      removeWanted(channel, userId);
      tell(channel, { kind: "leave", userId, isRestored: false });
    },
    members: presence.members,
    setUserConnections(appId, userId, count) {
      setCount(appId, USER_CHANNEL_PREFIX + userId, count > 0 ? 1 : 0, false);
    },
    watch(appId, userIds) {
      const own = userIds.map((userId) => lanes.get(appId, USER_CHANNEL_PREFIX + userId));
      const channels = own.filter((channel) => channel !== undefined);
      return watched.watch(appId, userIds, () => settledChannels(channels));
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
    channel(appId, name) {
      const before = settledChannel(lanes.get(appId, name));
      return read("A channel cannot be read", before, () => readCounts(redis, appId, name));
    },
    channels(appId, prefix) {
      const before = settledChannels(lanes.unsettled(appId));
      return read("Channels cannot be read", before, () => readChannels(redis, appId, prefix));
    },
    users(appId, name) {
      const before = settledChannel(lanes.get(appId, name));
      return read("Users cannot be read", before, async () => {
        const { members } = await readRoster(redis, appId, name);
        return members;
      });
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

  function waitForJoin(user: LocalUser) {
    return new Promise<"added" | "full">((resolve, reject) => {
      const waiter = {
        resolve(result: "added" | "full") {
          clearTimeout(timer);
          resolve(result);
        },
        reject() {
          clearTimeout(timer);
          user.waiters.delete(waiter);
          reject(unavailable("A member is not acknowledged"));
        },
      };
      const timer = setTimeout(() => waiter.reject(), settings.answerTimeoutMs);
      user.waiters.add(waiter);
    });
  }

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
