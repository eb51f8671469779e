import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answered, inTurn, type Respond } from "./fake-target.ts";
import { SETTINGS } from "./fixtures.ts";
import { openRig } from "./rig.ts";

/** Refuses every batch that carries the channel. */
const refusing =
  (channel: string, status = 422): Respond =>
  ({ channels }) =>
    answered(channels.includes(channel) ? status : 200);

describe("a batch that its receiver refuses", () => {
  test("is cut until the one bad event is found, which becomes a dead letter after three refusals alone", async (t) => {
    const { occupyAndWait, target, clock, webhooks, errors } = await openRig(t, {
      respond: refusing("bad"),
    });
    await occupyAndWait("a", "b", "bad", "c", "d", "e", "f", "g");
    assert.deepEqual(target.log(), ["a b bad c d e f g", "a b bad c", "a b", "bad c", "bad"]);
    await clock.advance(10_000);
    const log = target.log();
    assert.equal(log.filter((channels) => channels === "bad").length, 3);
    assert.deepEqual(
      log.slice(7),
      ["c", "d e f g"],
      "the rest follows in order, the other half whole",
    );
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(
      letters.map(({ event, reason, status }) => [event.channel, reason, status]),
      [["bad", "refused", "422"]],
    );
    assert.deepEqual(errors(), ["webhook events became dead letters"]);
    assert.equal((await webhooks.endpoints())[0]?.backlog, 0);
    for (const { isValid } of target.sent) assert.equal(isValid, true);
  });

  test("of several lanes is cut between lanes, and the lanes without the bad event go on at once", async (t) => {
    const { occupyAndWait, target, clock, webhooks } = await openRig(t, {
      partitions: 64,
      respond: refusing("bad"),
    });
    const good = ["a", "b", "c", "d", "e", "f", "g"];
    await occupyAndWait(...good, "bad");
    const taken = target.sent
      .filter(({ channels }) => !channels.includes("bad"))
      .flatMap(({ channels }) => channels);
    assert.deepEqual(taken.toSorted(), good, "no time had to pass for the others");
    await clock.advance(10_000);
    assert.equal((await webhooks.deadLetters("app", "one")).length, 1);
    assert.equal((await webhooks.endpoints())[0]?.state, "healthy");
  });

  test("kills nothing while the endpoint takes nothing, until the budget is spent", async (t) => {
    const { occupyAndWait, webhooks, clock, target } = await openRig(t, { respond: inTurn(422) });
    await occupyAndWait("a", "b");
    await clock.advance(290_000);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
    target.respond = inTurn(200);
    await clock.advance(60_000);
    assert.deepEqual(target.log().slice(-2), ["a", "b"]);
  });

  test("backs off alone: events of other lanes are sent at once", async (t) => {
    const { occupyAndWait, target, clock } = await openRig(t, {
      partitions: 64,
      respond: refusing("bad"),
    });
    await occupyAndWait("bad");
    await occupyAndWait("a");
    assert.deepEqual(target.log(), ["bad", "a"]);
    await clock.advance(20_000);
    assert.deepEqual(target.log(), ["bad", "a", "bad", "bad"]);
  });
});

describe("401, 403 and 404", () => {
  for (const status of [401, 403, 404]) {
    test(`an hour of ${status} kills nothing`, async (t) => {
      const { occupyAndWait, webhooks, clock, target } = await openRig(t, {
        partitions: 8,
        respond: inTurn(status),
        settings: { retry: { ...SETTINGS.retry, budgetMs: 7_200_000 } },
      });
      await occupyAndWait("a", "b", "c");
      await clock.advance(3_600_000);
      assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
      assert.equal((await webhooks.endpoints())[0]?.state, "backing_off");
      target.respond = inTurn(200);
      await clock.advance(120_000);
      assert.equal((await webhooks.endpoints())[0]?.counters.delivered, 3);
    });
  }

  test("say nothing about a later 500: only the same answer again is the batch's fault", async (t) => {
    let status = 404;
    const { occupyAndWait, target, clock } = await openRig(t, {
      partitions: 64,
      respond: ({ channels }) => answered(channels.includes("x") ? status : 200),
    });
    await occupyAndWait("x", "x");
    status = 500;
    await occupyAndWait("a");
    await clock.advance(30_000);
    const repeats = target.log().filter((channels) => channels.includes("x"));
    assert.deepEqual(new Set(repeats), new Set(["x x"]));
  });

  test("are an event's fault once the endpoint took another batch meanwhile", async (t) => {
    const { occupyAndWait, webhooks, clock } = await openRig(t, {
      partitions: 64,
      respond: refusing("bad", 404),
    });
    await occupyAndWait("bad");
    await occupyAndWait("a");
    await clock.advance(30_000);
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(
      letters.map(({ event, status }) => [event.channel, status]),
      [["bad", "404"]],
    );
  });
});

describe("408, 409, 425 and 429", () => {
  for (const status of [408, 409, 425, 429]) {
    test(`${status} asks to try again: the batch is not cut`, async (t) => {
      const { occupyAndWait, target, clock } = await openRig(t, { respond: inTurn(status, 200) });
      await occupyAndWait("a", "b");
      await clock.advance(1_000);
      assert.deepEqual(target.log(), ["a b", "a b"]);
    });
  }
});
