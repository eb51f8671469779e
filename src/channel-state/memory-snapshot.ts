/** What webhooks have told of a partition, read from the records of the memory driver. */
import type { ChannelRecord } from "./memory-channel-record.ts";
import type { ChannelSnapshot, NoSnapshot } from "./snapshot.ts";

const NOBODY: ReadonlySet<string> = new Set();

/**
 * `channels` are the app's: there is a record exactly while webhooks believe its channel occupied.
 * `lastEventId`: of the partition, in this turn.
 */
export function takeSnapshot(
  channels: Iterable<ChannelRecord>,
  partition: number,
  prefix: string,
  lastEventId: string,
  maxEntries: number,
): ChannelSnapshot | NoSnapshot {
  const found = new Map<string, ReadonlySet<string>>();
  let entries = 0;
  for (const channel of channels) {
    if (channel.partition !== partition || !channel.name.startsWith(prefix)) continue;
    const { members, leavingMembers } = channel;
    entries += 1 + (members?.size ?? 0) + (leavingMembers?.size ?? 0);
    if (entries > maxEntries) return "too many";
    const users = new Set([...(members?.keys() ?? []), ...(leavingMembers?.keys() ?? [])]);
    found.set(channel.name, users.size === 0 ? NOBODY : users);
  }
  return { revision: lastEventId, channels: found };
}
