/** What every driver of the outbox promises its consumer. Each driver's own test runs this. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { WebhookEvent } from "../../src/protocol/webhook-event.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { compareEventIds } from "../../src/webhooks/event-id.ts";
import type {
  LaneKey,
  Loss,
  Outbox,
  OutboxEvent,
  Route,
  UnderWay,
} from "../../src/webhooks/outbox.ts";
import type { WholeOutbox } from "../../src/webhooks/whole-outbox.ts";
import { until } from "../support/until.ts";

/** An outbox of one partition with a producer, and a clock that the test moves. */
export interface OutboxUnderTest {
  readonly outbox: WholeOutbox;
  append(appId: string, channel: string, event: WebhookEvent): void | Promise<void>;
  advance(ms: number): void | Promise<void>;
}

export interface ContractBounds {
  readonly maxQueuedEvents: number;
  readonly maxDeadLetters: number;
  readonly maxDeadLetterAgeMs: number;
}

export type OpenOutbox = (t: TestContext, bounds: ContractBounds) => Promise<OutboxUnderTest>;

const WIDE = { maxQueuedEvents: 1_000, maxDeadLetters: 1_000, maxDeadLetterAgeMs: 604_800_000 };
const LANE: LaneKey = { partition: 0, appId: "app", endpointId: "one" };
const NOTHING_UNDER_WAY: UnderWay = () => 0;
const NOBODY = () => {};
const BUDGET = { status: "500", budgetMs: 300_000 };

