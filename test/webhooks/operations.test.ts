/** What operators may ask, on a node that is alone: steps, what is refused, and what deliveries make of it. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { compareEventIds, partitionOfEventId } from "../../src/webhooks/event-id.ts";
import type {
  EndpointName,
  Refused,
  StepResult,
  Wanted,
  WebhookOperations,
} from "../../src/webhooks/operations.ts";
import type { DeadLetter } from "../../src/webhooks/outbox.ts";
import { isCursor } from "../../src/webhooks/steps.ts";
import { answered, held, inTurn } from "./fake-target.ts";
import { appRegistry, channelsApart, endpoint } from "./fixtures.ts";
import { openRig, type Rig, type RigOptions } from "./rig.ts";

const ONE: EndpointName = { appId: "app", endpointId: "one" };
const TWO: EndpointName = { appId: "app", endpointId: "two" };
const QUICK = { retry: { initialMs: 10, maxMs: 10, budgetMs: 1_000 } };

/** A rig whose events have died, three in each of five channels of different partitions. */
async function withDeadLetters(t: TestContext, options: RigOptions = {}) {
  const rig = await openRig(t, {
    partitions: 64,
    settings: QUICK,
    respond: inTurn(500),
    ...options,
  });
  const channels = channelsApart(5);
  for (let i = 0; i < 3; i++) await rig.occupyAndWait(...channels);
  await rig.clock.advance(5_000);
  rig.target.sent.length = 0;
  rig.target.respond = inTurn(200);
  return { ...rig, channels, operations: rig.webhooks.operations };
}

async function allLetters(
  operations: WebhookOperations,
  wanted: Wanted = {},
  limit = 4,
): Promise<{ letters: DeadLetter[]; pages: number[] }> {
  const letters: DeadLetter[] = [];
  const pages: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await operations.deadLetters(ONE, wanted, { cursor, limit });
    letters.push(...page.letters);
    pages.push(page.letters.length);
    cursor = page.next;
  } while (cursor !== undefined);
  return { letters, pages };
}

