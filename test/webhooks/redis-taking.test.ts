/** Events that are moved into lanes without being read before. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Commands } from "../../src/redis/commands.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
import type { Outbox, OutboxEvent, Way } from "../../src/webhooks/outbox.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { BOUNDS } from "./redis-dispatcher.ts";
import { LANE, openRedisPartition } from "./redis-partition.ts";

const WAY: Way = { appId: "app", type: "channel_occupied", endpointIds: ["one"] };
const OTHER_WAY: Way = { appId: "app", type: "client_event", endpointIds: ["one", "two"] };

async function setUp(t: TestContext) {
  const partition = await openRedisPartition(t);
  const { server, keys, commands, bus } = partition;
  const lossy = { isLosing: false };
  const wrapped: Commands = {
    ...commands,
    async runScript(script, ...rest) {
      const answer = await commands.runScript(script, ...rest);
      if (lossy.isLosing && script.name === "take") throw new RedisUnavailableError("Lost.");
      return answer;
    },
  };
  const open = (owner: string, maxQueuedEvents = BOUNDS.maxQueuedEvents) =>
    createRedisOutbox({
      redis: { commands: wrapped, bus: owner === "first" ? bus : { ...bus, on: () => {} } },
      keys,
      owner,
      sweep: async () => undefined,
      now: Date.now,
      bounds: { ...BOUNDS, maxQueuedEvents },
    });
  return {
    ...partition,
    lossy,
    open,
    append: (...fields: readonly string[]) =>
      server.call("XADD", keys.key(0, "ev"), "*", ...fields),
    left: async () => Number(await server.call("XLEN", keys.key(0, "ev"))),
  };
}

async function take(outbox: Outbox, ways: readonly Way[], maxEvents = 100) {
  const taken = await outbox.take?.(0, ways, maxEvents);
  if (taken === undefined || taken === "lost") return taken;
  return [taken.left, ...taken.counts];
}

const head = async (outbox: Outbox, endpointId = "one"): Promise<readonly OutboxEvent[]> =>
  (await outbox.head({ ...LANE, endpointId }, 500, 1e6)).events;
const channels = async (outbox: Outbox) => (await head(outbox)).map(({ channel }) => channel);

/** Another owner, who knows only what is in Redis. */
async function openHeir(open: (owner: string) => Outbox, before: Outbox): Promise<Outbox> {
  await before.release(0);
  const heir = open("second");
  await heir.claim(0);
  return heir;
}

