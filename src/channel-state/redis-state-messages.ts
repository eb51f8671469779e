/** What scripts publish on the topics that this node hears: member changes, counts, users coming and going. */
import type { Announcements } from "./channel-state.ts";
import { readMessage } from "./redis-message.ts";
import type { Presence } from "./redis-presence.ts";
import type { StateRedis } from "./redis-state-context.ts";
import type { WatchedUsers } from "./redis-watched-users.ts";

export interface MessageListeners {
  readonly presence: Presence;
  readonly watched: WatchedUsers;
  readonly announce: Announcements;
  readonly keys: StateRedis["keys"];
}

/**
 * Counts are told to whoever hears the channel's topic: the adapter hears it for every channel that a
 * connection of this node is in.
 */
export function tellMessages(bus: StateRedis["bus"], listeners: MessageListeners): void {
  const { presence, watched, announce, keys } = listeners;
  bus.on("member", presence.hear);
  bus.on("watch", watched.hear);
  bus.on("subscription_count", (topic, bytes) => {
    const { count } = readMessage(bytes);
    if (typeof count !== "number") return;
    const subject = keys.subject(topic);
    const colon = subject.indexOf(":");
    announce.subscriptionCount(subject.slice(0, colon), subject.slice(colon + 1), count);
  });
  bus.onResubscribed((topics) => {
    presence.reloadTopics(topics);
    watched.reload(topics);
  });
}
