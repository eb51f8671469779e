import { after, before, describe } from "node:test";
import type { RedisConnections } from "../../src/redis/connections.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { channelStateContract } from "./channel-state-contract.ts";
import { type DecidedEvent, MAX_SNAPSHOT_ENTRIES_UNDER_TEST } from "./channel-state-under-test.ts";
import { openRedisState, PARTITIONS, passTime, readEvents } from "./redis-state.ts";

/** With their ids as the outbox names them. */
async function decided(redis: RedisConnections): Promise<readonly DecidedEvent[]> {
  const all: DecidedEvent[] = [];
  for (let p = 0; p < PARTITIONS; p++) {
    const epoch = await redis.commands.call("HGET", redis.keys.key(p, "meta"), "#epoch");
    for (const { id, json } of await readEvents(redis, p)) {
      all.push({ id: `${epoch}-${p}-${id}`, json });
    }
  }
  return all;
}

describe("redis", () => {
  let server: RedisServer;
  let opened = 0;
  const settings = { maxSnapshotEntries: MAX_SNAPSHOT_ENTRIES_UNDER_TEST };
  before(async () => {
    server = await startRedis(undefined);
  });
  after(() => server.stop());

  channelStateContract("redis", async () => {
    opened += 1;
    const node = await openRedisState({ server, keyPrefix: `contract-${opened}:`, settings });
    const { state, redis } = node;
    // As the adapter does for every channel that a connection of the node is in.
    await redis.bus.subscribe(redis.keys.topic("1", "a"));
    return {
      state: { ...state, close: node.close },
      appended: node.appended,
      decided: () => decided(redis),
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
