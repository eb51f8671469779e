/**
 * The names of everything that is kept in Redis or travels through it. Source: architecture.md §4.
 *
 * Each partition has a hash tag that stands in all of its keys and topics, so that a script touches one hash
 * slot. Tags are chosen so that partition i lies in the i-th of P equal ranges of slots: however the slots
 * are split among masters, each gets its share of the partitions.
 */
import { DEFAULT_PARTITIONS, partitionOf } from "../protocol/partition.ts";
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { HASH_SLOTS, hashSlot } from "./hash-slot.ts";

/** Of the meaning of keys, scripts and messages. Another one needs a full stop of the deployment. */
export const SCHEMA_VERSION = 1;

export const DEFAULT_KEY_PREFIX = "pipit:";

export interface KeySettings {
  /** Begins every key and topic. No braces: they would take the place of the hash tags. */
  readonly prefix: string;
  readonly partitions: number;
}

export interface Keys extends KeySettings {
  /** Holds schema version and number of partitions, whatever those are: outside the versioned prefix. */
  readonly meta: string;
  /** The partition of a channel. A user is the channel `#server-to-user-<id>`. */
  partition(appId: string, channel: string): number;
  /** A key of partition `p`, its parts joined with colons: only the last may contain one. */
  key(p: number, ...parts: readonly string[]): string;
  /** Where a channel's messages travel. */
  topic(appId: string, channel: string): string;
  /** Where a user's coming and going is told, in the partition of the user's channel. */
  watchTopic(appId: string, userId: string): string;
  /** Where the dispatcher of partition `p` is woken. */
  wakeTopic(p: number): string;
  /** Where the node `nodeId` sends messages to itself, to see whether they come back. */
  probeTopic(p: number, nodeId: string): string;
  /** The partition that a topic made here belongs to; undefined for any other text. */
  partitionOfTopic(topic: string): number | undefined;
  /** What a topic of {@link topic} or {@link watchTopic} is about: `<app>:<channel>`, `<app>:<user id>`. */
  subject(topic: string): string;
}

/** Throws a RangeError when `partitions` is no whole number from 1 to {@link HASH_SLOTS}. */
export function createKeys({
  prefix = DEFAULT_KEY_PREFIX,
  partitions = DEFAULT_PARTITIONS,
}: Partial<KeySettings> = {}): Keys {
  const tags = partitionTags(partitions);
  const partitionByTag = new Map(tags.map((tag, p) => [tag, p]));
  const versioned = `${prefix}v${SCHEMA_VERSION}:${partitions}:`;
  /** `<versioned prefix>{<tag>}:` of each partition. */
  const bases = tags.map((tag) => `${versioned}{${tag}}:`);
  const base = (p: number): string => {
    const found = bases[p];
    if (found === undefined) throw new RangeError(`There is no partition ${p} of ${partitions}.`);
    return found;
  };
  const tagAt = versioned.length + 1;

  return {
    prefix,
    partitions,
    meta: `${prefix}meta`,
    partition: (appId, channel) => partitionOf(appId, channel, partitions),
    key: (p, ...parts) => base(p) + parts.join(":"),
    topic: (appId, channel) =>
      `${base(partitionOf(appId, channel, partitions))}m:${appId}:${channel}`,
    watchTopic(appId, userId) {
      const p = partitionOf(appId, USER_CHANNEL_PREFIX + userId, partitions);
      return `${base(p)}w:${appId}:${userId}`;
    },
    wakeTopic: (p) => `${base(p)}wake`,
    probeTopic: (p, nodeId) => `${base(p)}probe:${nodeId}`,
    partitionOfTopic(topic) {
      if (!topic.startsWith(versioned)) return undefined;
      return partitionByTag.get(topic.slice(tagAt, topic.indexOf("}", tagAt)));
    },
    subject: (topic) => topic.slice(topic.indexOf("}", tagAt) + SUBJECT_OFFSET),
  };
}

/** From the brace that ends the tag to the subject: `}:m:`. */
const SUBJECT_OFFSET = 4;

/** The shortest base-36 numbers that land in each partition's range of slots. */
function partitionTags(partitions: number): readonly string[] {
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > HASH_SLOTS) {
    throw new RangeError(`partitions is ${partitions}, allowed: 1 to ${HASH_SLOTS}.`);
  }
  const tags = new Array<string>(partitions);
  for (let n = 0, found = 0; found < partitions; n++) {
    const tag = n.toString(36);
    const p = Math.floor((hashSlot(tag) * partitions) / HASH_SLOTS);
    if (tags[p] !== undefined) continue;
    tags[p] = tag;
    found += 1;
  }
  return tags;
}
