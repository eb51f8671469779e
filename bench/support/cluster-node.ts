/** A node of a cluster as far as Redis sees it: connections, adapter and channel state, without sockets. */
import { createRedisAdapter, type RedisAdapter } from "../../src/adapters/redis-adapter.ts";
import {
  createRedisChannelState,
  type RedisChannelState,
} from "../../src/channel-state/redis-channel-state.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { channelTopic } from "../../src/protocol/topic.ts";
import { createRedisConnections, type RedisConnections } from "../../src/redis/connections.ts";

export interface ClusterNode {
  readonly redis: RedisConnections;
  readonly adapter: RedisAdapter;
  readonly state: RedisChannelState;
  /** What local sockets were told of: members that came or went, and events. */
  readonly told: { readonly members: number; readonly events: number };
  /** As a client's subscribe to a presence channel does, the first on this node included. */
  join(channel: string, userId: string): Promise<void>;
  leave(channel: string, userId: string): void;
  close(): Promise<void>;
}

export const APP = "1";

const USER_INFO_JSON = JSON.stringify({ name: "Somebody with a name" });
/** Probes would be counted among the messages; they are one in ten seconds. */
const NO_PROBES_MS = 600_000;

/** Resolves when the node has its leases. */
export async function openClusterNode(
  url: string,
  keyPrefix: string,
  nodeId: string,
): Promise<ClusterNode> {
  const told = { members: 0, events: 0 };
  const settings = { url, keyPrefix, probeIntervalMs: NO_PROBES_MS };
  const redis = createRedisConnections(settings, SILENT_LOG, { nodeId });
  const tellMember = () => {
    told.members += 1;
  };
  const adapter = createRedisAdapter({
    bus: redis.bus,
    keys: redis.keys,
    nodeId,
    deliver() {
      told.events += 1;
    },
  });
  const state = createRedisChannelState({
    redis,
    nodeName: nodeId,
    announce: {
      memberAdded: tellMember,
      memberRemoved: tellMember,
      subscriptionCount() {},
      userOnline() {},
      userOffline() {},
    },
    now: Date.now,
    random: Math.random,
    log: SILENT_LOG,
  });
  const counts = new Map<string, number>();

  function count(channel: string, change: 1 | -1): number {
    const now = (counts.get(channel) ?? 0) + change;
    if (now === 0) counts.delete(channel);
    else counts.set(channel, now);
    state.setSubscriptions(APP, channel, now, false);
    return now;
  }

  await redis.connect();
  await state.start();
  return {
    redis,
    adapter,
    state,
    told,
    async join(channel, userId) {
      if (!counts.has(channel)) await adapter.subscribe(channelTopic(APP, channel));
      count(channel, 1);
      const member = { userId, userInfoJson: USER_INFO_JSON };
      const result = await state.addMember(APP, channel, member, Number.POSITIVE_INFINITY);
      const isListed = state.members(APP, channel).has(userId);
      if (result !== "added" || !isListed) throw new Error(`${userId} is not in ${channel}.`);
    },
    leave(channel, userId) {
      state.removeMember(APP, channel, userId);
      if (count(channel, -1) === 0) adapter.unsubscribe(channelTopic(APP, channel));
    },
    async close() {
      await adapter.close();
      await state.close();
      await redis.close();
    },
  };
}
