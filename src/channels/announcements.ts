/** Tells this node's sockets what the channel state has decided. Source: protocol.md §2.7, §4.3, §5. */
import type { Announcements } from "../channel-state/channel-state.ts";
import type { LocalChannel } from "../connections/local-channel.ts";
import type { Watchers } from "../connections/watchers.ts";
import { channelKind } from "../protocol/channel-name.ts";
import {
  memberAddedFrame,
  memberRemovedFrame,
  subscriptionCountFrame,
  watchlistFrame,
} from "../protocol/frame.ts";
import { channelTopic } from "../protocol/topic.ts";
import type { Delivery } from "./delivery.ts";
import type { LocalChannels } from "./local-channels.ts";

export function createAnnouncements(
  locals: LocalChannels,
  delivery: Delivery,
  watchers: Watchers,
): Announcements {
  function tell(appId: string, channel: string, frame: (local: LocalChannel) => string): void {
    const local = locals.get(channelTopic(appId, channel));
    if (local !== undefined && local.receivers > 0) delivery.toChannel(local, frame(local));
  }

  function tellWatchers(appId: string, userId: string, frame: string | undefined): void {
    if (frame !== undefined) watchers.tell(appId, userId, frame);
  }

  return {
    memberAdded: (appId, channel, member) =>
      tell(appId, channel, (local) => memberAddedFrame(local.nameJson, member)),
    memberRemoved: (appId, channel, userId) =>
      tell(appId, channel, (local) => memberRemovedFrame(local.nameJson, userId)),
    // Java takes every frame on an encrypted channel for ciphertext (§9 row 33), so only webhooks tell there.
    subscriptionCount(appId, channel, count) {
      if (channelKind(channel).isEncrypted) return;
      tell(appId, channel, (local) => subscriptionCountFrame(local.nameJson, count));
    },
    userOnline: (appId, userId) => tellWatchers(appId, userId, watchlistFrame([userId], [])),
    userOffline: (appId, userId) => tellWatchers(appId, userId, watchlistFrame([], [userId])),
  };
}
