/** What every driver of the outbox promises operators. Each driver's own test runs this. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { compareEventIds } from "../../src/webhooks/event-id.ts";
import { standingOf } from "../../src/webhooks/event-standing.ts";
import type { DeadLetter, LaneKey, OutboxEvent } from "../../src/webhooks/outbox.ts";
import type { ControlListener, StoredPause } from "../../src/webhooks/outbox-controls.ts";
import type { ContractBounds, OpenOutbox } from "./outbox-contract.ts";

const WIDE = { maxQueuedEvents: 1_000, maxDeadLetters: 1_000, maxDeadLetterAgeMs: 604_800_000 };
const LANE: LaneKey = { partition: 0, appId: "app", endpointId: "one" };
const OTHER: LaneKey = { ...LANE, endpointId: "two" };
const BUDGET = { status: "500", budgetMs: 300_000 };

export function deskContract(driver: string, open: OpenOutbox): void {
  async function opened(t: TestContext, bounds: ContractBounds = WIDE) {
    const under = await open(t, bounds);
    const { outbox } = under;
    t.after(() => outbox.close());
    await outbox.claim(0);
    const touched: string[] = [];
    const heard: string[] = [];
    const listener: ControlListener = {
      pausesChanged: () => void heard.push("pauses"),
      retry: ({ appId, endpointId }) => void heard.push(`retry ${appId}:${endpointId}`),
      touched: ({ endpointId }) => void touched.push(endpointId),
    };
    outbox.controls.listen(listener);

    /** Decides events of these channels, and routes them. */
    async function put(channels: string, lane: LaneKey = LANE): Promise<OutboxEvent[]> {
      for (const channel of channels) {
        await under.append(lane.appId, channel, channelEvent("channel_occupied", channel));
      }
      const events = await outbox.read(0, undefined, 1_000);
      const routes = events.map(({ id }) => ({ id, endpointIds: [lane.endpointId] }));
      await outbox.route(0, undefined, routes, () => 0);
      return [...events];
    }

    /** As `put`, and all of them die in this order. */
    async function kill(channels: string, order = channels, lane: LaneKey = LANE) {
      const events = await put(channels, lane);
      for (const channel of order) {
        const ids = events.filter((event) => event.channel === channel).map(({ id }) => id);
        await outbox.bury(lane, ids, "422");
      }
      return events;
    }

    /** Decides events of these channels, and routes each to the endpoints one and two. */
    async function putBoth(channels: readonly string[]): Promise<readonly OutboxEvent[]> {
      for (const channel of channels) {
        await under.append(LANE.appId, channel, channelEvent("channel_occupied", channel));
      }
      const events = await outbox.read(0, undefined, 1_000);
      const routes = events.map(({ id }) => ({ id, endpointIds: ["one", "two"] }));
      await outbox.route(0, undefined, routes, () => 0);
      return events;
    }

    /** Delivers the lane in batches of 20 but for the event `refused`, which is buried; answers the ids. */
    async function deliver(lane: LaneKey, refused: string, mostBatches = 50): Promise<Set<string>> {
      const taken = new Set<string>();
      for (let i = 0; i < mostBatches; i++) {
        const { events } = await outbox.head(lane, 20, 1e6);
        const ids = events.map(({ id }) => id);
        if (ids.length === 0) break;
        const at = ids.indexOf(refused);
        if (at === 0) {
          await outbox.bury(lane, [refused], "422");
        } else {
          const good = at === -1 ? ids : ids.slice(0, at);
          for (const id of good) taken.add(id);
          await outbox.settle(lane, good);
        }
      }
      return taken;
    }

    async function dead(lane: LaneKey = LANE): Promise<DeadLetter[]> {
      const letters = await outbox.desk.letters(lane);
      const sorted = letters.toSorted((a, b) => compareEventIds(a.id, b.id));
      return sorted.map(({ letter }) => letter);
    }

    return {
      ...under,
      desk: outbox.desk,
      controls: outbox.controls,
      put,
      putBoth,
      deliver,
      kill,
      dead,
      touched,
      heard,
      letters: async (lane: LaneKey = LANE) =>
        (await outbox.desk.letters(lane)).toSorted((a, b) => compareEventIds(a.id, b.id)),
      head: async (lane: LaneKey = LANE) => (await outbox.head(lane, 100, 1e6)).events,
      waiting: async (lane: LaneKey = LANE) =>
        channelsOf((await outbox.head(lane, 100, 1e6)).events),
      deadIn: async (lane: LaneKey = LANE) => channelsOf((await dead(lane)).map(eventOf)),
    };
  }

  describe(`${driver}: a replay`, () => {
    test("puts letters behind what waits in the order that is asked for, under their ids", async (t) => {
      const { desk, put, kill, letters, head, deadIn, touched } = await opened(t);
      const killed = await kill("abc", "cab");
      await put("d");
      const [a, b, c] = await letters();
      assert.ok(a && b && c);
      assert.deepEqual(await desk.replay(LANE, [a, b]), { changed: 2, isFull: false });
      const events = await head();
      assert.deepEqual(channelsOf(events), ["d", "a", "b"]);
      assert.deepEqual(
        events.slice(1).map(({ id, json, decidedMs }) => [id, json, decidedMs]),
        killed.slice(0, 2).map(({ id, json, decidedMs }) => [id, json, decidedMs]),
      );
      assert.deepEqual(await deadIn(), ["c"]);
      assert.ok(touched.includes("one"));
    });

    test("of letters that are gone changes nothing", async (t) => {
      const { desk, kill, letters, waiting } = await opened(t);
      await kill("ab");
      const both = await letters();
      await desk.replay(LANE, both);
      assert.deepEqual(await desk.replay(LANE, both), { changed: 0, isFull: false });
      assert.deepEqual(await waiting(), ["a", "b"]);
    });

    test("is noticed by a dispatcher that believed to know the whole lane", async (t) => {
      const { desk, put, kill, letters, waiting, outbox, head } = await opened(t);
      await kill("a");
      await put("b");
      assert.deepEqual(await waiting(), ["b"]);
      await desk.replay(LANE, await letters());
      await put("c");
      assert.deepEqual(await waiting(), ["b", "a", "c"]);
      await outbox.settle(
        LANE,
        (await head()).map(({ id }) => id),
      );
      assert.deepEqual(await waiting(), []);
    });

    test("into an empty lane makes it one that has to be delivered", async (t) => {
      const { desk, kill, letters, outbox } = await opened(t);
      await kill("a");
      assert.deepEqual(await outbox.lanes(0), []);
      await desk.replay(LANE, await letters());
      assert.deepEqual(await outbox.lanes(0), [LANE]);
    });

    test("pushes nothing out of a full lane: the rest stays dead", async (t) => {
      const { desk, put, kill, letters, waiting, deadIn } = await opened(t, {
        ...WIDE,
        maxQueuedEvents: 3,
      });
      await kill("abc");
      await put("d");
      assert.deepEqual(await desk.replay(LANE, await letters()), { changed: 2, isFull: true });
      assert.deepEqual(await waiting(), ["d", "a", "b"]);
      assert.deepEqual(await deadIn(), ["c"]);
    });

    test("begins the budget of its lane anew", async (t) => {
      const { desk, put, kill, letters, outbox, advance, waiting } = await opened(t);
      await kill("a");
      await put("b");
      await outbox.fail(LANE, BUDGET);
      await advance(299_999);
      await desk.replay(LANE, await letters());
      await outbox.fail(LANE, BUDGET);
      await advance(299_999);
      await outbox.fail(LANE, BUDGET);
      assert.deepEqual(await waiting(), ["b", "a"]);
      await advance(1);
      await outbox.fail(LANE, BUDGET);
      assert.deepEqual(await waiting(), []);
    });

    test("gives the event a whole budget of its own, wherever it waits", async (t) => {
      const { desk, put, kill, letters, outbox, advance, waiting } = await opened(t);
      await kill("a");
      await put("b", OTHER);
      await outbox.fail(OTHER, BUDGET);
      await advance(299_000);
      await desk.replay(LANE, await letters());
      await desk.move(LANE, "waiting", "two", await desk.waiting(LANE, 10));
      await advance(1_000);
      await outbox.fail(OTHER, BUDGET);
      assert.deepEqual(await waiting(OTHER), ["a"]);
    });

    test("of two letters of an event puts it into its lane once", async (t) => {
      const { desk, outbox, putBoth, letters, waiting, deadIn } = await opened(t);
      const ids = (await putBoth(["a", "b"])).map(({ id }) => id);
      for (const lane of [LANE, OTHER]) await outbox.bury(lane, ids, "422");
      await desk.move(LANE, "dead", "two", await letters());
      const both = await letters(OTHER);
      assert.deepEqual(await desk.replay(OTHER, both), { changed: 2, isFull: false });
      assert.deepEqual([await waiting(OTHER), await deadIn(OTHER)], [["a", "b"], []]);
    });

    test("again, after it has died again, leaves it once in the lane", async (t) => {
      const { desk, kill, letters, outbox, waiting, head } = await opened(t);
      await kill("a");
      for (let i = 0; i < 2; i++) {
        await desk.replay(LANE, await letters());
        assert.deepEqual(await waiting(), ["a"]);
        await outbox.bury(
          LANE,
          (await head()).map(({ id }) => id),
          "422",
        );
      }
      assert.equal((await letters()).length, 1);
    });
  });

  describe(`${driver}: a drop`, () => {
    test("takes dead letters away for good, and nothing the second time", async (t) => {
      const { desk, kill, letters, deadIn, waiting } = await opened(t);
      await kill("abc");
      const some = (await letters()).slice(0, 2);
      assert.equal(await desk.drop(LANE, "dead", some), 2);
      assert.equal(await desk.drop(LANE, "dead", some), 0);
      assert.deepEqual(await deadIn(), ["c"]);
      assert.deepEqual(await waiting(), []);
    });

    test("takes away what waits, and its dispatcher forgets it", async (t) => {
      const { desk, put, waiting, outbox, touched, deadIn } = await opened(t);
      await put("abc");
      assert.deepEqual(await waiting(), ["a", "b", "c"]);
      const two = await desk.waiting(LANE, 2);
      assert.equal(await desk.drop(LANE, "waiting", two), 2);
      assert.equal(await desk.drop(LANE, "waiting", two), 0);
      assert.deepEqual(await waiting(), ["c"]);
      assert.ok(touched.includes("one"));
      await desk.drop(LANE, "waiting", await desk.waiting(LANE, 10));
      assert.deepEqual(await outbox.lanes(0), []);
      assert.deepEqual(await deadIn(), []);
    });

    test("of what is under way does not disturb its settlement or failure", async (t) => {
      const { desk, put, outbox, head, waiting } = await opened(t);
      await put("ab");
      const ids = (await head()).map(({ id }) => id);
      await desk.drop(LANE, "waiting", await desk.waiting(LANE, 10));
      assert.deepEqual(await outbox.fail(LANE, BUDGET), { buried: [], dropped: 0 });
      assert.equal(await outbox.settle(LANE, ids), "settled");
      await put("c");
      assert.deepEqual(await waiting(), ["c"]);
    });
  });

  describe(`${driver}: a move`, () => {
    test("puts what waits behind what the other endpoint has, ids and order kept", async (t) => {
      const { desk, put, head, waiting, touched } = await opened(t);
      const moved = await put("abc");
      await put("d", OTHER);
      await waiting(OTHER);
      const two = await desk.waiting(LANE, 2);
      assert.deepEqual(await desk.move(LANE, "waiting", "two", two), { changed: 2, isFull: false });
      assert.deepEqual(await desk.move(LANE, "waiting", "two", two), { changed: 0, isFull: false });
      assert.deepEqual(await waiting(), ["c"]);
      assert.deepEqual(channelsOf(await head(OTHER)), ["d", "a", "b"]);
      assert.deepEqual((await head(OTHER)).slice(1), moved.slice(0, 2));
      assert.ok(touched.includes("one") && touched.includes("two"));
    });

    test("stops where the other endpoint has no room", async (t) => {
      const { desk, put, waiting, kill, letters, deadIn } = await opened(t, {
        ...WIDE,
        maxQueuedEvents: 3,
        maxDeadLetters: 3,
      });
      await put("ab", OTHER);
      await put("cd");
      const all = await desk.waiting(LANE, 10);
      assert.deepEqual(await desk.move(LANE, "waiting", "two", all), { changed: 1, isFull: true });
      assert.deepEqual([await waiting(), await waiting(OTHER)], [["d"], ["a", "b", "c"]]);
      await kill("ef", "ef", { ...LANE, endpointId: "three" });
      await kill("gh", "gh", { ...LANE, endpointId: "four" });
      const three = { ...LANE, endpointId: "three" };
      const moved = await desk.move(three, "dead", "four", await letters(three));
      assert.deepEqual(moved, { changed: 1, isFull: true });
      assert.deepEqual(await deadIn(three), ["f"]);
      assert.deepEqual(await deadIn({ ...LANE, endpointId: "four" }), ["e", "g", "h"]);
    });

    test("onto an endpoint that has the same events leaves each to be delivered, and nothing behind", async (t) => {
      const { desk, outbox, put, putBoth, deliver } = await opened(t);
      const both = await putBoth(Array.from({ length: 45 }, (_, i) => `c${i}`));
      // By way of a third endpoint they come to other places than those that they were routed to.
      const through = { ...LANE, endpointId: "three" };
      await desk.move(LANE, "waiting", "three", await desk.waiting(LANE, 100));
      await outbox.head(OTHER, 20, 1e6);
      await desk.move(through, "waiting", "two", await desk.waiting(through, 100));
      // The note of the change is read, and the lane as it is now.
      await outbox.claim(0);
      const refused = both[30]?.id ?? "";
      const taken = await deliver(OTHER, refused, 2);
      const later = await put("xyz", OTHER);
      for (const id of await deliver(OTHER, refused)) taken.add(id);
      const wanted = [...both, ...later].map(({ id }) => id).filter((id) => id !== refused);
      assert.deepEqual([...taken].toSorted(), wanted.toSorted());
      assert.deepEqual(await outbox.lanes(0), []);
      assert.deepEqual(await desk.counts(OTHER, "waiting"), [0]);
      assert.equal((await desk.find(OTHER, refused))?.place, "dead");
    });

    test("puts what was routed to both endpoints, and waits at the other too, there once", async (t) => {
      const { desk, put, putBoth, head } = await opened(t, { ...WIDE, maxQueuedEvents: 4 });
      const both = await putBoth(["a", "b", "c"]);
      const [only] = await put("d");
      await desk.drop(OTHER, "waiting", await desk.waiting(OTHER, 1));
      const all = await desk.waiting(LANE, 10);
      assert.deepEqual(await desk.move(LANE, "waiting", "two", all), { changed: 4, isFull: false });
      assert.deepEqual(await head(OTHER), [both[1], both[2], both[0], only]);
      assert.deepEqual(await head(), []);
    });

    test("leaves dead letters what they are", async (t) => {
      const { desk, kill, letters, dead, deadIn, waiting } = await opened(t);
      await kill("ab");
      const before = await dead();
      await desk.move(LANE, "dead", "two", await letters());
      assert.deepEqual(await dead(OTHER), before);
      assert.deepEqual([await deadIn(), await waiting(OTHER)], [[], []]);
    });
  });

  describe(`${driver}: looking`, () => {
    test("finds an event where it is, and nothing of one that was delivered", async (t) => {
      const { desk, put, kill, outbox, head } = await opened(t);
      const [died] = await kill("a");
      const [waits] = await put("b");
      const [delivered] = await put("c", OTHER);
      assert.ok(died && waits && delivered);
      await outbox.settle(OTHER, [delivered.id]);
      const dead = await desk.find(LANE, died.id);
      assert.equal(dead?.place === "dead" && dead.letter.event.id, died.id);
      const calm = await desk.find(LANE, waits.id);
      assert.deepEqual(calm, { place: "waiting", event: (await head())[0], failing: undefined });
      await outbox.fail(LANE, { ...BUDGET, status: "timeout" });
      await outbox.fail(LANE, { ...BUDGET, status: "503" });
      const found = await desk.find(LANE, waits.id);
      assert.ok(found?.place === "waiting" && found.failing);
      assert.deepEqual([found.failing.lastStatus, found.failing.attempts > 1], ["503", true]);
      assert.equal(await desk.find(OTHER, delivered.id), undefined);
      assert.equal(await desk.find(OTHER, died.id), undefined);
    });

    test("tells where the events of a type on a channel stand", async (t) => {
      const { desk, put, kill } = await opened(t);
      await kill("abb");
      const [latest] = await kill("b");
      await put("acb", OTHER);
      const [waits] = await put("a");
      await put("ca");
      const of = { appId: "app", endpointId: "one" };
      const a = await standingOf(desk, of, "channel_occupied", "a");
      assert.deepEqual(
        [a.waiting.found, a.waiting.isComplete, a.waiting.oldest?.id, a.dead.found],
        [2, true, waits?.id, 1],
      );
      const b = await standingOf(desk, of, "channel_occupied", "b");
      assert.deepEqual([b.waiting.found, b.dead.found], [0, 3]);
      assert.equal(b.dead.latest?.event.id, latest?.id);
      const vacated = await standingOf(desk, of, "channel_vacated", "b");
      assert.deepEqual([vacated.waiting.found, vacated.dead.found], [0, 0]);
    });

    test("finds an event far behind in a lane", async (t) => {
      const { desk, put } = await opened(t);
      let last: OutboxEvent | undefined;
      for (let i = 0; i < 12; i++)
        last = (await put("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")).at(-1);
      assert.equal((await desk.find(LANE, last?.id ?? ""))?.place, "waiting");
    });

    test("sums up each endpoint of one app, with its oldest event and longest failure", async (t) => {
      const { desk, put, kill, outbox, advance } = await opened(t);
      await kill("a");
      const [oldest] = await put("b");
      await put("c");
      await kill("d", "d", OTHER);
      await put("e", { ...LANE, appId: "stranger" });
      await outbox.fail(LANE, BUDGET);
      await advance(5_000);
      const backlogs = await desk.backlogs("app");
      const one = backlogs.find(({ endpointId }) => endpointId === "one");
      assert.deepEqual(
        [one?.events, one?.oldestMs, one?.deadLetters, one?.failing?.lastStatus],
        [2, oldest?.decidedMs, 1, "500"],
      );
      const two = backlogs.find(({ endpointId }) => endpointId === "two");
      assert.deepEqual([two?.events, two?.deadLetters, two?.failing], [0, 1, undefined]);
      assert.equal(backlogs.length, 2);
      assert.deepEqual(await desk.counts(LANE, "waiting"), [2]);
      assert.deepEqual(await desk.counts(LANE, "dead"), [1]);
    });
  });

  describe(`${driver}: a pause`, () => {
    const ONE = { appId: "app", endpointId: "one" };
    const OPERATORS: StoredPause = { reason: "operator", sinceMs: 1, urlHash: undefined };
    const GONE: StoredPause = { reason: "gone", sinceMs: 2, urlHash: "abc" };

    test("is kept until it is ended, and whoever dispatches is told of both", async (t) => {
      const { controls, heard } = await opened(t);
      await controls.pause(ONE, GONE);
      assert.deepEqual([...(await controls.pauses())], [["app:one", GONE]]);
      assert.ok(heard.splice(0).includes("pauses"));
      await controls.resume(ONE);
      await controls.resume(ONE);
      assert.deepEqual([...(await controls.pauses())], []);
      assert.ok(heard.includes("pauses"));
    });

    test("of an operator takes the place of one by a 410, and not the other way", async (t) => {
      const { controls } = await opened(t);
      await controls.pause(ONE, GONE);
      await controls.pause(ONE, { ...GONE, sinceMs: 3 });
      assert.equal((await controls.pauses()).get("app:one")?.sinceMs, 3);
      await controls.pause(ONE, OPERATORS);
      await controls.pause(ONE, GONE);
      assert.deepEqual((await controls.pauses()).get("app:one"), OPERATORS);
    });

    test("is not ended for one that it is not", async (t) => {
      const { controls } = await opened(t);
      await controls.pause(ONE, OPERATORS);
      await controls.resume(ONE, GONE);
      assert.equal((await controls.pauses()).size, 1);
      await controls.resume(ONE, OPERATORS);
      assert.equal((await controls.pauses()).size, 0);
    });

    test("is nothing to a dispatcher that is told to try an endpoint", async (t) => {
      const { controls, heard } = await opened(t);
      await controls.retry(ONE);
      assert.deepEqual(heard, ["retry app:one"]);
    });
  });
}

function channelsOf(events: readonly OutboxEvent[]): string[] {
  return events.map(({ channel }) => channel);
}

function eventOf({ event }: DeadLetter): OutboxEvent {
  return event;
}
