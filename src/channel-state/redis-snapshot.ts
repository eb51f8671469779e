/** What webhooks have told of a partition, read in one step: lua/snapshot. */
import type { LossProblem } from "./redis-reads.ts";
import { readScript, textsOf, unexpectedReply } from "./redis-script.ts";
import type { StateRedis } from "./redis-state-context.ts";
import { userIdOf } from "./redis-write.ts";
import type { ChannelSnapshot, NoSnapshot } from "./snapshot.ts";

const SNAPSHOT = readScript("snapshot", 7);

/** Rejects with RedisUnavailableError, and with what `lossProblem` answers. */
export async function readSnapshot(
  { commands, keys }: StateRedis,
  lossProblem: LossProblem,
  p: number,
  appId: string,
  prefix: string,
  maxEntries: number,
): Promise<ChannelSnapshot | NoSnapshot> {
  const its = [
    keys.key(p, "meta"),
    keys.key(p, "pend"),
    keys.key(p, "ev"),
    keys.key(p, "i", appId),
    keys.key(p, "un", appId),
    keys.key(p, "na", appId),
    keys.key(p, "pu", appId, ""),
  ];
  // Names are ASCII, so no name that begins with the prefix comes after this byte.
  const range = prefix === "" ? ["-", "+"] : [`[${prefix}`, `(${prefix}\x7f`];
  const args = [appId, prefix, ...range, maxEntries];
  const reply = await commands.runScript(SNAPSHOT, its, args);
  if (!Array.isArray(reply)) throw unexpectedReply(SNAPSHOT, reply);
  const [status, epoch, restoreMs, place, subscribed, members, leaving, online] = reply;
  const problem = lossProblem(p, Number(epoch), Number(restoreMs));
  if (problem) throw problem;
  if (status === "TOO MANY") return "too many";
  if (status !== "OK") throw unexpectedReply(SNAPSHOT, reply);
  return {
    // As the outbox names its events (architecture.md §5).
    revision: `${epoch}-${p}-${place}`,
    channels: channelsOf(textsOf(SNAPSHOT, subscribed), members, textsOf(SNAPSHOT, leaving)),
    users: new Set(textsOf(SNAPSHOT, online).map(userIdOf)),
    isLast: p === keys.partitions - 1,
  };
}

/** `members`: a channel, then the list of its users, and so on. `leaving`: as they are called in `pend`. */
function channelsOf(
  subscribed: readonly string[],
  members: unknown,
  leaving: readonly string[],
): ReadonlyMap<string, ReadonlySet<string>> {
  if (!Array.isArray(members)) throw unexpectedReply(SNAPSHOT, members);
  const channels = new Map<string, Set<string>>();
  for (const name of subscribed) channels.set(name, new Set());
  for (let i = 0; i + 1 < members.length; i += 2) {
    channels.set(String(members[i]), new Set(textsOf(SNAPSHOT, members[i + 1])));
  }
  for (const each of leaving) {
    const [kind, , name = "", userJson = ""] = each.split("\0");
    const users = channels.get(name) ?? new Set();
    channels.set(name, users);
    if (kind === "m") users.add(String(JSON.parse(userJson)));
  }
  return channels;
}
