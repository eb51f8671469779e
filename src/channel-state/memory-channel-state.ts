/** The channel state of a node that is alone. Every answer is there at once. Source: architecture.md §4. */
import { setTimeout as pauseFor } from "node:timers/promises";
import { membersOf } from "../protocol/presence.ts";
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
import { findTold } from "./memory-snapshot.ts";
import { createSubscriptionCounts } from "./memory-subscription-count.ts";
import { MAX_SNAPSHOT_ENTRIES } from "./snapshot.ts";

export interface MemoryChannelStateParts {
  readonly partitions: number;
  /** Epoch ms. */
  readonly now: () => number;
  readonly append: AppendEvent;
  /** Id of the last event appended to the partition's stream; lower than every id when there is none. */
  readonly lastEventId: (partition: number) => string;
  readonly announce: Announcements;
  /**
   * Called when something becomes the earliest due of its partition: sweep it then, or ask `nextDueMs` anew.
   * Called from within the state's methods, so it must not sweep at once.
   */
  readonly wake: (partition: number) => void;
  /** Lets those who take events out of the streams have a turn. @default a millisecond */
  readonly pause?: () => Promise<unknown>;
  /** @default {@link MAX_SNAPSHOT_ENTRIES} */
  readonly maxSnapshotEntries?: number;
}

/** What is settled in one turn: streams are bounded, and nothing leaves them while a turn lasts. */
export const SETTLED_AT_ONCE = 1_000;

export interface MemoryChannelState extends ChannelState {
  /**
   * Turns what is due in the partition into events and announcements, members before their channel, and
   * answers when the next is due, epoch ms: now, when more is due than fits into one turn. A leave that is due but not yet swept can still be taken back.
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
  const { partitions, now, append, lastEventId, announce, wake } = parts;
  const maxSnapshotEntries = parts.maxSnapshotEntries ?? MAX_SNAPSHOT_ENTRIES;
  // As long as the dispatcher waits after a wake-up, and begun later: it has had its turn before this one goes on.
  const pause = parts.pause ?? (() => pauseFor(1));
  const delaysMs = [LEAVE_GRACE_MS, COUNT_WINDOW_MS];
  const schedule = createSchedule<Pending>(partitions, delaysMs, now, wake);
  const counts = createSubscriptionCounts(schedule, append, announce);
  const channels = createMemoryChannels(partitions, schedule, counts, append, announce);
  const users = createOnlineUsers(partitions, schedule, append, announce);

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

  /** Settles at most `limit`; answers how many there were. */
  function settleUntil(partition: number, nowMs: number, limit: number): number {
    for (let settled = 0; settled < limit; settled++) {
      const pending = schedule.takeDue(partition, nowMs);
      if (!pending) return settled;
      settle(pending);
    }
    return limit;
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
    users: (appId, channel) => membersOf(channels.members(appId, channel)),
    snapshot(appId, partition, prefix) {
      if (partition >= partitions) return "no partition";
      const online = users.told(appId, partition);
      const room = maxSnapshotEntries - online.size;
      const found = findTold(channels.records(appId), partition, prefix, room);
      if (!found) return "too many";
      const isLast = partition === partitions - 1;
      return { revision: lastEventId(partition), channels: found, users: online, isLast };
    },
    sweep(partition) {
      settleUntil(partition, now(), SETTLED_AT_ONCE);
      return schedule.nextDueMs(partition);
    },
    /** Appends pending leaves now: after a stop nobody can return in time. Repeatable. */
    async close() {
      let room = SETTLED_AT_ONCE;
      for (let partition = 0; partition < partitions; partition++) {
        for (;;) {
          room -= settleUntil(partition, Infinity, room);
          if (room > 0) break;
          await pause();
          room = SETTLED_AT_ONCE;
        }
      }
    },
    counters: channels.counters,
    sizes: () => ({ channels: channels.size, users: users.size, pending: schedule.waiting }),
  };
}
