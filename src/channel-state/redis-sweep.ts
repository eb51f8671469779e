/** Turning what is due in a partition into events and announcements: lua/sweep, tell-count and go-offline. */
import { userEvent } from "../protocol/webhook-event.ts";
import { readScript, textsOf, unexpectedReply } from "./redis-script.ts";
import type { StateRedis } from "./redis-state-context.ts";
import type { SweepFailure, SweepFailures } from "./redis-sweep-failures.ts";
import { userIdOf } from "./redis-write.ts";

const SWEEP = readScript("sweep", 3);
const TELL_COUNT = readScript("tell-count", 6);
const GO_OFFLINE = readScript("go-offline", 5);

/** Bounds how long a script keeps Redis busy. */
const MAX_AT_ONCE = 200;

type SweepRedis = Pick<StateRedis, "commands" | "keys" | "bus">;

/**
 * Turns leaves of the partition that are due into events of its stream, members before their channel, and
 * tells counts whose window is over and users who have gone offline. Answers in how many ms the next is due,
 * undefined when nothing waits. Anybody may call it at any time, several at once too: what is done already is
 * not done twice. Rejects with RedisUnavailableError.
 *
 * What cannot be settled is passed over, told to `failures` at the end, and tried again by the next sweep.
 */
export async function sweepPartition(
  redis: SweepRedis,
  p: number,
  failures: SweepFailures = rejectFirst,
): Promise<number | undefined> {
  const { commands, keys, bus } = redis;
  const its = [keys.key(p, "pend"), keys.key(p, "ev"), keys.wakeTopic(p)];
  const failed = new Map<string, SweepFailure>();
  let left = 0;
  for (;;) {
    const reply = await commands.runScript(SWEEP, its, [MAX_AT_ONCE, bus.publishCommand, left]);
    const [looked, nextInMs, ...items] = textsOf(SWEEP, reply);
    const results = await Promise.allSettled(items.map((item) => settle(redis, p, item)));
    for (const [i, result] of results.entries()) {
      if (result.status === "fulfilled") continue;
      left += 1;
      const kind = kindOf(items[i] ?? "");
      const count = (failed.get(kind)?.count ?? 0) + 1;
      failed.set(kind, { count, error: result.reason });
    }
    if (Number(looked) >= MAX_AT_ONCE) continue;
    failures(p, failed);
    return nextInMs === "" ? undefined : Number(nextInMs);
  }
}

/** What could not be settled in the sweep itself, since it has keys of its own. */
async function settle({ commands, keys, bus }: SweepRedis, p: number, item: string): Promise<void> {
  const [letter, appId = "", ...rest] = item.split("\0");
  const channel = rest.join("\0");
  if (letter === "u") {
    const userId = userIdOf(channel);
    const its = [
      keys.key(p, "pend"),
      keys.watchTopic(appId, userId),
      keys.key(p, "ev"),
      keys.wakeTopic(p),
      keys.key(p, "na", appId),
    ];
    const { json } = userEvent("user_offline", userId);
    await commands.runScript(GO_OFFLINE, its, [item, bus.publishCommand, appId, channel, json]);
    return;
  }
  if (letter !== "w") throw unexpectedReply(SWEEP, letter);
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

/** A word for the log; `other` is what a newer release has put off, or what is damaged. */
function kindOf(item: string): string {
  if (item.startsWith("u\0")) return "user";
  return item.startsWith("w\0") ? "count" : "other";
}

const rejectFirst: SweepFailures = (_partition, failed) => {
  for (const { error } of failed.values()) throw error;
};
