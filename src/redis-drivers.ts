/** Everything in Redis, shared with the other nodes. There is no mix with memory: the state writes the outbox. */
import { randomBytes } from "node:crypto";
import { createRedisAdapter } from "./adapters/redis-adapter.ts";
import type { Apps } from "./apps/app.ts";
import { createRedisCacheStore } from "./cache/redis-cache-store.ts";
import { createRedisChannelState } from "./channel-state/redis-channel-state.ts";
import type { Config } from "./config/config.ts";
import type { DriverParts, Drivers } from "./drivers.ts";
import { createConnectionCounts, type LimitedApp } from "./redis/connection-counts.ts";
import { createRedisConnections } from "./redis/connections.ts";
import { createMemoryWatch } from "./redis/memory-watch.ts";
import type { RedisSettings } from "./redis/settings.ts";
import { laneBounds } from "./server-settings.ts";
import { createRedisOutbox } from "./webhooks/redis-outbox.ts";

export function createRedisDrivers(
  config: Config,
  settings: RedisSettings,
  parts: DriverParts,
): Drivers {
  const { apps, connectionsOf, deliver, announce, now, log, observeCommand } = parts;
  // Unlike any other process, and unlike this one after a restart: leases and messages carry it.
  const nodeId = randomBytes(8).toString("hex");
  const redis = createRedisConnections(settings, log("redis"), { nodeId, observe: observeCommand });
  const memory = createMemoryWatch({ read: redis.memory, log: log("redis") });
  const { commands, bus, keys } = redis;
  const adapter = createRedisAdapter({ bus, keys, nodeId, deliver });
  const state = createRedisChannelState({
    redis,
    nodeName: nodeId,
    announce,
    now,
    random: Math.random,
    log: log("channel_state"),
  });
  const counts = createConnectionCounts({
    commands,
    keys,
    nodeId,
    limited: () => limitedApps(apps, connectionsOf),
    now,
    log: log("redis"),
  });
  const { publishCommand } = bus;
  const outbox = createRedisOutbox({
    redis,
    keys,
    owner: nodeId,
    sweep: state.sweep,
    now,
    bounds: laneBounds(config),
  });
  return {
    adapter,
    state,
    cache: createRedisCacheStore({ commands, keys, publishCommand }),
    outbox,
    async start() {
      await redis.connect();
      await memory.start();
      await counts.start();
      await state.start();
    },
    connectionsElsewhere: counts.elsewhere,
    confirmElsewhere: counts.confirm,
    leave: counts.close,
    async close() {
      memory.close();
      // Ends a farewell that Redis does not answer.
      await Promise.all([counts.close(), redis.close()]);
    },
    mayServe: () => !redis.isForeign(),
    problems() {
      if (redis.isForeign()) return ["Redis belongs to another deployment, the log says which."];
      if (redis.isRefused()) return ["Redis refuses what a node must write, the log says why."];
      if (!redis.isUp()) return ["Redis cannot be reached."]; // why is in the log, since anybody may read this
      const { failingPartitions } = state.health();
      const unwritten = `${failingPartitions} partitions of the channel state cannot be written.`;
      return [...(failingPartitions === 0 ? [] : [unwritten]), ...memory.problems()];
    },
    cacheSizes: () => undefined,
    cluster: () => ({
      isUp: redis.isUp(),
      ...redis.counters,
      memory: memory.latest(),
      topics: bus.topics,
      bus: bus.counters,
      adapter: adapter.counters,
      reports: counts.counters,
      state: state.counters,
      outbox: {
        partitions: outbox.partitions,
        owned: outbox.owned,
        cachedBytes: outbox.cachedBytes,
        ...outbox.counters,
      },
      health: state.health(),
    }),
  };
}

function* limitedApps(apps: Apps, connectionsOf: (appId: string) => number): Generator<LimitedApp> {
  for (const { id: appId, settings } of apps.known()) {
    const { maxConnections } = settings.limits;
    if (maxConnections === Infinity) continue;
    yield { appId, connections: connectionsOf(appId), maxConnections };
  }
}