/** Goes on until there is no next step; answers how many events each step changed. */
async function inSteps(
  step: (cursor: string | undefined) => Promise<StepResult | Refused>,
): Promise<number[]> {
  const changes: number[] = [];
  let cursor: string | undefined;
  do {
    const result = await step(cursor);
    if ("refused" in result) throw new Error(result.refused);
    changes.push(result.changed);
    cursor = result.next;
  } while (cursor !== undefined);
  return changes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

const idsOf = ({ target }: Pick<Rig, "target">) => target.sent.flatMap(({ ids }) => ids);

describe("dead letters", () => {
  test("come in pages of at most the limit, by partition and in the order of their events", async (t) => {
    const { operations } = await withDeadLetters(t);
    const { letters, pages } = await allLetters(operations);
    assert.equal(letters.length, 15);
    assert.equal(new Set(letters.map(({ event }) => event.id)).size, 15);
    assert.ok(pages.every((length) => length <= 4));
    for (const [i, { event }] of letters.entries()) {
      const before = letters[i - 1]?.event.id;
      if (before === undefined) continue;
      const [a, b] = [partitionOfEventId(before), partitionOfEventId(event.id)];
      assert.ok(a < b || (a === b && compareEventIds(before, event.id) < 0));
    }
  });

  test("are those that are wanted, by id, channel, type and reason together", async (t) => {
    const { operations, channels } = await withDeadLetters(t);
    const { letters } = await allLetters(operations);
    const [first, , , last] = letters;
    assert.ok(first && last);
    const found = async (wanted: Wanted) => (await allLetters(operations, wanted)).letters.length;
    assert.equal(await found({ channel: channels[0] ?? "" }), 3);
    assert.equal(await found({ ids: new Set([first.event.id, last.event.id, "nonsense"]) }), 2);
    assert.equal(await found({ reason: "budget" }), 15);
    assert.equal(await found({ reason: "refused" }), 0);
    assert.equal(await found({ type: "channel_vacated" }), 0);
    const other = last.event.channel;
    assert.notEqual(first.event.channel, other);
    assert.equal(await found({ ids: new Set([first.event.id]), channel: other }), 0);
  });

  test("that are asked for with a cursor of nobody's are a mistake of the caller", async (t) => {
    const { operations } = await withDeadLetters(t);
    const page = await operations.deadLetters(ONE, {}, { cursor: undefined, limit: 1 });
    assert.ok(page.next !== undefined && isCursor(page.next));
    for (const cursor of ["x", "dead:1", "dead:-1:", "alive:0:", "dead:0:1-2", "dead:123456:"]) {
      assert.equal(isCursor(cursor), false);
      await assert.rejects(operations.deadLetters(ONE, {}, { cursor, limit: 4 }), RangeError);
    }
  });
});

describe("a replay", () => {
  test("delivers every dead letter with its id, in order within each channel, and is counted", async (t) => {
    const rig = await withDeadLetters(t);
    const { operations, clock, target, webhooks, channels } = rig;
    const { letters } = await allLetters(operations);
    const changes = await inSteps((cursor) => operations.replay(ONE, {}, { cursor, limit: 4 }));
    assert.equal(sum(changes), 15);
    assert.ok(changes.every((changed) => changed <= 4));
    await clock.advance(100);
    assert.deepEqual(idsOf(rig).toSorted(), letters.map(({ event }) => event.id).toSorted());
    const events = target.sent.flatMap((sent) =>
      sent.ids.map((id, i) => ({ id, channel: sent.channels[i] })),
    );
    for (const channel of channels) {
      const own = events.filter((event) => event.channel === channel).map(({ id }) => id);
      assert.deepEqual(own, own.toSorted(compareEventIds));
    }
    const [report] = await webhooks.endpoints();
    assert.deepEqual([report?.counters.replayed, report?.deadLetters], [15, 0]);
  });

  test("goes by the order of events, also when they died in another one", async (t) => {
    const rig = await openRig(t);
    const { operations } = rig.webhooks;
    await operations.pause(ONE);
    await rig.occupyAndWait("a", "b", "c");
    const lane = { ...ONE, partition: 0 };
    const { events } = await rig.outbox.head(lane, 10, 1e6);
    for (const channel of ["c", "a", "b"]) {
      const ids = events.filter((event) => event.channel === channel).map(({ id }) => id);
      await rig.outbox.bury(lane, ids, "422");
    }
    await operations.resume(ONE);
    await inSteps((cursor) => operations.replay(ONE, {}, { cursor, limit: 1 }));
    await rig.clock.advance(1_000);
    assert.deepEqual(
      idsOf(rig),
      events.map(({ id }) => id),
    );
  });

  test("of some leaves the others", async (t) => {
    const rig = await withDeadLetters(t);
    const { operations, channels, clock } = rig;
    const channel = channels[2] ?? "";
    await inSteps((cursor) => operations.replay(ONE, { channel }, { cursor, limit: 100 }));
    await clock.advance(100);
    assert.deepEqual(
      rig.target.sent.flatMap((sent) => sent.channels),
      [channel, channel, channel],
    );
    assert.equal((await allLetters(operations)).letters.length, 12);
  });

  test("ends although the endpoint still fails, and its events have a whole budget again", async (t) => {
    const { operations, clock, target, webhooks } = await withDeadLetters(t);
    target.respond = inTurn(500);
    await inSteps((cursor) => operations.replay(ONE, {}, { cursor, limit: 1 }));
    await clock.advance(900);
    assert.equal((await webhooks.endpoints())[0]?.deadLetters, 0);
    await clock.advance(1_000);
    assert.equal((await webhooks.endpoints())[0]?.deadLetters, 15);
  });

  test("stops where there is no room, and says so once nothing more can be done", async (t) => {
    const { operations, outbox, app } = await withDeadLetters(t, {
      bounds: { maxQueuedEvents: 10 },
    });
    app.settings = { ...app.settings, webhooks: [endpoint("one", { enabled: false })] };
    const { letters } = await allLetters(operations);
    assert.equal(letters.length, 15);
    const first = await operations.replay(ONE, {}, { cursor: undefined, limit: 1_000 });
    assert.ok("changed" in first && first.next !== undefined);
    assert.equal(first.changed, 10);
    const second = await operations.replay(ONE, {}, { cursor: first.next, limit: 1_000 });
    assert.match("refused" in second ? second.refused : "", /no room.*max_queued_events/);
    assert.equal((await outbox.backlogs()).endpoints[0]?.events, 10);
    assert.equal((await allLetters(operations)).letters.length, 5);
  });

  test("is refused for an endpoint that is not configured", async (t) => {
    const { operations } = await withDeadLetters(t);
    const result = await operations.replay(TWO, {}, { cursor: undefined, limit: 10 });
    assert.deepEqual(result, { refused: 'The app has no endpoint "two".' });
  });
});

describe("a drop", () => {
  test("of dead letters takes those that are wanted, in steps, counted and logged", async (t) => {
    const { operations, channels, webhooks, lines } = await withDeadLetters(t);
    const channel = channels[0] ?? "";
    const changes = await inSteps((cursor) =>
      operations.drop(ONE, { channel }, { cursor, limit: 2 }),
    );
    assert.deepEqual(changes, [2, 1]);
    assert.equal((await allLetters(operations)).letters.length, 12);
    const [report] = await webhooks.endpoints();
    assert.deepEqual([report?.counters.discarded, report?.counters.dropped], [3, 0]);
    const logged = lines.filter(({ message }) => message.endsWith("dropped by an operator"));
    assert.deepEqual(
      logged.map(({ fields }) => fields.events),
      [2, 1],
    );
  });

  test("of a backlog is refused while the endpoint is in use, and takes all once it is disabled or removed", async (t) => {
    for (const webhooks of [[endpoint("one", { enabled: false })], []]) {
      const rig = await openRig(t, { partitions: 64, respond: inTurn(500) });
      const { operations } = rig.webhooks;
      await rig.occupyAndWait(...channelsApart(5));
      const step = { cursor: undefined, limit: 100 };
      const refused = await operations.dropBacklog(ONE, step);
      assert.match("refused" in refused ? refused.refused : "", /in use/);
      rig.reload({ webhooks });
      const changes = await inSteps((cursor) => operations.dropBacklog(ONE, { cursor, limit: 2 }));
      assert.equal(sum(changes), 5);
      assert.ok(changes.every((changed) => changed <= 2));
      rig.reload({ webhooks: [endpoint("one")] });
      rig.target.respond = inTurn(200);
      rig.target.sent.length = 0;
      await rig.clock.advance(100_000);
      assert.deepEqual(rig.target.log(), [], "batches that waited are not sent");
      await rig.occupyAndWait("later");
      assert.deepEqual(rig.target.log(), ["later"]);
    }
  });

  test("of what a POST under way carries does not bring it back when the POST fails", async (t) => {
    const answer = held();
    const { occupyAndWait, reload, webhooks, clock, target } = await openRig(t, {
      respond: (_sent, number) => (number === 1 ? answer.promise : answered(200)),
    });
    await occupyAndWait("a", "b");
    reload({ webhooks: [endpoint("one", { enabled: false })] });
    await webhooks.operations.dropBacklog(ONE, { cursor: undefined, limit: 100 });
    answer.resolve(answered(500));
    await clock.advance(0);
    reload({ webhooks: [endpoint("one")] });
    await occupyAndWait("c");
    await clock.advance(10_000);
    assert.deepEqual(target.log(), ["a b", "c"]);
  });
});

describe("a move", () => {
  test("gives backlog and dead letters of a removed endpoint to another, which delivers in order", async (t) => {
    const rig = await withDeadLetters(t);
    const { operations, channels, reload, clock, target } = rig;
    target.respond = inTurn(500);
    await rig.occupyAndWait(...channels);
    await rig.occupyAndWait(...channels);
    const backlog = idsOf(rig);
    reload({ webhooks: [endpoint("two")] });
    target.respond = inTurn(200);
    target.sent.length = 0;
    const changes = await inSteps((cursor) => operations.move(ONE, "two", { cursor, limit: 3 }));
    assert.equal(sum(changes), 25);
    assert.ok(changes.every((changed) => changed <= 3));
    await clock.advance(1_000);
    const delivered = new Set(idsOf(rig));
    assert.ok(backlog.every((id) => delivered.has(id)));
    assert.equal(delivered.size, 10);
    assert.ok(target.sent.every(({ endpointId }) => endpointId === "two"));
    const [one] = await operations.status("app");
    assert.deepEqual([one?.endpointId, one?.deadLetters, one?.backlog], ["two", 15, 0]);
  });

  test("is refused while the endpoint is in use, to itself, and to one that is not configured", async (t) => {
    const { webhooks, reload } = await openRig(t);
    const { operations } = webhooks;
    const move = async (of: EndpointName, to: string) => {
      const result = await operations.move(of, to, { cursor: undefined, limit: 10 });
      return "refused" in result ? result.refused : "done";
    };
    assert.match(await move(ONE, "two"), /in use/);
    assert.match(await move(ONE, "one"), /already/);
    reload({ webhooks: [endpoint("two")] });
    assert.match(await move(ONE, "three"), /no endpoint "three"/);
    assert.equal(await move(ONE, "two"), "done");
  });
});

describe("a status", () => {
  test("has every configured endpoint and every removed one that has something, by id", async (t) => {
    const { operations, reload, clock, occupyAndWait, target } = await withDeadLetters(t);
    target.respond = inTurn(503);
    await occupyAndWait("late");
    reload({ webhooks: [endpoint("zero"), endpoint("a", { enabled: false })] });
    await operations.pause({ appId: "app", endpointId: "zero" });
    await clock.advance(10);
    const status = await operations.status("app");
    assert.deepEqual(
      status.map(({ endpointId, configured, pause, backlog, deadLetters, failing }) => [
        endpointId,
        configured,
        pause?.reason,
        backlog,
        deadLetters,
        failing?.lastStatus,
      ]),
      [
        ["a", "disabled", undefined, 0, 0, undefined],
        ["one", "removed", undefined, 1, 15, "503"],
        ["zero", "enabled", "operator", 0, 0, undefined],
      ],
    );
    assert.deepEqual(await operations.status("stranger"), []);
  });

  test("does not count a pause of another url", async (t) => {
    const { occupyAndWait, reload, webhooks } = await openRig(t, { respond: inTurn(410) });
    await occupyAndWait("a");
    const reasonNow = async () => (await webhooks.operations.status("app"))[0]?.pause?.reason;
    assert.equal(await reasonNow(), "gone");
    reload({ webhooks: [endpoint("one", { url: "http://moved.test/" })] });
    assert.equal(await reasonNow(), undefined);
  });
});

test("a retry is refused for an endpoint that nothing is sent to", async (t) => {
  const { webhooks, reload } = await openRig(t);
  const { operations } = webhooks;
  const refusal = async () => (await operations.retry(ONE))?.refused;
  assert.equal(await refusal(), undefined);
  await operations.pause(ONE);
  assert.match(String(await refusal()), /"one" is paused/);
  await operations.resume(ONE);
  assert.equal(await refusal(), undefined);
  reload({ webhooks: [endpoint("one", { enabled: false })] });
  assert.match(String(await refusal()), /"one" has enabled: false/);
  reload({ webhooks: [] });
  assert.match(String(await refusal()), /"one" is not configured/);
});

test("an event is found where it is, and one that nobody can have is not looked for", async (t) => {
  const { operations, occupyAndWait, target } = await withDeadLetters(t);
  const [letter] = (await allLetters(operations)).letters;
  assert.ok(letter);
  assert.deepEqual(await operations.find(ONE, letter.event.id), { place: "dead", letter });
  assert.equal(await operations.find(TWO, letter.event.id), undefined);
  for (const id of ["", "1-2-3", "1-64-3-4", "1-x-3-4"]) {
    assert.equal(await operations.find(ONE, id), undefined, id);
  }
  target.respond = inTurn(500);
  await occupyAndWait("a");
  const [id = ""] = target.sent.at(-1)?.ids ?? [];
  assert.equal((await operations.find(ONE, id))?.place, "waiting");
});

test("nothing is refused or done for an app that cannot be looked up", async (t) => {
  const registry = appRegistry();
  const byId = async () => {
    throw new Error("no database");
  };
  const { webhooks } = await openRig(t, { apps: { ...registry, byId } });
  const refused = { refused: "The app cannot be looked up now." };
  const step = { cursor: undefined, limit: 10 };
  assert.deepEqual(await webhooks.operations.replay(ONE, {}, step), refused);
  assert.deepEqual(await webhooks.operations.dropBacklog(ONE, step), refused);
  assert.deepEqual(await webhooks.operations.pause(ONE), refused);
  assert.deepEqual(await webhooks.operations.retry(ONE), refused);
});
