/** What belongs to the Redis driver alone: leases, answers that get lost, and what is kept in Redis. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Commands } from "../../src/redis/commands.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
import type { Outbox, OutboxEvent } from "../../src/webhooks/outbox.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { BOUNDS } from "./redis-dispatcher.ts";
import { LANE, openRedisPartition } from "./redis-partition.ts";

async function setUp(t: TestContext) {
  const { server, keys, commands, bus, occupy } = await openRedisPartition(t);
  /** Scripts whose next answer is lost. */
  const losing = new Set<string>();
  /** Scripts whose answers come only when this has. */
  const late = new Map<string, Promise<void>>();
  const lossy: Commands = {
    ...commands,
    async runScript(script, ...rest) {
      const answer = await commands.runScript(script, ...rest);
      await late.get(script.name);
      if (losing.delete(script.name)) throw new RedisUnavailableError("The answer was lost.");
      return answer;
    },
  };
  const open = (owner: string, maxQueuedEvents = BOUNDS.maxQueuedEvents) =>
    createRedisOutbox({
      // Handlers belong to one dispatcher a connection: only the first is woken.
      redis: { commands: lossy, bus: owner === "first" ? bus : { ...bus, on: () => {} } },
      keys,
      owner,
      sweep: async () => undefined,
      now: Date.now,
      bounds: { ...BOUNDS, maxQueuedEvents },
    });

  /** Everything in Redis but what is given away with time. */
  async function everything(): Promise<Map<string, string>> {
    const names = (await server.call("KEYS", "*")) as string[];
    const all = new Map<string, string>();
    for (const name of names.toSorted()) {
      const type = String(await server.call("TYPE", name));
      const [read, ...rest] = READS.get(type) ?? [];
      if (!read) throw new Error(`A key of type ${type} is not read.`);
      all.set(name, JSON.stringify(await server.call(read, name, ...rest)));
    }
    return all;
  }

  return {
    server,
    keys,
    open,
    losing,
    late,
    everything,
    occupy,
    /** The lease ends, as after a long pause of its owner. */
    expireLease: () => server.call("DEL", keys.key(0, "disp")),
  };
}

const READS: ReadonlyMap<string, readonly string[]> = new Map([
  ["string", ["GET"]],
  ["hash", ["HGETALL"]],
  ["set", ["SMEMBERS"]],
  ["zset", ["ZRANGE", "0", "-1"]],
  ["stream", ["XRANGE", "-", "+"]],
]);

const NOTHING_UNDER_WAY = () => 0;

/** `null` puts them on hold. */
async function routeAll(outbox: Outbox, endpointIds: readonly string[] | null = ["one"]) {
  const events = await outbox.read(0, undefined, 100);
  const routes = events.map(({ id }) => ({ id, endpointIds: endpointIds ?? undefined }));
  return outbox.route(0, undefined, routes, NOTHING_UNDER_WAY);
}

const ids = (events: readonly OutboxEvent[]): string[] => events.map(({ id }) => id);
const headIds = async (outbox: Outbox) => ids((await outbox.head(LANE, 100, 1e6)).events);

