import { after, before, describe } from "node:test";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { channelStateContract } from "./channel-state-contract.ts";
import { openRedisState, passTime } from "./redis-state.ts";

describe("redis", () => {
  let server: RedisServer;
  let opened = 0;
  before(async () => {
    server = await startRedis(undefined);
  });
  after(() => server.stop());

  channelStateContract("redis", async () => {
    opened += 1;
    const node = await openRedisState({ server, keyPrefix: `contract-${opened}:` });
    const { state, redis } = node;
    // As the adapter does for every channel that a connection of the node is in.
    await redis.bus.subscribe(redis.keys.topic("1", "a"));
    return {
      state: { ...state, close: node.close },
      appended: node.appended,
      announced: () => node.announcements,
      async advance(ms) {
        // What was called so far has taken effect once a read that waits for it is answered.
        await state.channels("1", "");
        await passTime(ms);
        await node.sweepAll();
      },
    };
  });
});
