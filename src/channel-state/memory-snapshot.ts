/** What webhooks have told of the channels of a partition, read from the records of the memory driver. */
import type { ChannelRecord } from "./memory-channel-record.ts";

/**
 * Channels and the users in them; undefined when there are more than `maxEntries`. `records` are the app's:
 * one is there exactly while webhooks believe its channel occupied.
 */
export function findTold(
  records: Iterable<ChannelRecord>,
  partition: number,
  prefix: string,
  maxEntries: number,
): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const found = new Map<string, ReadonlySet<string>>();
  let entries = 0;
  if (maxEntries < 0) return undefined;
  for (const channel of records) {
    if (channel.partition !== partition || !channel.name.startsWith(prefix)) continue;
    const { members, leavingMembers } = channel;
    entries += 1 + (members?.size ?? 0) + (leavingMembers?.size ?? 0);
    if (entries > maxEntries) return undefined;
    found.set(
      channel.name,
      new Set([...(members?.keys() ?? []), ...(leavingMembers?.keys() ?? [])]),
    );
  }
  return found;
}
