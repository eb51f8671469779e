/** Which users are signed in, and who is told when that changes. Source: protocol.md §4.3, §7.2. */
import { partitionOf } from "../protocol/partition.ts";
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { type UserEventType, userEvent } from "../protocol/webhook-event.ts";
import { type Announcements, type AppendEvent, LEAVE_GRACE_MS } from "./channel-state.ts";
import { createAppMap } from "./memory-app-map.ts";
import type { PendingSchedule, UserRecord } from "./memory-channel-record.ts";

export interface OnlineUsers {
  setConnections(appId: string, userId: string, count: number, appendEvents: boolean): void;
  /** Those of `userIds` who are online, a user within the grace included: no return would be announced. */
  watch(appId: string, userIds: readonly string[]): ReadonlySet<string>;
  unwatch(appId: string, userIds: readonly string[]): void;
  /** Ids of those of whom receivers believe that they are online, by the partition of their channel. */
  told(appId: string, partition: number): ReadonlySet<string>;
  /** The user's leave, taken from the schedule, is due. */
  leaveEnded(user: UserRecord): void;
  /** Users signed in, in the grace, or watched. */
  readonly size: number;
}

export function createOnlineUsers(
  partitions: number,
  schedule: PendingSchedule,
  append: AppendEvent,
  announce: Announcements,
): OnlineUsers {
  const users = createAppMap<UserRecord>();

  function obtain(appId: string, userId: string): UserRecord {
    const found = users.get(appId, userId);
    if (found) return found;
    const partition = partitionOf(appId, USER_CHANNEL_PREFIX + userId, partitions);
    const user = {
      appId,
      userId,
      partition,
      connections: 0,
      watches: 0,
      isTold: false,
      leave: undefined,
    };
    users.set(appId, userId, user);
    return user;
  }

  function dropIfUnused(user: UserRecord): void {
    if (user.watches === 0 && !isOnline(user)) users.delete(user.appId, user.userId);
  }

  function tell(type: UserEventType, user: UserRecord): void {
    user.isTold = type === "user_online";
    append(user.appId, USER_CHANNEL_PREFIX + user.userId, userEvent(type, user.userId));
  }

  return {
    setConnections(appId, userId, count, appendEvents) {
      if (count === 0) {
        const user = users.get(appId, userId);
        if (!user || user.connections === 0) return;
        user.connections = 0;
        user.leave = schedule.add(user.partition, LEAVE_GRACE_MS, { kind: "user leave", user });
        return;
      }
      const user = obtain(appId, userId);
      const wasOnline = isOnline(user);
      user.connections = count;
      if (user.leave) {
        schedule.cancel(user.leave);
        user.leave = undefined;
      }
      if (appendEvents && !user.isTold) tell("user_online", user);
      if (!wasOnline && user.watches > 0) announce.userOnline(appId, userId);
    },
    watch(appId, userIds) {
      const online = new Set<string>();
      for (const userId of userIds) {
        const user = obtain(appId, userId);
        user.watches += 1;
        if (isOnline(user)) online.add(userId);
      }
      return online;
    },
    unwatch(appId, userIds) {
      for (const userId of userIds) {
        const user = users.get(appId, userId);
        if (!user || user.watches === 0) continue;
        user.watches -= 1;
        dropIfUnused(user);
      }
    },
    told(appId, partition) {
      const told = new Set<string>();
      for (const user of users.of(appId).values()) {
        if (user.isTold && user.partition === partition) told.add(user.userId);
      }
      return told;
    },
    leaveEnded(user) {
      user.leave = undefined;
      if (user.isTold) tell("user_offline", user);
      if (user.watches > 0) announce.userOffline(user.appId, user.userId);
      dropIfUnused(user);
    },
    get size() {
      return users.size;
    },
  };
}

function isOnline(user: UserRecord): boolean {
  return user.connections > 0 || user.leave !== undefined;
}
