/** A Redis with the only partition of a deployment, for tests of one outbox that call it themselves. */
import type { TestContext } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import type { LaneKey } from "../../src/webhooks/outbox.ts";
import { openConnections } from "../redis/open-connections.ts";
import { startRedis } from "../support/redis-server.ts";
import { createProducer } from "./redis-producer.ts";

export const LANE: LaneKey = { partition: 0, appId: "app", endpointId: "one" };

export async function openRedisPartition(t: TestContext) {
  const server = await startRedis(t);
  const { keys, commands, bus } = await openConnections(t, { url: server.url, partitions: 1 });
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  return {
    server,
    keys,
    commands,
    bus,
    /** Appends the event that a channel of the app is occupied; answers its id. */
    occupy: (channel: string) =>
      producer.append(LANE.appId, channel, channelEvent("channel_occupied", channel)),
  };
}
