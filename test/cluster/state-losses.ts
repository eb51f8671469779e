/** How the Redis of a simulation loses all it has, or its last writes, and when the loss is over. */
import type { OpenedRedisState } from "../channel-state/redis-state.ts";
import type { RedisServer } from "../support/redis-server.ts";

type Server = Pick<RedisServer, "call">;

/**
 * As FLUSHALL, for one deployment, at a moment when receivers have been told everything that is due: false, and
 * nothing is lost, when something waits to be swept or the streams have other than `told` events. In one step: on a
 * busy machine a leave else becomes due, is told and lost between the last look and the loss.
 */
export async function flushIfTold(
  server: Server,
  keyPrefix: string,
  told: number,
): Promise<boolean> {
  const script = `
    local time = redis.call("TIME")
    local nowMs = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
    local keys, events = redis.call("KEYS", ARGV[1]), 0
    for _, key in ipairs(keys) do
      if string.sub(key, -3) == ":ev" then events = events + redis.call("XLEN", key) end
      if string.sub(key, -5) == ":pend" and redis.call("ZCOUNT", key, "-inf", nowMs) > 0 then return 0 end
    end
    if events ~= tonumber(ARGV[2]) then return 0 end
    for _, key in ipairs(keys) do redis.call("DEL", key) end
    return 1`;
  return (await server.call("EVAL", script, 0, `${keyPrefix}*`, told)) === 1;
}

/** All of `names` have come back in every partition, and for `afterMs` nobody has been waited for any longer. */
export async function isLossOver(
  { redis }: OpenedRedisState,
  names: readonly string[],
  afterMs: number,
): Promise<boolean> {
  const { commands, keys } = redis;
  const overMs = Date.now() - afterMs;
  const each = Array.from({ length: keys.partitions }, async (_, p) => {
    const untilMs = await commands.call("HGET", keys.key(p, "meta"), "#restore_until");
    const leases = (await commands.call("ZRANGE", keys.key(p, "hb"), 0, -1)) as string[];
    const isBack = (name: string) => leases.some((lease) => lease.startsWith(`${name}.`));
    return Number(untilMs ?? 0) <= overMs && names.every(isBack);
  });
  return (await Promise.all(each)).every(Boolean);
}

/** Keys and what DUMP gave for them, in hexadecimal digits: those pass through text unharmed. */
export type Snapshot = readonly string[];

/** Everything but the streams: what was in them has been delivered. */
export async function takeSnapshot(server: Server, keyPrefix: string): Promise<Snapshot> {
  const script = `
    local copy = {}
    for _, key in ipairs(redis.call("KEYS", ARGV[1])) do
      if string.sub(key, -3) ~= ":ev" then
        copy[#copy + 1] = key
        copy[#copy + 1] = (string.gsub(redis.call("DUMP", key), ".", function(c)
          return string.format("%02x", string.byte(c))
        end))
      end
    end
    return copy`;
  return (await server.call("EVAL", script, 0, `${keyPrefix}*`)) as string[];
}

export async function restore(
  server: Server,
  keyPrefix: string,
  snapshot: Snapshot,
): Promise<void> {
  const script = `
    for _, key in ipairs(redis.call("KEYS", ARGV[1])) do
      if string.sub(key, -3) ~= ":ev" then redis.call("DEL", key) end
    end
    for i = 2, #ARGV, 2 do
      local bytes = string.gsub(ARGV[i + 1], "..", function(hex)
        return string.char(tonumber(hex, 16))
      end)
      redis.call("RESTORE", ARGV[i], 0, bytes, "REPLACE")
    end`;
  await server.call("EVAL", script, 0, `${keyPrefix}*`, ...snapshot);
}
