/** The Redis driver keeps the promises of the contract on a real Redis. */
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { openConnections } from "../redis/open-connections.ts";
import { startRedis } from "../support/redis-server.ts";
import { deskContract } from "./desk-contract.ts";
import { type OpenOutbox, outboxContract } from "./outbox-contract.ts";
import { createProducer } from "./redis-producer.ts";
import { withMovableTime } from "./redis-time.ts";

const open: OpenOutbox = async (t, bounds) => {
  const { url } = await startRedis(t);
  const { keys, commands, bus } = await openConnections(t, { url, partitions: 1 });
  const time = withMovableTime(commands);
  const producer = createProducer(time.commands, keys, bus.publishCommand, time.now);
  await producer.register();
  const redis = { commands: time.commands, bus };
  const sweep = async () => undefined;
  const outbox = createRedisOutbox({
    redis,
    keys,
    owner: "dispatcher",
    sweep,
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

outboxContract("redis", open);
deskContract("redis", open);
