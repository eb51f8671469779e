/**
 * Which partition a channel belongs to. Every driver, memory included, uses this hash, so that event ids,
 * lanes and blocking behave alike on one node and on many. Source: architecture.md §4.
 */

/** How many partitions a deployment has unless it is configured otherwise. */
export const DEFAULT_PARTITIONS = 64;

/** The partition of an app's channel, 0 to `partitions` − 1: FNV-1a over the UTF-16 units of `app:channel`. */
export function partitionOf(appId: string, channel: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < appId.length; i++) {
    hash = Math.imul(hash ^ appId.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ 58, 0x01000193);
  for (let i = 0; i < channel.length; i++) {
    hash = Math.imul(hash ^ channel.charCodeAt(i), 0x01000193);
  }
  // FNV's low bits are weak for short keys; the high half folded in spreads them.
  return ((hash ^ (hash >>> 15)) >>> 0) % partitions;
}
