/** The mirrors of this node: one for each presence channel in which it has a member. */
import type { PresenceList } from "../protocol/presence.ts";
import { createMirror, type Mirror } from "./redis-mirror.ts";
import { decodeRosterChange, readRoster } from "./redis-roster.ts";
import type { StateContext } from "./redis-state-context.ts";
import type { TrackedChannel } from "./redis-tracked-channel.ts";

const NO_MEMBERS: PresenceList = new Map();

export interface Presence {
  /** This node has its first member in the channel. */
  open(channel: TrackedChannel): void;
  /** This node has no member in the channel any more: nobody here needs the list. */
  close(channel: TrackedChannel): void;
  members(appId: string, name: string): PresenceList;
  /** See {@link Mirror.whenPresent}; at once where there is no mirror any more. */
  whenPresent(channel: TrackedChannel, userId: string, version: number, present: () => void): void;
  hear(topic: string, bytes: Buffer): void;
  /** Changes of the channel may have been missed. */
  reload(channel: TrackedChannel): void;
  /** Messages of these topics may have been missed. */
  reloadTopics(topics: Iterable<string>): void;
  closeAll(): void;
  readonly size: number;
}

/** `confirmEpoch`: see mirrors. */
export function createPresence(
  context: StateContext,
  confirmEpoch: (partition: number, epoch: number) => boolean,
): Presence {
  const { redis, announce } = context;
  const { keys } = redis;
  const mirrors = new Map<string, Mirror>();
  const topicOf = ({ appId, name }: { appId: string; name: string }) => keys.topic(appId, name);

  return {
    open(channel) {
      const { appId, name, partition } = channel;
      const topic = topicOf(channel);
      if (mirrors.has(topic)) return;
      const mirror = createMirror({
        context,
        topic,
        read: () => readRoster(redis, appId, name),
        confirmEpoch: (epoch) => confirmEpoch(partition, epoch),
        memberAdded: (userId, userInfoJson) =>
          announce.memberAdded(appId, name, { userId, userInfoJson }),
        memberRemoved: (userId) => announce.memberRemoved(appId, name, userId),
      });
      mirrors.set(topic, mirror);
      mirror.open();
    },
    close(channel) {
      const topic = topicOf(channel);
      const mirror = mirrors.get(topic);
      mirrors.delete(topic);
      mirror?.close();
    },
    members: (appId, name) => mirrors.get(keys.topic(appId, name))?.members ?? NO_MEMBERS,
    whenPresent(channel, userId, version, present) {
      const mirror = mirrors.get(topicOf(channel));
      if (mirror) mirror.whenPresent(userId, version, present);
      else present();
    },
    hear(topic, bytes) {
      const mirror = mirrors.get(topic);
      const change = mirror && decodeRosterChange(bytes);
      if (change) mirror.hear(change);
    },
    reload: (channel) => mirrors.get(topicOf(channel))?.reload(),
    reloadTopics(topics) {
      for (const topic of topics) mirrors.get(topic)?.reload();
    },
    closeAll() {
      for (const mirror of mirrors.values()) mirror.close();
      mirrors.clear();
    },
    get size() {
      return mirrors.size;
    },
  };
}
