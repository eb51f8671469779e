/** When a channel's subscription count is announced and recorded. Source: protocol.md §5. */
import { subscriptionCountEvent } from "../protocol/webhook-event.ts";
import {
  type Announcements,
  type AppendEvent,
  COUNT_EVERY_CHANGE_UP_TO,
  COUNT_WINDOW_MS,
} from "./channel-state.ts";
import type { ChannelRecord, PendingSchedule } from "./memory-channel-record.ts";

export interface SubscriptionCounts {
  /** The channel's `subscriptions` may have changed. `isWanted`: the app has the feature on for this channel. */
  changed(channel: ChannelRecord, isWanted: boolean): void;
  /** The channel's window, taken from the schedule, has come to its end. */
  windowEnded(channel: ChannelRecord): void;
}

export function createSubscriptionCounts(
  schedule: PendingSchedule,
  append: AppendEvent,
  announce: Announcements,
): SubscriptionCounts {
  function announceChange(channel: ChannelRecord): void {
    const { appId, name, subscriptions } = channel;
    if (subscriptions === channel.announcedCount) return;
    channel.announcedCount = subscriptions;
    announce.subscriptionCount(appId, name, subscriptions);
    append(appId, name, subscriptionCountEvent(name, subscriptions));
  }

  return {
    changed(channel, isWanted) {
      if (isWanted && channel.subscriptions > COUNT_EVERY_CHANGE_UP_TO) {
        // A window that is open stays open, also when the count is back at the announced one: a channel that
        // flaps between two values would else never tell of the second.
        if (channel.countWindow || channel.subscriptions === channel.announcedCount) return;
        const pending = { kind: "count window", channel } as const;
        channel.countWindow = schedule.add(channel.partition, COUNT_WINDOW_MS, pending);
        return;
      }
      if (channel.countWindow) {
        schedule.cancel(channel.countWindow);
        channel.countWindow = undefined;
      }
      if (isWanted) announceChange(channel);
    },
    windowEnded(channel) {
      channel.countWindow = undefined;
      announceChange(channel);
    },
  };
}
