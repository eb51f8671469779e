/** Turning what is due in a partition into events and announcements: lua/sweep, tell-count and go-offline. */
import { readScript, textsOf, unexpectedReply } from "./redis-script.ts";
import type { StateRedis } from "./redis-state-context.ts";
import { userIdOf } from "./redis-write.ts";

const SWEEP = readScript("sweep", 3);
const TELL_COUNT = readScript("tell-count", 6);
const GO_OFFLINE = readScript("go-offline", 2);

/** Bounds how long a script keeps Redis busy. */
const MAX_AT_ONCE = 200;

/**
 * Turns leaves of the partition that are due into events of its stream, members before their channel, and
 * tells counts whose window is over and users who have gone offline. Answers in how many ms the next is due,
 * undefined when nothing waits. Anybody may call it at any time, several at once too: what is done already is
 * not done twice. Rejects with RedisUnavailableError.
 */
export async function sweepPartition(
  redis: Pick<StateRedis, "commands" | "keys" | "bus">,
  p: number,
): Promise<number | undefined> {
  const { commands, keys, bus } = redis;
  const its = [keys.key(p, "pend"), keys.key(p, "ev"), keys.wakeTopic(p)];
  for (;;) {
    const reply = await commands.runScript(SWEEP, its, [MAX_AT_ONCE, bus.publishCommand]);
    const [looked, nextInMs, ...items] = textsOf(SWEEP, reply);
    await Promise.all(items.map((item) => settle(redis, p, item)));
    if (Number(looked) < MAX_AT_ONCE) return nextInMs === "" ? undefined : Number(nextInMs);
  }
}

/** What could not be settled in the sweep itself, since it has keys of its own. */
async function settle(
  { commands, keys, bus }: Pick<StateRedis, "commands" | "keys" | "bus">,
  p: number,
  item: string,
): Promise<void> {
  const [kind, appId = "", ...rest] = item.split("\0");
  const channel = rest.join("\0");
  if (kind === "u") {
    const its = [keys.key(p, "pend"), keys.watchTopic(appId, userIdOf(channel))];
    await commands.runScript(GO_OFFLINE, its, [item, bus.publishCommand]);
    return;
  }
  if (kind !== "w") throw unexpectedReply(SWEEP, item);
  const its = [
    keys.key(p, "pend"),
    keys.key(p, "ev"),
    keys.wakeTopic(p),
    keys.key(p, "n", appId),
    keys.key(p, "na", appId),
    keys.topic(appId, channel),
  ];
  await commands.runScript(TELL_COUNT, its, [item, appId, channel, bus.publishCommand]);
}
