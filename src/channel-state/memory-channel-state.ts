/** The channel state of a node that is alone. Every answer is there at once. Source: architecture.md §4. */
import {
  type Announcements,
  type AppendEvent,
  type ChannelState,
  COUNT_WINDOW_MS,
  LEAVE_GRACE_MS,
} from "./channel-state.ts";
import type { Pending } from "./memory-channel-record.ts";
import { createMemoryChannels, type TransitionCounters } from "./memory-channels.ts";
import { createOnlineUsers } from "./memory-online-users.ts";
import { createSchedule } from "./memory-schedule.ts";
import { createSubscriptionCounts } from "./memory-subscription-count.ts";

export interface MemoryChannelStateParts {
  readonly partitions: number;
  /** Epoch ms. */
  readonly now: () => number;
  readonly append: AppendEvent;
  readonly announce: Announcements;
  /**
   * Called when something becomes the earliest due of its partition: sweep it then, or ask `nextDueMs` anew.
   * Called from within the state's methods, so it must not sweep at once.
   */
  readonly wake: (partition: number) => void;
}

export interface MemoryChannelState extends ChannelState {
  /**
   * Turns what is due in the partition into events and announcements, members before their channel, and
   * answers when the next is due, epoch ms. A leave that is due but not yet swept can still be taken back.
   */
  sweep(partition: number): number | undefined;
  readonly counters: Readonly<TransitionCounters>;
  /** What is held in memory now: all 0 once everybody has left and the graces are swept. */
  sizes(): MemoryChannelStateSizes;
}

export interface MemoryChannelStateSizes {
  /** Channels that are occupied, or that webhooks still believe to be. */
  readonly channels: number;
  /** Users that are signed in, in the grace, or watched. */
  readonly users: number;
  /** Leaves and count windows that wait for their time. */
  readonly pending: number;
}

/** Owns no timer: nothing that is delayed happens until somebody sweeps. */
export function createMemoryChannelState(parts: MemoryChannelStateParts): MemoryChannelState {
  const { partitions, now, append, announce, wake } = parts;
  const delaysMs = [LEAVE_GRACE_MS, COUNT_WINDOW_MS];
  const schedule = createSchedule<Pending>(partitions, delaysMs, now, wake);
  const counts = createSubscriptionCounts(schedule, append, announce);
  const channels = createMemoryChannels(partitions, schedule, counts, append, announce);
  const users = createOnlineUsers(partitions, schedule, announce);

  function settle(pending: Pending): void {
    switch (pending.kind) {
      case "member leave":
        channels.memberLeaveEnded(pending.channel, pending.userId);
        break;
      case "channel leave":
        channels.leaveEnded(pending.channel);
        break;
      case "count window":
        counts.windowEnded(pending.channel);
        break;
      case "user leave":
        users.leaveEnded(pending.user);
        break;
    }
  }

  function settleUntil(partition: number, nowMs: number): void {
    for (;;) {
      const pending = schedule.takeDue(partition, nowMs);
      if (!pending) return;
      settle(pending);
    }
  }

  return {
    driver: "memory",
    setSubscriptions: channels.setSubscriptions,
    addMember: channels.addMember,
    removeMember: channels.removeMember,
    members: channels.members,
    setUserConnections: users.setConnections,
    watch: users.watch,
    unwatch: users.unwatch,
    record: append,
    channel: channels.counts,
    channels: channels.occupied,
    // A copy: what is read for the HTTP API may be kept across turns.
    users: (appId, channel) => new Map(channels.members(appId, channel)),
    sweep(partition) {
      settleUntil(partition, now());
      return schedule.nextDueMs(partition);
    },
    /** Appends pending leaves now: after a stop nobody can return in time. Repeatable. */
    async close() {
      for (let partition = 0; partition < partitions; partition++) settleUntil(partition, Infinity);
    },
    counters: channels.counters,
    sizes: () => ({ channels: channels.size, users: users.size, pending: schedule.waiting }),
  };
}
