/** Opens the Redis driver for the contracts of the outbox, on a Redis of its own whose time the test moves. */
import type { Commands } from "../../src/redis/commands.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { openConnections } from "../redis/open-connections.ts";
import { startRedis } from "../support/redis-server.ts";
import type { OpenOutbox } from "./outbox-contract.ts";
import { createProducer } from "./redis-producer.ts";
import { withMovableTime } from "./redis-time.ts";

/** `wrap` puts something between the outbox and Redis. */
export function redisOutboxOpener(wrap?: (commands: Commands) => Commands): OpenOutbox {
  return async (t, bounds) => {
    const { url } = await startRedis(t);
    const { keys, commands, bus } = await openConnections(t, { url, partitions: 1 });
    const time = withMovableTime(commands);
    const producer = createProducer(time.commands, keys, bus.publishCommand, time.now);
    await producer.register();
    const outbox = createRedisOutbox({
      redis: { commands: wrap?.(time.commands) ?? time.commands, bus },
      keys,
      owner: "dispatcher",
      sweep: async () => undefined,
      now: Date.now,
      bounds,
    });
    await outbox.enlist();
    return {
      outbox,
      async append(appId, channel, event) {
        await producer.append(appId, channel, event);
      },
      advance: time.advance,
    };
  };
}
