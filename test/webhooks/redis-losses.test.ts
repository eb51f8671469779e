/** What is given up is counted, whatever is lost on the way: answers, or the node that did it. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Commands } from "../../src/redis/commands.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";
import type { Outbox } from "../../src/webhooks/outbox.ts";
import { createRedisOutbox, type RedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { BOUNDS } from "./redis-dispatcher.ts";
import { LANE, openRedisPartition } from "./redis-partition.ts";

const LATER_MS = 120_000;

async function setUp(t: TestContext) {
  const { server, keys, commands, bus, occupy } = await openRedisPartition(t);
  /** The script whose next answer is lost. */
  let losing = "";
  const ran: string[] = [];
  const lossy: Commands = {
    ...commands,
    async runScript(script, ...rest) {
      ran.push(script.name);
      const answer = await commands.runScript(script, ...rest);
      if (script.name !== losing) return answer;
      losing = "";
      throw new RedisUnavailableError("The answer was lost.");
    },
  };
  let nowMs = Date.now();

  /** `told`: events that were given up, by lane and reason. */
  async function open(owner: string, maxDeadLetterAgeMs = BOUNDS.maxDeadLetterAgeMs) {
    const outbox = createRedisOutbox({
      redis: { commands: lossy, bus: owner === "first" ? bus : { ...bus, on: () => {} } },
      keys,
      owner,
      sweep: async () => undefined,
      now: () => nowMs,
      bounds: { maxQueuedEvents: 2, maxDeadLetters: 1, maxDeadLetterAgeMs },
    });
    const told: Record<string, number> = {};
    await outbox.listen(
      () => {},
      ({ appId, endpointId, reason, buried, dropped }) => {
        for (const [what, events] of Object.entries({ buried, dropped })) {
          const name = `${what} ${endpointId ?? `hold ${appId}`} ${reason}`;
          if (events > 0) told[name] = (told[name] ?? 0) + events;
        }
      },
    );
    assert.equal(await outbox.claim(0), "new");
    return { outbox, told };
  }

  return {
    server,
    keys,
    commands,
    open,
    ran,
    lose(script: string) {
      losing = script;
    },
    advance(ms: number) {
      nowMs += ms;
    },
    /** What is not written off. */
    losses: () => server.call("EXISTS", keys.key(0, "losses")),
    /** The lease ends, as that of a node which was killed. */
    expireLease: () => server.call("DEL", keys.key(0, "disp")),
    async occupy(...channels: readonly string[]) {
      for (const channel of channels) await occupy(channel);
    },
  };
}

/** `null` puts them on hold. */
async function routeAll(outbox: Outbox, endpointIds: readonly string[] | null = ["one"]) {
  const events = await outbox.read(0, undefined, 100);
  const routes = events.map(({ id }) => ({ id, endpointIds: endpointIds ?? undefined }));
  return outbox.route(0, undefined, routes, () => 0);
}

async function buryAll(outbox: Outbox) {
  const { events } = await outbox.head(LANE, 100, 1e6);
  const ids = events.map(({ id }) => id);
  return outbox.bury(LANE, ids, "422");
}

describe("a lost answer hides no event that was given up", () => {
  const OVERFLOW = { "buried one overflow": 3, "dropped one overflow": 2 };

  async function isTold(
    t: TestContext,
    script: string,
    before: (outbox: RedisOutbox) => unknown,
    call: (outbox: RedisOutbox) => Promise<unknown>,
    expected: Readonly<Record<string, number>>,
    maxAgeMs?: number,
  ) {
    const { open, occupy, lose } = await setUp(t);
    const { outbox, told } = await open("first", maxAgeMs);
    await occupy("a", "b", "c", "d", "e");
    await before(outbox);
    lose(script);
    await assert.rejects(async () => call(outbox), { code: "PIPIT_OUTBOX_UNAVAILABLE" });
    await outbox.claim(0);
    assert.deepEqual(told, expected);
    await outbox.claim(0);
    assert.deepEqual(told, expected, "and it is told of once");
  }

  test("of a route", (t) => isTold(t, "route", () => {}, routeAll, OVERFLOW));

  test("of a route that holds", (t) =>
    isTold(
      t,
      "route",
      () => {},
      (outbox) => routeAll(outbox, null),
      { "dropped hold app overflow": 3 },
    ));

  test("of a burial", (t) =>
    isTold(t, "bury", routeAll, buryAll, {
      ...OVERFLOW,
      "buried one refused": 2,
      "dropped one refused": 2,
    }));

  test("of an expiry", (t) =>
    isTold(
      t,
      "expire",
      routeAll,
      async (outbox) => outbox.expireDeadLetters(),
      { ...OVERFLOW, "dropped one age": 1 },
      0,
    ));

  test("of what an operator drops", (t) =>
    isTold(
      t,
      "drop",
      routeAll,
      async (outbox) => outbox.desk.drop(LANE, "waiting", await outbox.desk.waiting(LANE, 10)),
      { ...OVERFLOW, "dropped one operator": 2 },
    ));
});

