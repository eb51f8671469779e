/**
 * Cleans up after a node that is gone: fences it, takes away what it holds through the script by which it
 * wrote it, so that each transition is decided once, and forgets it. Any node may do it, several at once too.
 */

import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { bury, condemn } from "./redis-lease.ts";
import type { StateContext } from "./redis-state-context.ts";
import { runWrite, type WriteStep } from "./redis-write.ts";

/** Channels that are looked at in one round. */
const CHANNELS_AT_ONCE = 64;

/** Rejects with RedisUnavailableError: whoever notices the node next goes on. */
export async function reap(context: StateContext, partition: number, node: string): Promise<void> {
  const { redis, settings, counters, log } = context;
  const { commands, keys } = redis;
  if (!(await condemn(redis, partition, node))) return;
  for (;;) {
    const key = keys.key(partition, "L", node);
    const ledger = await commands.call("SRANDMEMBER", key, CHANNELS_AT_ONCE);
    if (!Array.isArray(ledger) || ledger.length === 0) break;
    const steps = await Promise.all(
      ledger.map((entry) => stepsFor(context, partition, node, String(entry))),
    );
    const all = steps.flat();
    for (let first = 0; first < all.length; first += settings.maxSteps) {
      const some = all.slice(first, first + settings.maxSteps);
      const written = await runWrite(redis, settings, { partition, node, seq: 0, steps: some });
      // Somebody else has buried it.
      if (written.outcome !== "ok") return;
    }
    counters.channelsReaped += ledger.length;
  }
  if (!(await bury(redis, partition, node))) return;
  counters.nodesReaped += 1;
  log.info({ partition, node }, "cleaned up after a node that is gone");
}

/** Members before their channel. */
async function stepsFor(
  { redis }: StateContext,
  partition: number,
  node: string,
  entry: string,
): Promise<readonly WriteStep[]> {
  const at = entry.indexOf("\0");
  const appId = entry.slice(0, at);
  const name = entry.slice(at + 1);
  const channel = { appId, name, isUser: name.startsWith(USER_CHANNEL_PREFIX) };
  const key = redis.keys.key(partition, "pn", appId, node, name);
  const users = await redis.commands.call("SMEMBERS", key);
  const userIds = Array.isArray(users) ? users.map((userId) => String(userId)) : [];
  return [
    ...userIds.map(
      (userId): WriteStep => ({ channel, step: { kind: "leave", userId, isRestored: false } }),
    ),
    { channel, step: { kind: "count", count: 0, isAnnounced: false, isRestored: false } },
  ];
}