describe("a lease", () => {
  test("is another's until it is given back", async (t) => {
    const { open } = await setUp(t);
    const [first, second] = [open("first"), open("second")];
    assert.equal(await first.claim(0), "new");
    assert.equal(await second.claim(0), "lost");
    await second.release(0);
    assert.equal(await first.claim(0), "mine", "only its owner gives it back");
    await first.release(0);
    assert.equal(await second.claim(0), "new");
  });

  test("that has ended is newly taken, whatever its owner believes", async (t) => {
    const { open, expireLease } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await expireLease();
    assert.equal(await outbox.claim(0), "new");
  });

  test("of which a route hears `lost` during a claim is newly taken by the next one", async (t) => {
    const { server, keys, open, late, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await occupy("a");
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    late.set("claim", answered);
    const claim = outbox.claim(0);
    const [event] = await outbox.read(0, undefined, 1);
    await server.call("HSET", keys.key(0, "meta"), "#epoch", "1");
    const routes = [{ id: event?.id ?? "", endpointIds: ["one"] }];
    assert.equal(await outbox.route(0, undefined, routes, NOTHING_UNDER_WAY), "lost");
    late.clear();
    answer();
    assert.equal(await claim, "mine", "it was, when Redis was asked");
    assert.equal(await outbox.claim(0), "new");
  });

  test("that is given back during a claim is not owned any more when that is answered", async (t) => {
    const { open, late } = await setUp(t);
    const [first, second] = [open("first"), open("second")];
    await first.claim(0);
    let answer = (): void => undefined;
    late.set(
      "claim",
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    const claim = first.claim(0);
    await first.release(0);
    late.clear();
    answer();
    assert.equal(await claim, "lost");
    assert.equal(first.owned, 0);
    assert.equal(await second.claim(0), "new");
    await second.release(0);
    assert.equal(await first.claim(0), "new");
    assert.equal(first.owned, 1);
  });

  for (const state of ["taken by another", "ended"]) {
    test(`that is ${state} lets its old owner change nothing`, async (t) => {
      const { open, occupy, everything, expireLease } = await setUp(t);
      const calls: Record<string, (outbox: Outbox, id: string) => unknown> = {
        route: (outbox) => routeAll(outbox),
        "route held": async (outbox) => {
          const [held] = await outbox.read(0, "stranger", 1);
          return outbox.route(
            0,
            "stranger",
            [{ id: held?.id ?? "", endpointIds: ["one"] }],
            NOTHING_UNDER_WAY,
          );
        },
        settle: (outbox, id) => outbox.settle(LANE, [id]),
        fail: (outbox) => outbox.fail(LANE, { status: "500", budgetMs: 0 }),
        bury: (outbox, id) => outbox.bury(LANE, [id], "422"),
      };
      const [old, heir] = [open("first"), open("second")];
      await old.claim(0);
      await occupy("a");
      await routeAll(old);
      const [id = ""] = await headIds(old);
      await occupy("b");
      for (const [name, call] of Object.entries(calls)) {
        await old.claim(0);
        await expireLease();
        if (state === "taken by another") await heir.claim(0);
        const before = await everything();
        assert.equal(await call(old, id), "lost", name);
        assert.deepEqual(await everything(), before, name);
        await expireLease();
      }
    });
  }
});

describe("an answer that is lost", () => {
  test("of a claim makes the next one new, since nobody has read the lanes", async (t) => {
    const { open, losing } = await setUp(t);
    const outbox = open("first");
    losing.add("claim");
    await assert.rejects(async () => outbox.claim(0), { code: "PIPIT_OUTBOX_UNAVAILABLE" });
    assert.equal(await outbox.claim(0), "new");
    losing.add("claim");
    await assert.rejects(async () => outbox.claim(0));
    assert.equal(await outbox.claim(0), "new", "it may have ended and been taken in between");
    assert.equal(await outbox.claim(0), "mine");
  });

  test("of a route hides no event and lets none overtake", async (t) => {
    const { open, losing, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    const decided = [await occupy("a")];
    await routeAll(outbox);
    assert.deepEqual(await headIds(outbox), decided);
    decided.push(await occupy("b"));
    losing.add("route");
    await assert.rejects(async () => routeAll(outbox), { code: "PIPIT_OUTBOX_UNAVAILABLE" });
    decided.push(await occupy("c"));
    await routeAll(outbox);
    assert.deepEqual(await headIds(outbox), decided);
    assert.equal(await outbox.claim(0), "new", "so that lanes which nobody was told of are read");
  });

  test("of a route is not forgotten for a claim that was under way", async (t) => {
    const { open, losing, late, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await occupy("a");
    let answer = (): void => undefined;
    late.set(
      "claim",
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    const claim = outbox.claim(0);
    losing.add("route");
    await assert.rejects(async () => routeAll(outbox));
    answer();
    late.clear();
    assert.equal(await claim, "mine");
    assert.equal(await outbox.claim(0), "new", "so that lanes which nobody was told of are read");
    assert.equal(await outbox.claim(0), "mine");
  });

  test("of a failure between read and route moves nothing, and the route says so", async (t) => {
    const { open, losing, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    const id = await occupy("a");
    await outbox.read(0, undefined, 100);
    losing.add("fail");
    await assert.rejects(async () => outbox.fail(LANE, { status: "500", budgetMs: 0 }));
    const routes = [{ id, endpointIds: ["one"] }];
    const result = await outbox.route(0, undefined, routes, NOTHING_UNDER_WAY);
    assert.deepEqual(result, { left: 1, enqueued: 0, pushedOut: [] });
  });

  test("of a settlement is mended by settling again, also after the lane was refilled", async (t) => {
    const { open, losing, occupy } = await setUp(t);
    const outbox = open("first");
    await outbox.claim(0);
    await occupy("a");
    await routeAll(outbox);
    const settled = await headIds(outbox);
    losing.add("settle");
    await assert.rejects(async () => outbox.settle(LANE, settled));
    const later = await occupy("b");
    await routeAll(outbox);
    assert.equal(await outbox.settle(LANE, settled), "settled");
    assert.deepEqual(await headIds(outbox), [later]);
  });
});

test("an event keeps its id through holding, routing, a new owner and its death", async (t) => {
  const { open, occupy, expireLease } = await setUp(t);
  const [first, second] = [open("first"), open("second")];
  await first.claim(0);
  const id = await occupy("a");
  await routeAll(first, null);
  await expireLease();
  await second.claim(0);
  assert.deepEqual(await second.heldApps(0), ["app"]);
  assert.deepEqual(ids(await second.read(0, "app", 10)), [id]);
  await second.route(0, "app", [{ id, endpointIds: ["one"] }], NOTHING_UNDER_WAY);
  assert.deepEqual(await headIds(second), [id]);
  await second.bury(LANE, [id], "422");
  const [letter] = await second.deadLetters("app", "one", 0, 10);
  assert.equal(letter?.event.id, id);
});

test("events wait for an epoch: before a node has registered their ids are not known", async (t) => {
  const { open, occupy, server, keys } = await setUp(t);
  await server.call("FLUSHALL");
  const outbox = open("first");
  await outbox.claim(0);
  await occupy("a");
  assert.deepEqual(await outbox.read(0, undefined, 10), []);
  await server.call("HSET", keys.key(0, "meta"), "#epoch", "1234");
  const [event] = await outbox.read(0, undefined, 10);
  assert.match(event?.id ?? "", /^1234-0-\d+-\d+$/);
});

test("nothing but leases and counters is left in Redis when everything is delivered", async (t) => {
  const { open, occupy, everything, keys } = await setUp(t);
  const outbox = open("first");
  await outbox.enlist();
  await outbox.claim(0);
  for (const channel of ["a", "b", "c"]) await occupy(channel);
  await routeAll(outbox, ["one", "two"]);
  await outbox.fail(LANE, { status: "500", budgetMs: 1_000_000 });
  for (const endpointId of ["one", "two"]) {
    const lane = { ...LANE, endpointId };
    await outbox.settle(lane, ids((await outbox.head(lane, 10, 1e6)).events));
  }
  const left = [...(await everything())].filter(([, value]) => value !== "[]").map(([key]) => key);
  assert.deepEqual(
    left.filter((key) => key !== keys.meta),
    [keys.key(0, "disp"), keys.key(0, "dispatchers"), keys.key(0, "meta")].toSorted(),
  );
});

test("what falls out of a full lane is not delivered from what was remembered", async (t) => {
  const { open, occupy } = await setUp(t);
  const outbox = open("first", 2);
  await outbox.claim(0);
  const decided = [await occupy("a"), await occupy("b")];
  await routeAll(outbox);
  assert.deepEqual(await headIds(outbox), decided);
  decided.push(await occupy("c"));
  await routeAll(outbox);
  assert.deepEqual(await headIds(outbox), decided.slice(1));
});
