/** What belongs to the Redis driver alone in what operators do: places, notes for the dispatcher, what is stored. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createRedisOutbox, type RedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { BOUNDS } from "./redis-dispatcher.ts";
import { LANE, openRedisPartition } from "./redis-partition.ts";

async function setUp(t: TestContext) {
  const { server, keys, commands, bus, occupy } = await openRedisPartition(t);
  /** `operator` never dispatches, and what it says does not arrive. */
  const open = (owner: string): RedisOutbox =>
    createRedisOutbox({
      redis: { commands, bus: { ...bus, on() {}, publish: async () => {} } },
      keys,
      owner,
      sweep: async () => undefined,
      now: Date.now,
      bounds: BOUNDS,
    });
  const owner = open("owner");
  await owner.claim(0);
  async function put(...channels: string[]): Promise<string[]> {
    const ids: string[] = [];
    for (const channel of channels) ids.push(await occupy(channel));
    await owner.read(0, undefined, 100);
    const routes = ids.map((id) => ({ id, endpointIds: ["one"] }));
    await owner.route(0, undefined, routes, () => 0);
    return ids;
  }
  async function kill(...channels: string[]): Promise<string[]> {
    const ids = await put(...channels);
    await owner.bury(LANE, ids, "422");
    return ids;
  }
  const head = async () => (await owner.head(LANE, 100, 1e6)).events.map(({ id }) => id);
  return { server, keys, occupy, open, owner, operator: open("operator"), put, kill, head };
}

test("an entry whose place has another event by now is left alone", async (t) => {
  const { operator, put, kill, head } = await setUp(t);
  await kill("a");
  const [waits] = await put("b");
  const wrong = (await operator.desk.letters(LANE)).map(({ place }) => ({ place, id: "1-0-1-1" }));
  assert.equal((await operator.desk.replay(LANE, wrong)).changed, 0);
  assert.equal(await operator.desk.drop(LANE, "dead", wrong), 0);
  assert.equal((await operator.desk.move(LANE, "dead", "two", wrong)).changed, 0);
  const [found] = await operator.desk.waiting(LANE, 1);
  const wrongPlace = [{ place: found?.place ?? "", id: "1-0-1-1" }];
  assert.equal(await operator.desk.drop(LANE, "waiting", wrongPlace), 0);
  assert.equal((await operator.desk.move(LANE, "waiting", "two", wrongPlace)).changed, 0);
  assert.deepEqual(await head(), [waits]);
});

for (const laterMs of [-1, 0, 1]) {
  test(`a copy that came into the other lane ${laterMs} ms later in the same step is no second one`, async (t) => {
    const { owner, occupy, server, keys } = await setUp(t);
    const id = await occupy("a");
    await owner.read(0, undefined, 100);
    await owner.route(0, undefined, [{ id, endpointIds: ["one", "two"] }], () => 0);
    const lane = keys.key(0, "q", "app:two");
    const [[place, fields]] = (await server.call("XRANGE", lane, "-", "+")) as [[string, string[]]];
    await server.call("DEL", lane);
    await server.call("XADD", lane, `${Number(place.split("-")[0]) + laterMs}-7`, ...fields);
    const waiting = await owner.desk.waiting(LANE, 1);
    const moved = await owner.desk.move(LANE, "waiting", "two", waiting);
    assert.deepEqual(moved, { changed: 1, isFull: false });
    assert.equal(await server.call("XLEN", lane), 1);
  });
}

test("whoever has the lease finds lanes that were changed with its next claim, once", async (t) => {
  const { operator, owner, put, kill, head, server, keys } = await setUp(t);
  const touched = touchedBy(owner);
  const dead = await kill("a");
  const waiting = await put("b");
  assert.deepEqual(await head(), waiting);
  await operator.desk.replay(LANE, await operator.desk.letters(LANE));
  assert.equal(await owner.claim(0), "mine");
  assert.deepEqual(touched.splice(0), ["one"]);
  assert.deepEqual(await head(), [...waiting, ...dead]);
  await operator.desk.move(LANE, "waiting", "two", await operator.desk.waiting(LANE, 1));
  assert.equal(await owner.claim(0), "mine");
  assert.deepEqual(touched.splice(0).toSorted(), ["one", "two"]);
  assert.deepEqual((await owner.lanes(0)).map(({ endpointId }) => endpointId).toSorted(), [
    "one",
    "two",
  ]);
  assert.equal(await owner.claim(0), "mine");
  assert.deepEqual(touched, []);
  assert.equal(await server.call("EXISTS", keys.key(0, "touched")), 0);
});

