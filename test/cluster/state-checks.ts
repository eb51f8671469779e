/** What must be so of the state in Redis, and of everything that was told. */
import { isDeepStrictEqual } from "node:util";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import {
  type OpenedRedisState,
  readEvents,
  type StreamEvent,
} from "../channel-state/redis-state.ts";
import type { RedisServer } from "../support/redis-server.ts";
import { APP, type StateNode, truthOf } from "./state-node.ts";

/** Differences between the state, as `observer` reads it, and the truth; and between it and what clients believe. */
export async function differences(
  observer: OpenedRedisState,
  nodes: readonly StateNode[],
): Promise<readonly string[]> {
  const { state, redis } = observer;
  const truth = truthOf(nodes);
  const found: string[] = [];
  const listed = await state.channels(APP, "");
  for (const channel of new Set([...truth.subscriptions.keys(), ...listed.keys()])) {
    const wanted = {
      subscriptions: truth.subscriptions.get(channel) ?? 0,
      users: truth.users.get(channel)?.size ?? 0,
    };
    const counts = listed.get(channel) ?? { subscriptions: 0, users: 0 };
    if (!isDeepStrictEqual(counts, wanted))
      found.push(`${channel} ${text(counts)} ${text(wanted)}`);
  }
  const userIds = (await believedOnline(redis)).toSorted();
  const online = [...truth.online].toSorted();
  if (!isDeepStrictEqual(userIds, online)) found.push(`online ${userIds}, not ${online}`);
  for (const [channel, users] of truth.users) {
    const read = new Set((await state.users(APP, channel)).keys());
    if (!isDeepStrictEqual(read, users))
      found.push(`${channel} has ${[...read]}, not ${[...users]}`);
    for (const { name, subscriptions } of nodes) {
      for (const { channel: where, list } of subscriptions) {
        if (where !== channel || isDeepStrictEqual(new Set(list?.keys()), users)) continue;
        found.push(`${name}: a client believes ${[...(list?.keys() ?? [])]} in ${channel}`);
      }
    }
  }
  return found;
}

/** Users of whom receivers are told at last that they are online. */
async function believedOnline({
  commands,
  keys,
}: OpenedRedisState["redis"]): Promise<readonly string[]> {
  const all = Array.from({ length: keys.partitions }, (_, p) =>
    commands.call("HKEYS", keys.key(p, "na", APP)),
  );
  return (await Promise.all(all))
    .flatMap((fields) => fields as string[])
    .filter((field) => field.startsWith(USER_CHANNEL_PREFIX))
    .map((field) => field.slice(USER_CHANNEL_PREFIX.length));
}

/** Everything in the streams, in order within each partition. */
export async function readAllEvents(observer: OpenedRedisState): Promise<readonly StreamEvent[]> {
  const { redis } = observer;
  const partitions = Array.from({ length: redis.keys.partitions }, (_, p) => readEvents(redis, p));
  return (await Promise.all(partitions)).flat();
}

export interface EventReport {
  /** Transitions that do not alternate, or come in a wrong order. */
  readonly anomalies: string[];
  /** What webhooks believe to be there at the end. */
  readonly present: readonly string[];
}

/**
 * Transitions alternate for each channel, each user in a channel and each user who signs in; members only in
 * occupied channels.
 */
export function checkEvents(events: readonly StreamEvent[]): EventReport {
  const present = new Set<string>();
  const membersIn = new Map<string, number>();
  const counts = new Map<string, number>();
  const anomalies: string[] = [];
  for (const { id, type, channel, json } of events) {
    const { user_id: userId, subscription_count: count } = JSON.parse(json);
    if (type === "subscription_count") {
      if (counts.get(channel) === count) anomalies.push(`${id} ${channel} told ${count} twice`);
      counts.set(channel, count);
      continue;
    }
    if (type === "client_event") continue;
    const isMember = type.startsWith("member");
    const subject = isMember ? `${channel} ${userId}` : channel;
    const comes = ["channel_occupied", "member_added", "user_online"].includes(type);
    if (present.has(subject) === comes) anomalies.push(`${id} ${type} of ${subject} twice`);
    if (comes) present.add(subject);
    else present.delete(subject);
    const members = membersIn.get(channel) ?? 0;
    if (isMember) membersIn.set(channel, members + (comes ? 1 : -1));
    if (isMember && comes && !present.has(channel)) anomalies.push(`${id} ${subject} came first`);
    if (type === "channel_vacated" && members > 0) anomalies.push(`${id} ${channel} left first`);
  }
  return { anomalies, present: [...present] };
}

/** Keys that should not be there any longer once all have gone. */
export async function leftOver(
  servers: readonly Pick<RedisServer, "call">[],
  keyPrefix: string,
): Promise<readonly string[]> {
  const each = await Promise.all(servers.map((server) => server.call("KEYS", `${keyPrefix}*`)));
  const found = each.flat() as string[];
  return found.filter((key) => !/(:ev|:hb|:meta)$/.test(key) && key !== `${keyPrefix}meta`);
}

function text(counts: { readonly subscriptions: number; readonly users: number }): string {
  return `${counts.subscriptions}/${counts.users}`;
}