export function outboxContract(driver: string, open: OpenOutbox): void {
  /** Opens, claims, and appends occupied events of these channels of `app`. */
  async function opened(t: TestContext, channels: string[], bounds: ContractBounds = WIDE) {
    const under = await open(t, bounds);
    t.after(() => under.outbox.close());
    const told: Loss[] = [];
    await under.outbox.listen(NOBODY, (loss) => void told.push(loss));
    await under.outbox.claim(0);
    for (const channel of channels) await under.append("app", channel, occupied(channel));
    return {
      ...under,
      /** What was told of as given up, at the latest with a claim: `<lane> <reason> <buried>+<dropped>`. */
      async losses() {
        await under.outbox.claim(0);
        return sums(told);
      },
    };
  }

  async function routeAll(
    outbox: Outbox,
    choose: (event: OutboxEvent) => readonly string[] | undefined,
    underWay: UnderWay = NOTHING_UNDER_WAY,
  ) {
    const events = await outbox.read(0, undefined, 1_000);
    return outbox.route(0, undefined, routes(events, choose), underWay);
  }

  /** As `opened`, with everything in the lane of endpoint `one`. */
  async function routed(t: TestContext, channels: string[], bounds: ContractBounds = WIDE) {
    const under = await opened(t, channels, bounds);
    await routeAll(under.outbox, () => ["one"]);
    return under;
  }

  describe(`${driver}: the stream`, () => {
    test("gives out events as they were appended, in order, with ids that grow", async (t) => {
      const { outbox } = await opened(t, ["a", "b", "a"]);
      const events = await outbox.read(0, undefined, 10);
      assert.deepEqual(channelsOf(events), ["a", "b", "a"]);
      for (const [i, { id, json, bytes, type, appId }] of events.entries()) {
        assert.match(id, /^\d+-0-\d+-\d+$/);
        assert.equal(bytes, Buffer.byteLength(json));
        assert.deepEqual([type, appId], ["channel_occupied", "app"]);
        const before = events[i - 1];
        if (before) assert.ok(compareEventIds(before.id, id) < 0);
      }
      assert.equal((await outbox.read(0, undefined, 2)).length, 2, "no more than asked for");
    });

    test("wakes its listener for an event that comes into an empty stream", async (t) => {
      const { outbox, append } = await opened(t, []);
      const woken: number[] = [];
      await outbox.listen(
        (partition) => woken.push(partition),
        () => {},
      );
      await append("app", "a", occupied("a"));
      await until("the listener is woken", () => woken.length > 0);
      assert.equal(woken[0], 0);
    });
  });

  describe(`${driver}: claiming`, () => {
    test("is new once, then mine", async (t) => {
      const { outbox } = await open(t, WIDE);
      t.after(() => outbox.close());
      assert.equal(await outbox.claim(0), "new");
      assert.equal(await outbox.claim(0), "mine");
    });

    test("is new again after a release", async (t) => {
      const { outbox } = await opened(t, []);
      await outbox.release(0);
      assert.equal(await outbox.claim(0), "new");
    });
  });

  describe(`${driver}: routing`, () => {
    test("moves each event, under its id, into the lanes that it is for, and out of the stream", async (t) => {
      const { outbox } = await opened(t, ["a", "b"]);
      const before = await outbox.read(0, undefined, 10);
      const result = await routeAll(outbox, ({ channel }) =>
        channel === "a" ? ["one", "two"] : [],
      );
      assert.deepEqual(result, { left: 0, enqueued: 2, pushedOut: [] });
      assert.deepEqual((await outbox.head(LANE, 10, 1e6)).events, [before[0]]);
      assert.deepEqual((await outbox.head({ ...LANE, endpointId: "two" }, 10, 1e6)).events, [
        before[0],
      ]);
      assert.deepEqual(await outbox.read(0, undefined, 10), []);
      assert.deepEqual((await outbox.lanes(0)).map(({ endpointId }) => endpointId).toSorted(), [
        "one",
        "two",
      ]);
    });

    test("answers how much is left, counting what came after the read", async (t) => {
      const { outbox, append } = await opened(t, ["a"]);
      const events = await outbox.read(0, undefined, 10);
      await append("app", "b", occupied("b"));
      const result = await outbox.route(
        0,
        undefined,
        routes(events, () => ["one"]),
        NOTHING_UNDER_WAY,
      );
      assert.deepEqual(result, { left: 1, enqueued: 1, pushedOut: [] });
    });

    test("twice puts nothing into a lane twice", async (t) => {
      const { outbox } = await opened(t, ["a"]);
      const events = await outbox.read(0, undefined, 10);
      const moves = routes(events, () => ["one"]);
      for (const enqueued of [1, 0]) {
        const result = await outbox.route(0, undefined, moves, NOTHING_UNDER_WAY);
        assert.deepEqual(result, { left: 0, enqueued, pushedOut: [] });
      }
      assert.equal((await outbox.head(LANE, 10, 1e6)).events.length, 1);
    });

    test("takes out of the stream what it is told to move, and nothing before or after it", async (t) => {
      const { outbox } = await opened(t, ["a", "b", "c", "d"]);
      const chosen = (await outbox.read(0, undefined, 10)).filter((_, at) => at === 1 || at === 2);
      const result = await outbox.route(
        0,
        undefined,
        routes(chosen, () => ["one"]),
        NOTHING_UNDER_WAY,
      );
      assert.deepEqual(result, { left: 2, enqueued: 2, pushedOut: [] });
      assert.deepEqual(channelsOf((await outbox.head(LANE, 10, 1e6)).events), ["b", "c"]);
      assert.deepEqual(channelsOf(await outbox.read(0, undefined, 10)), ["a", "d"]);
    });

    test("holds what has no route, in order, and what follows of that app behind it", async (t) => {
      const { outbox, append } = await opened(t, ["a", "b"]);
      await routeAll(outbox, ({ channel }) => (channel === "a" ? undefined : ["one"]));
      await append("other", "c", occupied("c"));
      await routeAll(outbox, () => ["one"]);
      assert.deepEqual(await outbox.heldApps(0), ["app"]);
      assert.deepEqual((await outbox.head(LANE, 10, 1e6)).events, []);
      const held = await outbox.read(0, "app", 10);
      assert.deepEqual(channelsOf(held), ["a", "b"]);
      assert.deepEqual(
        channelsOf((await outbox.head({ ...LANE, appId: "other" }, 10, 1e6)).events),
        ["c"],
      );
      await outbox.route(
        0,
        "app",
        routes(held, () => ["one"]),
        NOTHING_UNDER_WAY,
      );
      assert.deepEqual(channelsOf((await outbox.head(LANE, 10, 1e6)).events), ["a", "b"]);
      assert.deepEqual(await outbox.heldApps(0), []);
    });

    test("pushes out nothing that is under way, even if that leaves the lane too full", async (t) => {
      const bounds = { ...WIDE, maxQueuedEvents: 3 };
      const { outbox, append, losses } = await routed(t, ["a", "b", "c"], bounds);
      await append("app", "d", occupied("d"));
      const result = await routeAll(
        outbox,
        () => ["one"],
        () => 2,
      );
      assert.deepEqual(result, { left: 0, enqueued: 1, pushedOut: [LANE] });
      assert.deepEqual(await losses(), ["app:one overflow 1+0"]);
      const { events } = await outbox.head(LANE, 10, 1e6);
      assert.deepEqual(channelsOf(events), ["a", "b", "d"]);
      await append("app", "e", occupied("e"));
      await routeAll(
        outbox,
        () => ["one"],
        () => 4,
      );
      assert.equal((await outbox.head(LANE, 10, 1e6)).events.length, 4);
      assert.deepEqual(
        (await outbox.deadLetters("app", "one", 0, 10)).map(({ event }) => event.channel),
        ["c"],
      );
    });

    test("tells of what a full holding lane has dropped", async (t) => {
      const { outbox, losses } = await opened(t, ["a", "b", "c"], { ...WIDE, maxQueuedEvents: 2 });
      const result = await routeAll(outbox, () => undefined);
      assert.deepEqual(result, { left: 0, enqueued: 0, pushedOut: [] });
      assert.deepEqual(await losses(), ["app overflow 0+1"]);
    });

    test("tells of what operators drop, of a lane and of the dead letters", async (t) => {
      const { outbox, losses } = await routed(t, ["a", "b"]);
      const [waiting, ...rest] = await outbox.desk.waiting(LANE, 10);
      await outbox.bury(
        LANE,
        rest.map(({ id }) => id),
        "422",
      );
      for (let i = 0; i < 2; i++) {
        await outbox.desk.drop(LANE, "waiting", waiting ? [waiting] : []);
        await outbox.desk.drop(LANE, "dead", await outbox.desk.letters(LANE));
      }
      assert.deepEqual(await losses(), ["app:one operator 0+2", "app:one refused 1+0"]);
    });

    test("pushes the oldest out of a full lane into the dead letters, and tells of it once", async (t) => {
      const { outbox, losses } = await opened(t, ["a", "b", "c", "d"], {
        ...WIDE,
        maxQueuedEvents: 2,
        maxDeadLetters: 1,
      });
      const result = await routeAll(outbox, () => ["one"]);
      assert.ok(result !== "lost");
      assert.ok(result.pushedOut.every((lane) => isDeepStrictEqual(lane, LANE)));
      for (let i = 0; i < 2; i++) assert.deepEqual(await losses(), ["app:one overflow 2+1"]);
      assert.deepEqual(channelsOf((await outbox.head(LANE, 10, 1e6)).events), ["c", "d"]);
      const letters = await outbox.deadLetters("app", "one", 0, 10);
      assert.deepEqual(
        letters.map(({ event, reason }) => [event.channel, reason]),
        [["b", "overflow"]],
      );
    });
  });

  describe(`${driver}: a lane`, () => {
    test("is read from its head within the bounds, one event whatever its size", async (t) => {
      const { outbox } = await routed(t, ["a", "b", "c"]);
      const bytes = Buffer.byteLength(occupied("a").json);
      const read = async (maxEvents: number, maxBytes: number) => {
        const { events, hasMore } = await outbox.head(LANE, maxEvents, maxBytes);
        return [channelsOf(events).join(""), hasMore];
      };
      assert.deepEqual(await read(2, 1e6), ["ab", true]);
      assert.deepEqual(await read(3, 1e6), ["abc", false]);
      assert.deepEqual(await read(3, 2 * bytes + 2), ["ab", true]);
      assert.deepEqual(await read(3, 1), ["a", true]);
    });

    test("keeps what is read until it is settled, and settling twice takes nothing more", async (t) => {
      const { outbox } = await routed(t, ["a", "b", "c"]);
      const { events } = await outbox.head(LANE, 2, 1e6);
      assert.deepEqual((await outbox.head(LANE, 2, 1e6)).events, events);
      const ids = events.map(({ id }) => id);
      for (let i = 0; i < 2; i++) assert.equal(await outbox.settle(LANE, ids), "settled");
      assert.deepEqual(channelsOf((await outbox.head(LANE, 10, 1e6)).events), ["c"]);
    });

    test("loses what is settled and nothing beside it, also when some of it is gone already", async (t) => {
      const { outbox } = await routed(t, ["a", "b", "c", "d"]);
      const ids = (await outbox.head(LANE, 3, 1e6)).events.map(({ id }) => id);
      await outbox.bury(LANE, ids.slice(1, 2), "422");
      assert.equal(await outbox.settle(LANE, ids), "settled");
      assert.deepEqual(channelsOf((await outbox.head(LANE, 10, 1e6)).events), ["d"]);
      assert.equal((await outbox.backlogs()).endpoints[0]?.events, 1);
    });

    test("gives nothing up before it has failed for the whole budget", async (t) => {
      const { outbox, advance, losses } = await routed(t, ["a"]);
      await advance(1_000_000);
      assert.deepEqual(
        await outbox.fail(LANE, BUDGET),
        { buried: [], dropped: 0 },
        "the first failure",
      );
      await advance(299_999);
      assert.deepEqual(await outbox.fail(LANE, BUDGET), { buried: [], dropped: 0 });
      await advance(1);
      const result = await outbox.fail(LANE, BUDGET);
      assert.ok(result !== "lost");
      assert.equal(result.buried.length, 1);
      assert.deepEqual((await outbox.head(LANE, 10, 1e6)).events, []);
      const [letter] = await outbox.deadLetters("app", "one", 0, 10);
      assert.deepEqual([letter?.reason, letter?.status], ["budget", "500"]);
      assert.equal(letter?.event.id, result.buried[0]);
      assert.deepEqual(await losses(), ["app:one budget 1+0"]);
    });

    test("keeps events that are younger than the budget", async (t) => {
      const { outbox, append, advance } = await routed(t, ["old"]);
      await outbox.fail(LANE, BUDGET);
      await advance(200_000);
      await append("app", "young", occupied("young"));
      await routeAll(outbox, () => ["one"]);
      await advance(100_000);
      await outbox.fail(LANE, BUDGET);
      assert.deepEqual(channelsOf((await outbox.head(LANE, 10, 1e6)).events), ["young"]);
    });

    for (const begin of ["settle", "renew"] as const) {
      test(`has its budget anew after a ${begin}`, async (t) => {
        const { outbox, advance } = await routed(t, ["a", "b"]);
        const [first] = (await outbox.head(LANE, 1, 1e6)).events;
        await outbox.fail(LANE, BUDGET);
        await advance(299_000);
        if (begin === "settle") await outbox.settle(LANE, [first?.id ?? ""]);
        else await outbox.renew("app", "one");
        await outbox.fail(LANE, BUDGET);
        await advance(2_000);
        assert.deepEqual(await outbox.fail(LANE, BUDGET), { buried: [], dropped: 0 });
      });
    }

    test("gives up at most 500 events at a time", async (t) => {
      const { outbox, advance } = await routed(
        t,
        Array.from({ length: 600 }, (_, i) => `c${i}`),
      );
      await outbox.fail(LANE, BUDGET);
      await advance(300_000);
      const result = await outbox.fail(LANE, BUDGET);
      assert.ok(result !== "lost");
      assert.equal(result.buried.length, 500);
      assert.equal((await outbox.head(LANE, 1_000, 1e6)).events.length, 100);
    });

    test("lets single events be buried, and tells of it", async (t) => {
      const { outbox, losses } = await routed(t, ["a", "b"]);
      const [first] = (await outbox.head(LANE, 1, 1e6)).events;
      const id = first?.id ?? "";
      assert.deepEqual(await outbox.bury(LANE, [id], "422"), { buried: [id], dropped: 0 });
      assert.deepEqual(await outbox.bury(LANE, [id], "422"), { buried: [], dropped: 0 });
      assert.deepEqual(channelsOf((await outbox.head(LANE, 10, 1e6)).events), ["b"]);
      const [letter] = await outbox.deadLetters("app", "one", 0, 10);
      assert.deepEqual([letter?.reason, letter?.status], ["refused", "422"]);
      assert.deepEqual(await losses(), ["app:one refused 1+0"]);
    });
  });

  describe(`${driver}: what operators see`, () => {
    test("is the backlog of each endpoint with its oldest event, and what is held and unrouted", async (t) => {
      const { outbox, append, advance } = await routed(t, ["a", "b"]);
      const [oldest] = (await outbox.head(LANE, 1, 1e6)).events;
      await advance(5_000);
      await append("app", "c", occupied("c"));
      await append("stranger", "d", occupied("d"));
      const events = await outbox.read(0, undefined, 10);
      const stranger = { id: events[1]?.id ?? "", endpointIds: undefined };
      await outbox.route(0, undefined, [stranger], NOTHING_UNDER_WAY);
      assert.deepEqual(await outbox.backlogs(), {
        unrouted: 1,
        held: 1,
        overrun: 0,
        endpoints: [
          {
            appId: "app",
            endpointId: "one",
            events: 2,
            oldestMs: oldest?.decidedMs,
            deadLetters: 0,
          },
        ],
      });
    });

    test("is the dead letters in pages, oldest first, until they are too old", async (t) => {
      const { outbox, advance, losses } = await routed(t, ["a", "b", "c"], {
        ...WIDE,
        maxDeadLetterAgeMs: 1_000,
      });
      const { events } = await outbox.head(LANE, 10, 1e6);
      for (const { id } of events) await outbox.bury(LANE, [id], "422");
      const page = await outbox.deadLetters("app", "one", 1, 1);
      assert.deepEqual(
        page.map(({ event }) => event.channel),
        ["b"],
      );
      await outbox.expireDeadLetters();
      assert.deepEqual(await losses(), ["app:one refused 3+0"]);
      await advance(1_000);
      await outbox.expireDeadLetters();
      assert.deepEqual(await losses(), ["app:one age 0+3", "app:one refused 3+0"]);
      assert.deepEqual(await outbox.deadLetters("app", "one", 0, 10), []);
    });
  });
}

function occupied(channel: string): WebhookEvent {
  return channelEvent("channel_occupied", channel);
}

function channelsOf(events: readonly OutboxEvent[]): string[] {
  return events.map(({ channel }) => channel);
}

function routes(
  events: readonly OutboxEvent[],
  choose: (event: OutboxEvent) => readonly string[] | undefined,
): Route[] {
  return events.map((event) => ({ id: event.id, endpointIds: choose(event) }));
}

function sums(losses: readonly Loss[]): string[] {
  const totals = new Map<string, { buried: number; dropped: number }>();
  for (const { appId, endpointId, reason, buried, dropped } of losses) {
    const name = `${endpointId === undefined ? appId : `${appId}:${endpointId}`} ${reason}`;
    const total = totals.get(name) ?? { buried: 0, dropped: 0 };
    totals.set(name, { buried: total.buried + buried, dropped: total.dropped + dropped });
  }
  return [...totals]
    .map(([name, { buried, dropped }]) => `${name} ${buried}+${dropped}`)
    .toSorted();
}
