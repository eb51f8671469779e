/** Who is online, as Redis has it: lua/who-is-online. */
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { readScript, textsOf, withKeys } from "./redis-script.ts";
import type { StateRedis } from "./redis-state-context.ts";

const WHO_IS_ONLINE = readScript("who-is-online", 2);

export interface UserName {
  readonly appId: string;
  readonly userId: string;
}

export interface OnlineAnswer<T extends UserName> {
  readonly user: T;
  readonly isOnline: boolean;
  /** Of the partition's data. */
  readonly epoch: number;
  /** So long users may be missing who come back: Redis has lost the state, and nodes tell it anew. */
  readonly restoreMs: number;
  /** When that was so, µs of Redis TIME. */
  readonly atUs: number;
}

/** One call for each partition, in one round trip. Rejects with RedisUnavailableError, never partial. */
export async function readWhoIsOnline<T extends UserName>(
  redis: StateRedis,
  users: readonly T[],
): Promise<readonly OnlineAnswer<T>[]> {
  const byPartition = new Map<number, T[]>();
  for (const user of users) {
    const p = redis.keys.partition(user.appId, USER_CHANNEL_PREFIX + user.userId);
    const found = byPartition.get(p);
    if (found) found.push(user);
    else byPartition.set(p, [user]);
  }
  const answers = [...byPartition].map(([p, some]) => readPartition(redis, p, some));
  return (await Promise.all(answers)).flat();
}

async function readPartition<T extends UserName>(
  { keys, commands }: StateRedis,
  p: number,
  users: readonly T[],
): Promise<readonly OnlineAnswer<T>[]> {
  const counts = users.map(({ appId, userId }) =>
    keys.key(p, "c", appId, USER_CHANNEL_PREFIX + userId),
  );
  const items = users.map(({ appId, userId }) => `u\0${appId}\0${USER_CHANNEL_PREFIX}${userId}`);
  const its = [keys.key(p, "meta"), keys.key(p, "pend"), ...counts];
  const reply = await commands.runScript(withKeys(WHO_IS_ONLINE, its.length), its, items);
  const [epoch, restoreMs, atUs, ...flags] = textsOf(WHO_IS_ONLINE, reply);
  return users.map((user, i) => ({
    user,
    isOnline: flags[i] === "1",
    epoch: Number(epoch),
    restoreMs: Number(restoreMs),
    atUs: Number(atUs),
  }));
}
