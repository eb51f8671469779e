/** The Redis driver as its tests open it: on a real Redis, under a key prefix of its own, with short times. */
import { setTimeout as delay } from "node:timers/promises";
import {
  createRedisChannelState,
  type RedisChannelState,
  type RedisChannelStateParts,
} from "../../src/channel-state/redis-channel-state.ts";
import type {
  RedisStateSettings,
  StateRedis,
} from "../../src/channel-state/redis-state-context.ts";
import { sweepPartition } from "../../src/channel-state/redis-sweep.ts";
import { type Log, SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections, type RedisConnections } from "../../src/redis/connections.ts";
import type { RedisSettings } from "../../src/redis/settings.ts";
import { announced } from "./channel-state-under-test.ts";

export const PARTITIONS = 4;

/** Real time is shorter by this: a grace of 3 s takes 300 ms. */
export const TIME_SCALE = 10;

export const SHORT_TIMES: Partial<RedisStateSettings> = {
  leaseMs: 1_500,
  heartbeatMs: 300,
  leaveGraceMs: 3_000 / TIME_SCALE,
  countWindowMs: 5_000 / TIME_SCALE,
  restoreMs: 2_500,
};

export interface OpenedRedisState {
  readonly state: RedisChannelState;
  readonly redis: RedisConnections;
  readonly announcements: readonly string[];
  /** Sweeps all partitions until nothing is due. */
  sweepAll(): Promise<void>;
  /** The events appended for the channel, in order: the JSON of each. */
  appended(appId: string, channel: string): Promise<readonly string[]>;
  /** Closes the state, then its connections. */
  close(): Promise<void>;
}

export interface RedisStateOptions {
  /** `url` undefined: `redisSettings` say where Redis is. */
  readonly server: { readonly url: string | undefined };
  readonly keyPrefix: string;
  readonly nodeName?: string;
  readonly partitions?: number;
  readonly settings?: Partial<RedisStateSettings>;
  readonly redisSettings?: Partial<RedisSettings>;
  readonly announce?: RedisChannelStateParts["announce"];
  readonly log?: Log;
  /** What the state sees of the connections, for tests that make calls fail or happen twice. */
  readonly wrap?: (redis: StateRedis) => StateRedis;
}

/** Resolves when the node has registered everywhere. */
export async function openRedisState(options: RedisStateOptions): Promise<OpenedRedisState> {
  const { server, keyPrefix, partitions = PARTITIONS, nodeName = "node" } = options;
  const redis = createRedisConnections(
    { url: server.url, keyPrefix, partitions, lingerMs: 20, ...options.redisSettings },
    SILENT_LOG,
    { nodeId: nodeName },
  );
  const announcements: string[] = [];
  const tell = (text: string) => announcements.push(text);
  const state = createRedisChannelState({
    redis: options.wrap?.(redis) ?? redis,
    nodeName,
    settings: { ...SHORT_TIMES, ...options.settings },
    now: Date.now,
    random: Math.random,
    log: options.log ?? SILENT_LOG,
    announce: options.announce ?? {
      memberAdded: (_app, channel, { userId, userInfoJson }) =>
        tell(announced.memberAdded(channel, userId, userInfoJson)),
      memberRemoved: (_app, channel, userId) => tell(announced.memberRemoved(channel, userId)),
      subscriptionCount: (_app, channel, count) =>
        tell(announced.subscriptionCount(channel, count)),
      userOnline: (_app, userId) => tell(announced.userOnline(userId)),
      userOffline: (_app, userId) => tell(announced.userOffline(userId)),
    },
  });
  await redis.connect();
  await state.start();

  return {
    state,
    redis,
    announcements,
    async sweepAll() {
      await Promise.all(Array.from({ length: partitions }, (_, p) => sweepPartition(redis, p)));
    },
    appended: async (appId, channel) =>
      (await readEvents(redis, redis.keys.partition(appId, channel)))
        .filter((event) => event.appId === appId && event.channel === channel)
        .map(({ json }) => json),
    async close() {
      await state.close();
      await redis.close();
    },
  };
}

export interface StreamEvent {
  readonly id: string;
  readonly appId: string;
  readonly channel: string;
  readonly type: string;
  readonly json: string;
}

/** Everything in the stream of a partition. */
export async function readEvents(
  redis: Pick<RedisConnections, "commands" | "keys">,
  p: number,
): Promise<readonly StreamEvent[]> {
  const entries = await redis.commands.call("XRANGE", redis.keys.key(p, "ev"), "-", "+");
  return (entries as [string, string[]][]).map(([id, fields]) => {
    const field = (name: string) => fields[fields.indexOf(name) + 1] ?? "";
    return { id, appId: field("a"), channel: field("c"), type: field("t"), json: field("j") };
  });
}

/** Waits until `ms` of the rules' time are over. */
export async function passTime(ms: number): Promise<void> {
  await delay(ms / TIME_SCALE + 5);
}
