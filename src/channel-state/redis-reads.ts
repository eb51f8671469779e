/** What the HTTP API reads: lua/read-counts and list-channels. One round trip each, never a partial answer. */
import type { ChannelCounts } from "./channel-state.ts";
import { readScript, textsOf, unexpectedReply } from "./redis-script.ts";
import type { StateRedis } from "./redis-state-context.ts";

const READ_COUNTS = readScript("read-counts", 2);
const LIST_CHANNELS = readScript("list-channels", 3);

/** Rejects with RedisUnavailableError. */
export async function readCounts(
  { commands, keys }: StateRedis,
  appId: string,
  channel: string,
): Promise<ChannelCounts> {
  const p = keys.partition(appId, channel);
  const both = [keys.key(p, "n", appId), keys.key(p, "un", appId)];
  const reply = await commands.runScript(READ_COUNTS, both, [channel]);
  const [subscriptions, users] = textsOf(READ_COUNTS, reply);
  return { subscriptions: Number(subscriptions), users: Number(users) };
}

/** Occupied channels of all partitions whose name begins with `prefix`. Rejects with RedisUnavailableError. */
export async function readChannels(
  redis: StateRedis,
  appId: string,
  prefix: string,
): Promise<ReadonlyMap<string, ChannelCounts>> {
  const found = new Map<string, ChannelCounts>();
  const partitions = Array.from({ length: redis.keys.partitions }, (_, p) => p);
  const lists = await Promise.all(partitions.map((p) => readPartition(redis, p, appId, prefix)));
  for (const { names, subscriptions, users } of lists) {
    for (const [i, name] of names.entries()) {
      found.set(name, { subscriptions: Number(subscriptions[i]), users: Number(users[i]) });
    }
  }
  return found;
}

interface ChannelList {
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
  const its = [keys.key(p, "i", appId), keys.key(p, "n", appId), keys.key(p, "un", appId)];
  // Names are ASCII, so no name that begins with the prefix comes after this byte.
  const range = prefix === "" ? ["-", "+"] : [`[${prefix}`, `(${prefix}\x7f`];
  const reply = await commands.runScript(LIST_CHANNELS, its, range);
  if (!Array.isArray(reply)) throw unexpectedReply(LIST_CHANNELS, reply);
  const [names, subscriptions, users] = reply.map((list) => textsOf(LIST_CHANNELS, list));
  if (!names || !subscriptions || !users) throw unexpectedReply(LIST_CHANNELS, reply);
  return { names, subscriptions, users };
}
