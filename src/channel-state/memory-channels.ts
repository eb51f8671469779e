/**
 * Occupied and vacated, member added and removed, for the channels of one node. Source: protocol.md §7.5.
 *
 * A channel counts as occupied while it has a subscription or a member. So it does not matter which of the
 * two a caller tells first: `channel_occupied` comes before the first `member_added`, and the channel's
 * leave begins with or after that of its last member.
 */
import { partitionOf } from "../protocol/partition.ts";
import { listEntry, type PresenceList, type PresenceMember } from "../protocol/presence.ts";
import { channelEvent, memberEvent } from "../protocol/webhook-event.ts";
import {
  type AddMemberResult,
  type Announcements,
  type AppendEvent,
  type ChannelCounts,
  LEAVE_GRACE_MS,
} from "./channel-state.ts";
import { createAppMap } from "./memory-app-map.ts";
import type { ChannelRecord, PendingSchedule } from "./memory-channel-record.ts";
import type { SubscriptionCounts } from "./memory-subscription-count.ts";

const NOTHING: ChannelCounts = { subscriptions: 0, users: 0 };
const NO_MEMBERS: PresenceList = new Map();

/** Transitions decided so far, and leaves that were taken back in time. */
export interface TransitionCounters {
  occupied: number;
  vacated: number;
  membersAdded: number;
  membersRemoved: number;
  returnsInGrace: number;
}

export interface MemoryChannels {
  setSubscriptions(appId: string, name: string, count: number, announceCount: boolean): void;
  addMember(
    appId: string,
    name: string,
    member: PresenceMember,
    maxMembers: number,
  ): AddMemberResult;
  removeMember(appId: string, name: string, userId: string): void;
  members(appId: string, name: string): PresenceList;
  counts(appId: string, name: string): ChannelCounts;
  occupied(appId: string, prefix: string): ReadonlyMap<string, ChannelCounts>;
  /** Everything of the app. Read it in this turn, do not keep it. */
  records(appId: string): Iterable<ChannelRecord>;
  /** The member's leave, taken from the schedule, is due. */
  memberLeaveEnded(channel: ChannelRecord, userId: string): void;
  /** The channel's leave, taken from the schedule, is due. */
  leaveEnded(channel: ChannelRecord): void;
  readonly counters: Readonly<TransitionCounters>;
  /** Channels that are occupied or in the grace. */
  readonly size: number;
}

export function createMemoryChannels(
  partitions: number,
  schedule: PendingSchedule,
  subscriptionCounts: SubscriptionCounts,
  append: AppendEvent,
  announce: Announcements,
): MemoryChannels {
  const channels = createAppMap<ChannelRecord>();
  const counters: TransitionCounters = {
    occupied: 0,
    vacated: 0,
    membersAdded: 0,
    membersRemoved: 0,
    returnsInGrace: 0,
  };

  /** The channel, about to get a subscription or a member. */
  function occupy(appId: string, name: string): ChannelRecord {
    const found = channels.get(appId, name);
    if (found) {
      if (found.leave) {
        schedule.cancel(found.leave);
        found.leave = undefined;
        counters.returnsInGrace += 1;
      }
      return found;
    }
    const channel = createChannelRecord(appId, name, partitionOf(appId, name, partitions));
    channels.set(appId, name, channel);
    counters.occupied += 1;
    append(appId, name, channelEvent("channel_occupied", name));
    return channel;
  }

  function leaveIfEmpty(channel: ChannelRecord): void {
    if (channel.subscriptions > 0 || (channel.members?.size ?? 0) > 0) return;
    channel.leave = schedule.add(channel.partition, LEAVE_GRACE_MS, {
      kind: "channel leave",
      channel,
    });
  }

  return {
    setSubscriptions(appId, name, count, announceCount) {
      if (count > 0) {
        const channel = occupy(appId, name);
        channel.subscriptions = count;
        subscriptionCounts.changed(channel, announceCount);
        return;
      }
      const channel = channels.get(appId, name);
      if (!channel || channel.subscriptions === 0) return;
      channel.subscriptions = 0;
      subscriptionCounts.changed(channel, announceCount);
      leaveIfEmpty(channel);
    },
    addMember(appId, name, member, maxMembers) {
      const { userId } = member;
      const present = channels.get(appId, name)?.members ?? NO_MEMBERS;
      if (present.has(userId)) return "added";
      if (present.size >= maxMembers) return "full";
      const channel = occupy(appId, name);
      channel.members ??= new Map();
      channel.members.set(userId, listEntry(userId, member.userInfoJson));
      const leave = channel.leavingMembers?.get(userId);
      if (leave) {
        schedule.cancel(leave);
        channel.leavingMembers?.delete(userId);
        counters.returnsInGrace += 1;
      } else {
        counters.membersAdded += 1;
        append(appId, name, memberEvent("member_added", name, userId));
      }
      announce.memberAdded(appId, name, member);
      return "added";
    },
    removeMember(appId, name, userId) {
      const channel = channels.get(appId, name);
      if (!channel?.members?.delete(userId)) return;
      channel.leavingMembers ??= new Map();
      channel.leavingMembers.set(
        userId,
        schedule.add(channel.partition, LEAVE_GRACE_MS, { kind: "member leave", channel, userId }),
      );
      announce.memberRemoved(appId, name, userId);
      leaveIfEmpty(channel);
    },
    members: (appId, name) => channels.get(appId, name)?.members ?? NO_MEMBERS,
    counts(appId, name) {
      const channel = channels.get(appId, name);
      return channel ? countsOf(channel) : NOTHING;
    },
    occupied(appId, prefix) {
      const found = new Map<string, ChannelCounts>();
      for (const [name, channel] of channels.of(appId)) {
        if (channel.subscriptions > 0 && name.startsWith(prefix))
          found.set(name, countsOf(channel));
      }
      return found;
    },
    records: (appId) => channels.of(appId).values(),
    memberLeaveEnded(channel, userId) {
      channel.leavingMembers?.delete(userId);
      counters.membersRemoved += 1;
      append(channel.appId, channel.name, memberEvent("member_removed", channel.name, userId));
    },
    leaveEnded({ appId, name }) {
      channels.delete(appId, name);
      counters.vacated += 1;
      append(appId, name, channelEvent("channel_vacated", name));
    },
    counters,
    get size() {
      return channels.size;
    },
  };
}

function createChannelRecord(appId: string, name: string, partition: number): ChannelRecord {
  return {
    appId,
    name,
    partition,
    subscriptions: 0,
    members: undefined,
    leavingMembers: undefined,
    leave: undefined,
    announcedCount: 0,
    countWindow: undefined,
  };
}

function countsOf(channel: ChannelRecord): ChannelCounts {
  return { subscriptions: channel.subscriptions, users: channel.members?.size ?? 0 };
}