describe("what was given up", () => {
  const TOLD = { "buried one overflow": 1 };

  async function givenUp(t: TestContext) {
    const rig = await setUp(t);
    const first = await rig.open("first");
    await rig.occupy("a", "b", "c");
    await routeAll(first.outbox);
    return { ...rig, first };
  }

  test("by a node that was killed is told of by the next owner", async (t) => {
    const { open, expireLease } = await givenUp(t);
    await expireLease();
    const second = await open("second");
    assert.deepEqual(second.told, TOLD);
  });

  test("is told of once more by the next owner when its node is killed before a minute", async (t) => {
    const { first, open, expireLease } = await givenUp(t);
    await first.outbox.claim(0);
    assert.deepEqual(first.told, TOLD);
    await expireLease();
    assert.deepEqual((await open("second")).told, TOLD);
  });

  test("is written off a minute after it was told of", async (t) => {
    const { first, open, expireLease, advance, losses } = await givenUp(t);
    await first.outbox.claim(0);
    advance(LATER_MS);
    await first.outbox.claim(0);
    assert.equal(await losses(), 0);
    await expireLease();
    assert.deepEqual((await open("second")).told, {});
  });

  test("is written off when its partition is given back", async (t) => {
    const { first, open, losses } = await givenUp(t);
    await first.outbox.claim(0);
    await first.outbox.release(0);
    assert.equal(await losses(), 0);
    assert.deepEqual((await open("second")).told, {});
  });

  test("in the last minute stays when what is older is written off", async (t) => {
    const { first, open, occupy, expireLease, advance } = await givenUp(t);
    await first.outbox.claim(0);
    advance(LATER_MS);
    await occupy("d", "e");
    await routeAll(first.outbox);
    await first.outbox.claim(0);
    const all = { "buried one overflow": 3, "dropped one overflow": 2 };
    assert.deepEqual(first.told, all);
    await first.outbox.claim(0);
    assert.deepEqual(first.told, all);
    await expireLease();
    const newest = { "buried one overflow": 2, "dropped one overflow": 2 };
    assert.deepEqual((await open("second")).told, newest);
  });

  test("is told of and written off once though the answer to that is lost", async (t) => {
    const { first, open, occupy, expireLease, advance, lose, losses } = await givenUp(t);
    await first.outbox.claim(0);
    advance(LATER_MS);
    await occupy("d");
    await routeAll(first.outbox);
    lose("write-off");
    await first.outbox.claim(0);
    const all = { "buried one overflow": 2, "dropped one overflow": 1 };
    for (let i = 0; i < 2; i++) {
      await first.outbox.claim(0);
      assert.deepEqual(first.told, all);
      advance(LATER_MS);
    }
    assert.equal(await losses(), 0);
    await expireLease();
    assert.deepEqual((await open("second")).told, {});
  });

  test("costs no command where there is none", async (t) => {
    const { first, ran, advance, lose } = await givenUp(t);
    await first.outbox.claim(0);
    advance(LATER_MS);
    lose("write-off");
    for (let i = 0; i < 2; i++) await first.outbox.claim(0);
    ran.length = 0;
    for (let i = 0; i < 3; i++) await first.outbox.claim(0);
    assert.deepEqual(ran, ["claim", "claim", "claim"]);
  });

  test("in words that a later release has found is left for it", async (t) => {
    const { server, keys, first, advance, losses } = await givenUp(t);
    await server.call("HINCRBY", keys.key(0, "losses"), "buried:boredom:app:one", 7);
    await first.outbox.claim(0);
    assert.deepEqual(first.told, TOLD);
    advance(LATER_MS);
    await first.outbox.claim(0);
    assert.equal(await losses(), 1);
    const fields = (await server.call("HKEYS", keys.key(0, "losses"))) as string[];
    assert.deepEqual(fields.toSorted(), ["#round", "buried:boredom:app:one"]);
  });

  test("is nobody's to write off without the lease", async (t) => {
    const { first, open, expireLease, advance, losses } = await givenUp(t);
    await first.outbox.claim(0);
    await expireLease();
    await open("second");
    advance(LATER_MS);
    await first.outbox.release(0);
    assert.equal(await losses(), 1);
  });

  test("of an app with colons in its id is told of that app", async (t) => {
    const { server, keys, first } = await givenUp(t);
    const field = "dropped:age:a:b:two";
    await server.call("HINCRBY", keys.key(0, "losses"), field, 1);
    await first.outbox.claim(0);
    assert.deepEqual(first.told, { ...TOLD, "dropped two age": 1 });
  });
});

test("a full Redis lets dead letters expire and operators drop, and tells of both", async (t) => {
  const { server, open, occupy } = await setUp(t);
  const { outbox, told } = await open("first", 0);
  await occupy("a", "b", "c");
  await routeAll(outbox);
  await outbox.claim(0);
  await server.call("CONFIG", "SET", "maxmemory", "1");
  await outbox.expireDeadLetters();
  await outbox.desk.drop(LANE, "waiting", await outbox.desk.waiting(LANE, 10));
  await outbox.claim(0);
  assert.deepEqual(told, {
    "buried one overflow": 1,
    "dropped one age": 1,
    "dropped one operator": 2,
  });
});
