/** What a later release adds to an event is not lost when a node of this one routes it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { BOUNDS } from "./redis-dispatcher.ts";
import { openRedisPartition } from "./redis-partition.ts";

test("further fields of an event stay with it, also while it is held, and its neighbours get none", async (t) => {
  const { server, keys, commands, bus, occupy } = await openRedisPartition(t);
  const outbox = createRedisOutbox({
    redis: { commands, bus },
    keys,
    owner: "owner",
    sweep: async () => undefined,
    now: Date.now,
    bounds: BOUNDS,
  });
  await outbox.claim(0);
  const stream = keys.key(0, "ev");
  const known = ["a", "app", "c", "b", "t", "channel_occupied", "j", "{}"];
  await occupy("a");
  await server.call("XADD", stream, "*", ...known, "u", "7", "v", "x");
  await occupy("c");
  async function route(source: string | undefined, endpointIds: readonly string[] | undefined) {
    const events = await outbox.read(0, source, 10);
    const routes = events.map(({ id }) => ({ id, endpointIds }));
    await outbox.route(0, source, routes, () => 0);
  }
  await route(undefined, undefined);
  await route("app", ["one", "two"]);
  for (const endpoint of ["one", "two"]) {
    const lane = await server.call("XRANGE", keys.key(0, "q", `app:${endpoint}`), "-", "+");
    const entries = (lane as [string, string[]][]).map(([, fields]) => fields);
    const names = entries.map((fields) => fields.filter((_, at) => at % 2 === 0).join(""));
    assert.deepEqual(names, ["ictj", "ictjuv", "ictj"]);
    assert.deepEqual(entries[1]?.slice(2), [...known.slice(2), "u", "7", "v", "x"]);
  }
});
