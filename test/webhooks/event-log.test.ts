import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Log, SILENT_LOG } from "../../src/protocol/log.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { createEventLog, type EventLogParts } from "../../src/webhooks/event-log.ts";
import { createWantedEvents } from "../../src/webhooks/wanted-events.ts";
import { app, appRegistry, endpoint } from "./fixtures.ts";

function open(changes: Partial<EventLogParts> = {}) {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const log: Log = { ...SILENT_LOG, error: (fields) => lines.push(fields) };
  const parts = { partitions: 1, now: () => 0, epoch: 0, log, maxUnroutedEvents: 200 };
  const events = createEventLog({ ...parts, ...changes });
  return {
    events,
    lines,
    occupy: (appId: string, channel: string) =>
      events.append(appId, channel, channelEvent("channel_occupied", channel)),
    waiting: () => events.stream(0).peek(1_000),
  };
}

describe("a stream that is full", () => {
  test("drops the oldest of the app that fills it, and nothing of another", () => {
    const { events, occupy, waiting } = open();
    occupy("small", "a");
    for (let i = 0; i < 250; i++) occupy("flood", `c${i}`);
    assert.equal(waiting()[0]?.appId, "small");
    const [firstOfFlood] = waiting().filter(({ appId }) => appId === "flood");
    assert.equal(firstOfFlood?.channel, `c${events.counters.dropped}`);
    assert.equal(events.counters.appended, 251);
    assert.equal(waiting().length + events.counters.dropped, 251);
    assert.ok(waiting().length <= 200);
  });

  test("says in the log whose events were dropped, and how many", () => {
    const { events, occupy, lines } = open();
    for (let i = 0; i < 250; i++) occupy("flood", `c${i}`);
    assert.deepEqual(new Set(lines.map(({ app_id }) => app_id)), new Set(["flood"]));
    const logged = lines.reduce((sum, { events: count }) => sum + Number(count), 0);
    assert.equal(logged, events.counters.dropped);
  });
});

describe("an event that no webhook of its app wants", () => {
  const vacatedOnly = endpoint("one", {
    eventTypes: new Set(["channel_vacated"]),
    filter: { startsWith: "room-", endsWith: undefined, pattern: undefined },
  });

  test("is not appended, and counted", () => {
    const isWanted = createWantedEvents(appRegistry(app("app", { webhooks: [vacatedOnly] })));
    const { events, waiting } = open({ isWanted });
    for (const [type, channel] of [
      ["channel_occupied", "room-1"],
      ["channel_vacated", "lobby"],
      ["channel_vacated", "room-1"],
    ] as const) {
      events.append("app", channel, channelEvent(type, channel));
    }
    assert.deepEqual(
      waiting().map(({ type, channel }) => [type, channel]),
      [["channel_vacated", "room-1"]],
    );
    assert.deepEqual(events.counters, { appended: 1, unwanted: 2, dropped: 0 });
  });

  test("is judged by the settings of the moment", () => {
    const owner = app("app", { webhooks: [vacatedOnly] });
    const { occupy, waiting } = open({ isWanted: createWantedEvents(appRegistry(owner)) });
    owner.settings = { ...owner.settings, webhooks: [endpoint("one")] };
    occupy("app", "a");
    assert.equal(waiting().length, 1);
  });

  test("is appended where that cannot be told: an unknown app, a slow look-up, a bad pattern", () => {
    const bad = endpoint("one", {
      filter: { startsWith: undefined, endsWith: undefined, pattern: "(" },
    });
    const registry = appRegistry(app("bad", { webhooks: [bad] }));
    const byId = (id: string) =>
      id === "slow" ? Promise.reject(new Error("no database")) : registry.byId(id);
    const { occupy, waiting } = open({ isWanted: createWantedEvents({ ...registry, byId }) });
    for (const appId of ["unknown", "slow", "bad"]) occupy(appId, "a");
    assert.equal(waiting().length, 3);
  });
});
