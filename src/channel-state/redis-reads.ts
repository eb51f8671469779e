/** What the HTTP API reads: lua/read-counts and list-channels. One round trip each, never a partial answer. */

import type { ChannelCounts } from "./channel-state.ts";
import { readScript, textsOf, unexpectedReply } from "./redis-script.ts";
import type { StateRedis } from "./redis-state-context.ts";

const READ_COUNTS = readScript("read-counts", 3);
const LIST_CHANNELS = readScript("list-channels", 4);

/**
 * Why what was read of a partition cannot be believed: it is not of the epoch that this node is registered in,
 * or for another `restoreMs` something may be missing that comes back after a loss. Undefined: it can be.
 */
export type LossProblem = (
  partition: number,
  epoch: number,
  restoreMs: number,
) => Error | undefined;

/** Rejects with RedisUnavailableError, and with what `lossProblem` answers. */
export async function readCounts(
  { commands, keys }: StateRedis,
  lossProblem: LossProblem,
  appId: string,
  channel: string,
): Promise<ChannelCounts> {
  const p = keys.partition(appId, channel);
  const its = [keys.key(p, "meta"), keys.key(p, "n", appId), keys.key(p, "un", appId)];
  const reply = await commands.runScript(READ_COUNTS, its, [channel]);
  const [epoch, restoreMs, subscriptions, users] = textsOf(READ_COUNTS, reply);
  const problem = lossProblem(p, Number(epoch), Number(restoreMs));
  if (problem) throw problem;
  return { subscriptions: Number(subscriptions), users: Number(users) };
}

/** Occupied channels of all partitions whose name begins with `prefix`. Rejects as {@link readCounts} does. */
export async function readChannels(
  redis: StateRedis,
  lossProblem: LossProblem,
  appId: string,
  prefix: string,
): Promise<ReadonlyMap<string, ChannelCounts>> {
  const found = new Map<string, ChannelCounts>();
  const partitions = Array.from({ length: redis.keys.partitions }, (_, p) => p);
  const lists = await Promise.all(partitions.map((p) => readPartition(redis, p, appId, prefix)));
  // All are looked at, so that this node finds out now where it is to tell anew.
  const problems = lists.map(({ epoch, restoreMs }, p) => lossProblem(p, epoch, restoreMs));
  const problem = problems.find((each) => each !== undefined);
  if (problem) throw problem;
  for (const { names, subscriptions, users } of lists) {
    for (const [i, name] of names.entries()) {
      found.set(name, { subscriptions: Number(subscriptions[i]), users: Number(users[i]) });
    }
  }
  return found;
}

interface ChannelList {
  readonly epoch: number;
  readonly restoreMs: number;
  readonly names: readonly string[];
  readonly subscriptions: readonly string[];
  readonly users: readonly string[];
}

async function readPartition(
  { commands, keys }: StateRedis,
  p: number,
  appId: string,
  prefix: string,
): Promise<ChannelList> {
  const its = [
    keys.key(p, "meta"),
    keys.key(p, "i", appId),
    keys.key(p, "n", appId),
    keys.key(p, "un", appId),
  ];
  // Names are ASCII, so no name that begins with the prefix comes after this byte.
  const range = prefix === "" ? ["-", "+"] : [`[${prefix}`, `(${prefix}\x7f`];
  const reply = await commands.runScript(LIST_CHANNELS, its, range);
  if (!Array.isArray(reply)) throw unexpectedReply(LIST_CHANNELS, reply);
  const [epoch, restoreMs, ...lists] = reply;
  const [names, subscriptions, users] = lists.map((list) => textsOf(LIST_CHANNELS, list));
  if (!names || !subscriptions || !users) throw unexpectedReply(LIST_CHANNELS, reply);
  return { epoch: Number(epoch), restoreMs: Number(restoreMs), names, subscriptions, users };
}
