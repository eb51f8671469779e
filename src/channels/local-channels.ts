/** The channels that connections of this node are in, or about to be. */
import type { App } from "../apps/app.ts";
import type { LocalChannel } from "../connections/local-channel.ts";
import type { ChannelKind } from "../protocol/channel-name.ts";
import { jsonString } from "../protocol/json-string.ts";
import { channelTopic } from "../protocol/topic.ts";

export interface LocalChannels {
  readonly size: number;
  get(topic: string): LocalChannel | undefined;
  all(): IterableIterator<LocalChannel>;
  /** The channel, made if it is new, with one more holder. */
  hold(app: App, name: string, kind: ChannelKind): LocalChannel;
  /** One holder less; true when it was the last and the channel is forgotten. */
  release(channel: LocalChannel): boolean;
}

const NO_USERS: Map<string, number> = new Map();

export function createLocalChannels(): LocalChannels {
  const byTopic = new Map<string, LocalChannel>();
  // No getter, as in connections/registry.ts.
  const locals: LocalChannels & { size: number } = {
    size: 0,
    get: (topic) => byTopic.get(topic),
    all: () => byTopic.values(),
    hold(app, name, kind) {
      const topic = channelTopic(app.id, name);
      let channel = byTopic.get(topic);
      if (channel === undefined) {
        channel = {
          app,
          // Not the name as it came: it may be a part of a frame, which would be kept with it.
          name: topic.slice(app.id.length + 1),
          nameJson: jsonString(name),
          topic,
          kind,
          holders: 0,
          subscribers: 0,
          // Channels without members share one map that stays empty.
          users: kind.hasMembers ? new Map() : NO_USERS,
          receivers: 0,
          eventsDelivered: 0,
        };
        byTopic.set(topic, channel);
        locals.size = byTopic.size;
      }
      channel.holders += 1;
      return channel;
    },
    release(channel) {
      channel.holders -= 1;
      if (channel.holders > 0) return false;
      byTopic.delete(channel.topic);
      locals.size = byTopic.size;
      return true;
    },
  };
  return locals;
}