test("a settlement that finds others at the head makes its dispatcher read the lane again", async (t) => {
  const { operator, owner, put, kill, head } = await setUp(t);
  const dead = await kill("a");
  assert.deepEqual(await head(), []);
  await operator.desk.replay(LANE, await operator.desk.letters(LANE));
  const waiting = await put("b");
  const touched = touchedBy(owner);
  assert.deepEqual(await head(), waiting, "nobody has said that there is more");
  await owner.settle(LANE, waiting);
  assert.deepEqual(touched, ["one"]);
  assert.deepEqual(await head(), [...dead, ...waiting]);
  await owner.settle(LANE, [...dead, ...waiting]);
  assert.deepEqual(await owner.lanes(0), []);
});

test("a burial deeper in the lane than it looks makes its dispatcher read the lane again", async (t) => {
  const { owner, put, head, server, keys } = await setUp(t);
  const lane = keys.key(0, "q", "app:one");
  for (let i = 0; i < 501; i++) {
    await server.call(
      "XADD",
      lane,
      "*",
      "i",
      `1-0-1-${i}`,
      "c",
      "a",
      "t",
      "client_event",
      "j",
      "{}",
    );
  }
  const [waits = ""] = await put("b");
  const touched = touchedBy(owner);
  assert.deepEqual(await owner.bury(LANE, [waits], "422"), { buried: [], dropped: 0 });
  assert.deepEqual(touched, ["one"]);
  assert.equal((await head())[0], "1-0-1-0");
});

test("a new owner reads every lane anyway, and is not told of what was changed before", async (t) => {
  const { operator, open, kill, server, keys } = await setUp(t);
  await kill("a");
  await operator.desk.replay(LANE, await operator.desk.letters(LANE));
  await server.call("DEL", keys.key(0, "disp"));
  const next = open("next");
  const touched = touchedBy(next);
  assert.equal(await next.claim(0), "new");
  assert.equal(await next.claim(0), "mine");
  assert.deepEqual(touched, []);
  assert.deepEqual(await next.lanes(0), [LANE]);
});

test("what an operator does needs no lease, and leaves one that is another's alone", async (t) => {
  const { operator, owner, kill, server, keys, open } = await setUp(t);
  await kill("a", "b");
  await owner.release(0);
  const [first, second] = await operator.desk.letters(LANE);
  assert.ok(first && second);
  assert.equal((await operator.desk.replay(LANE, [first])).changed, 1);
  assert.equal(await open("third").claim(0), "new");
  assert.equal((await operator.desk.replay(LANE, [second])).changed, 1);
  assert.equal(await server.call("GET", keys.key(0, "disp")), "third");
});

test("an event has one time of its replay, the last, and fields of a later release stay with it", async (t) => {
  const { operator, owner, kill, head, server, keys } = await setUp(t);
  const [id = ""] = await kill("a");
  const letters = String(await server.call("XRANGE", keys.key(0, "dead", "app:one"), "-", "+"));
  const fields = letters.split(",").slice(1);
  await server.call("DEL", keys.key(0, "dead", "app:one"));
  await server.call("XADD", keys.key(0, "dead", "app:one"), "*", ...deadFields(fields), "new", "x");
  for (let i = 0; i < 2; i++) {
    await operator.desk.replay(LANE, await operator.desk.letters(LANE));
    const lane = (await server.call("XRANGE", keys.key(0, "q", "app:one"), "-", "+")) as [
      string,
      string[],
    ][];
    const names = lane[0]?.[1].filter((_, at) => at % 2 === 0);
    assert.deepEqual(names, ["i", "c", "t", "j", "new", "p"]);
    await owner.claim(0);
    assert.deepEqual(await head(), [id]);
    const [event] = (await owner.head(LANE, 1, 1e6)).events;
    assert.ok(event && event.retriedFromMs >= event.decidedMs);
    await owner.bury(LANE, [id], "422");
  }
});

/** The endpoints whose lanes the outbox calls changed. */
function touchedBy(outbox: RedisOutbox): string[] {
  const touched: string[] = [];
  outbox.controls.listen({
    pausesChanged() {},
    retry() {},
    touched: ({ endpointId }) => void touched.push(endpointId),
  });
  return touched;
}

/** The JSON has commas of its own: the entry is put together again. */
function deadFields(parts: readonly string[]): string[] {
  const at = parts.indexOf("j");
  return [...parts.slice(0, at + 1), parts.slice(at + 1).join(",")];
}