describe("events that are taken", () => {
  test("are in their lanes, in order, as if they had been read and routed", async (t) => {
    const { open, occupy, append } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await occupy("a");
    await append("a", "app", "c", "é", "t", "client_event", "j", '{"x":"ö \\u0000 \\n","y": 1}');
    await append("a", "app", "c", "#server-to-user-\0 7", "t", "client_event", "j", "{}");
    await occupy("b");
    const read = await outbox.read(0, undefined, 10);
    assert.deepEqual(await take(outbox, [WAY, OTHER_WAY]), [0, 2, 2]);
    assert.deepEqual(await head(outbox), read);
    assert.deepEqual(await head(outbox, "two"), read.slice(1, 3));
    assert.deepEqual(await outbox.read(0, undefined, 10), []);
    const lanes = (await outbox.lanes(0)).map(({ endpointId }) => endpointId);
    assert.deepEqual(lanes.toSorted(), ["one", "two"]);
    const heir = await openHeir(open, outbox);
    assert.deepEqual(await head(heir), read);
    assert.deepEqual(await head(heir, "two"), read.slice(1, 3));
  });

  test("are so many at most, and the rest is counted", async (t) => {
    const { open, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    for (const channel of ["a", "b", "c"]) await occupy(channel);
    assert.deepEqual(await take(outbox, [WAY], 2), [1, 2]);
    assert.deepEqual(await take(outbox, [WAY], 2), [0, 1]);
    assert.deepEqual(await take(outbox, [WAY], 2), [0, 0]);
    assert.deepEqual(await channels(outbox), ["a", "b", "c"]);
  });

  test("leave the stream also when no endpoint wants them", async (t) => {
    const { open, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await occupy("a");
    assert.deepEqual(await take(outbox, [{ ...WAY, endpointIds: [] }]), [0, 1]);
    assert.deepEqual(await outbox.lanes(0), []);
  });

  test("end before the first whose way is not told, or that has other fields", async (t) => {
    for (const fields of [
      ["a", "app", "c", "x", "t", "member_added", "j", "{}"],
      ["a", "stranger", "c", "x", "t", "channel_occupied", "j", "{}"],
      ["a", "app", "c", "x", "t", "channel_occupied", "j", "{}", "u", "7"],
      ["c", "x", "a", "app", "t", "channel_occupied", "j", "{}"],
    ]) {
      const { open, occupy, append } = await setUp(t);
      const outbox = open("first");
      await outbox.claim(0);
      await occupy("a");
      await append(...fields);
      await occupy("b");
      assert.deepEqual(await take(outbox, [WAY]), [2, 1], fields.join());
      assert.deepEqual(await take(outbox, [WAY]), [2, 0]);
      assert.deepEqual(await channels(outbox), ["a"]);
    }
  });

  test("are none while an app is held, or without an epoch", async (t) => {
    const { open, occupy, server, keys } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await occupy("a");
    await server.call("SADD", keys.key(0, "holds"), "app");
    assert.deepEqual(await take(outbox, [WAY]), [1, 0]);
    await server.call("DEL", keys.key(0, "holds"));
    await server.call("DEL", keys.key(0, "meta"));
    assert.deepEqual(await take(outbox, [WAY]), [1, 0]);
    assert.deepEqual(await outbox.lanes(0), []);
  });

  test("do not fill a lane to its bound: what gives way has to be said", async (t) => {
    const { open, occupy } = await setUp(t);
    const outbox = open("first", 5);
    await outbox.claim(0);
    for (const channel of ["a", "b", "c", "d"]) await occupy(channel);
    assert.deepEqual(await take(outbox, [WAY], 3), [1, 3]);
    assert.deepEqual(await take(outbox, [WAY], 3), [1, 0]);
    assert.deepEqual(await take(outbox, [{ ...WAY, endpointIds: ["two"] }], 3), [0, 1]);
  });
});

describe("taking", () => {
  test("is refused to one who does not own the partition, and changes nothing", async (t) => {
    const { open, occupy, left } = await setUp(t);
    const [first, second] = [open("first"), open("second")];
    await first.claim(0);
    await occupy("a");
    assert.equal(await take(second, [WAY]), "lost");
    await first.release(0);
    assert.equal(await take(first, [WAY]), "lost");
    assert.equal(await left(), 1);
  });

  test("without hearing the answer hides no event and lets none overtake", async (t) => {
    const { open, occupy, lossy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await occupy("a");
    await take(outbox, [WAY]);
    assert.deepEqual(await channels(outbox), ["a"]);
    await occupy("b");
    lossy.isLosing = true;
    await assert.rejects(take(outbox, [WAY]), { code: "PIPIT_OUTBOX_UNAVAILABLE" });
    await occupy("c");
    lossy.isLosing = false;
    await take(outbox, [WAY]);
    assert.deepEqual(await channels(outbox), ["a", "b", "c"]);
    assert.equal(await outbox.claim(0), "new", "so that lanes which nobody was told of are read");
  });

  test("twice moves no event twice", async (t) => {
    const { open, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    for (const channel of ["a", "b"]) await occupy(channel);
    await Promise.all([take(outbox, [WAY]), take(outbox, [WAY])]);
    const known = await channels(outbox);
    assert.deepEqual(known, ["a", "b"]);
    assert.deepEqual(await channels(await openHeir(open, outbox)), known);
  });
});
