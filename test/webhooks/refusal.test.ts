import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { answered, inTurn, type Respond } from "./fake-target.ts";
import { channelsApart, SETTINGS } from "./fixtures.ts";
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

describe("an endpoint that refuses everything", () => {
  /** Twenty seconds in which a new event comes to each of 20 lanes, second by second. */
  async function flood(t: TestContext, status: number) {
    const rig = await openRig(t, { partitions: 64, respond: inTurn(status) });
    for (let second = 0; second < 20; second++) {
      for (const channel of channelsApart(20)) rig.occupy(channel);
      await rig.clock.advance(1_000);
    }
    return rig;
  }

  for (const status of [400, 422]) {
    test(`with ${status} is out of order: one POST at a time, at the pace of a 500`, async (t) => {
      const { target, webhooks, lines } = await flood(t, status);
      const times = target.sent.map(({ atMs }) => atMs);
      const [firstMs = 0] = times;
      const cuts = times.filter((atMs) => atMs < firstMs + 1_000).length;
      assert.ok(cuts <= 8 * SETTINGS.concurrency, `${cuts} POSTs until one event was alone`);
      assert.deepEqual(
        times.slice(cuts).map((atMs) => atMs - firstMs),
        [1_000, 3_000, 7_000, 15_000],
      );
      const warnings = lines.filter(({ message }) => message === "webhook attempt failed");
      assert.equal(warnings.length, times.length);
      assert.equal(warnings.at(-1)?.fields.retry_in_ms, 16_000);
      assert.equal((await webhooks.endpoints())[0]?.state, "backing_off");
    });
  }

  test("loses nothing by it, and is well again with the first batch that it takes", async (t) => {
    const { target, webhooks, clock } = await flood(t, 422);
    target.respond = inTurn(200);
    await clock.advance(60_000);
    const [report] = await webhooks.endpoints();
    assert.deepEqual([report?.state, report?.backlog], ["healthy", 0]);
    assert.equal(report?.counters.delivered, 400);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
  });

  test("and then all but one event loses that one, after refusals of its own", async (t) => {
    const [bad = "", ...good] = channelsApart(6);
    const { occupyAndWait, target, webhooks, clock } = await openRig(t, {
      partitions: 64,
      respond: inTurn(422),
      settings: { retry: { ...SETTINGS.retry, budgetMs: 3_600_000 } },
    });
    for (const channel of [bad, ...good]) await occupyAndWait(channel);
    await clock.advance(1_200_000);
    target.respond = refusing(bad);
    const before = target.sent.length;
    await clock.advance(70_000);
    const sent = target.sent.slice(before).flatMap(({ channels }) => channels);
    assert.deepEqual(sent.filter((channel) => channel !== bad).toSorted(), good.toSorted());
    const proven = sent.slice(sent.findIndex((channel) => channel !== bad));
    assert.ok(proven.filter((channel) => channel === bad).length >= 2, "an outage refuses none");
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(
      letters.map(({ event }) => event.channel),
      [bad],
    );
    assert.equal((await webhooks.endpoints())[0]?.state, "healthy");
  });

  test("is proven well by a lane that it has not refused yet, with the next POST", async (t) => {
    const [good = "", ...bad] = channelsApart(4);
    const { occupyAndWait, target, clock } = await openRig(t, {
      partitions: 64,
      respond: ({ channels }) => answered(channels.includes(good) ? 200 : 422),
    });
    for (const channel of bad) await occupyAndWait(channel);
    await clock.advance(40_000);
    const before = target.sent.length;
    await occupyAndWait(good);
    await clock.advance(60_000);
    assert.equal(target.log()[before], good);
  });

  test("but for a part of each batch is cut until it takes something", async (t) => {
    const channels = channelsApart(43);
    const [alone, together] = [channels.slice(0, 3), channels.slice(3)];
    const isBad = (channel: string) =>
      alone.includes(channel) || together.indexOf(channel) % 3 === 0;
    const { occupyAndWait, webhooks, clock } = await openRig(t, {
      partitions: 64,
      respond: ({ channels: sent }) => answered(sent.some(isBad) ? 422 : 200),
      settings: { retry: { ...SETTINGS.retry, budgetMs: 3_600_000 } },
    });
    for (const channel of alone) await occupyAndWait(channel);
    await occupyAndWait(...together);
    assert.equal((await webhooks.endpoints())[0]?.counters.delivered, 0);
    await clock.advance(300_000);
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(
      letters.map(({ event }) => event.channel).toSorted(),
      channels.filter(isBad).toSorted(),
    );
    const [report] = await webhooks.endpoints();
    assert.deepEqual([report?.counters.delivered, report?.backlog], [26, 0]);
  });
});

describe("an endpoint that was given one event only, which it refuses", () => {
  test("backs off, kills nothing, and is sent the event of another lane at once", async (t) => {
    const [bad = "", good = ""] = channelsApart(2);
    const { occupyAndWait, target, webhooks, clock } = await openRig(t, {
      partitions: 64,
      respond: refusing(bad),
    });
    await occupyAndWait(bad);
    await clock.advance(100_000);
    const tries = target.sent.length;
    assert.ok(tries > 3 && tries < 10, `${tries} attempts in 100 s`);
    assert.equal((await webhooks.endpoints())[0]?.state, "backing_off");
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
    await occupyAndWait(good);
    assert.equal(target.log().at(-1), good);
    assert.equal((await webhooks.endpoints())[0]?.state, "healthy");
    await clock.advance(60_000);
    assert.equal((await webhooks.deadLetters("app", "one")).length, 1, "now it is proven");
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
