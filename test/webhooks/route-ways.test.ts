import assert from "node:assert/strict";
import { test } from "node:test";
import type { App } from "../../src/apps/app.ts";
import { createMatcher } from "../../src/webhooks/match.ts";
import type { OutboxEvent } from "../../src/webhooks/outbox.ts";
import { createRouteWays } from "../../src/webhooks/route-ways.ts";
import { app, endpoint } from "./fixtures.ts";

const FILTER = { startsWith: "x", endsWith: undefined, pattern: undefined };

function event(appId: string, type: string): OutboxEvent {
  const id = "1-0-1-0";
  return { id, appId, type, channel: "c", json: "{}", bytes: 2, decidedMs: 1, retriedFromMs: 1 };
}

function setUp(...known: readonly App[]) {
  const apps = new Map<string, App | undefined>(known.map((each) => [each.id, each]));
  const ways = createRouteWays(async (appId) => apps.get(appId), createMatcher());
  return {
    apps,
    note: (...events: readonly OutboxEvent[]) => ways.note(3, events, apps),
    noteOf: (partition: number, ...events: readonly OutboxEvent[]) =>
      ways.note(partition, events, apps),
    /** `<app>:<type>:<endpoints>` of each way. */
    async told(partition = 3) {
      const found = await ways.of(partition);
      return found?.ways.map(({ appId, type, endpointIds }) => `${appId}:${type}:${endpointIds}`);
    },
  };
}

const occupied = event("a", "channel_occupied");
const vacated = event("a", "channel_vacated");

test("ways are told once what came last had come before", async () => {
  const { note, told } = setUp(app("a", { webhooks: [endpoint("one"), endpoint("two")] }));
  assert.equal(await told(), undefined);
  note(occupied);
  assert.equal(await told(), undefined);
  note(occupied);
  assert.deepEqual(await told(), ["a:channel_occupied:one,two"]);
  note(occupied, vacated);
  assert.equal(await told(), undefined);
  note(vacated);
  assert.deepEqual(await told(), ["a:channel_occupied:one,two", "a:channel_vacated:one,two"]);
});

test("ways are told at once of what came in numbers", async () => {
  const { note, told } = setUp(app("a", { webhooks: [endpoint("one")] }));
  note(vacated, occupied, vacated, occupied, vacated, occupied, vacated);
  assert.equal(await told(), undefined);
  note(...Array.from({ length: 4 }, () => event("a", "cache_miss")));
  assert.deepEqual((await told())?.at(-1), "a:cache_miss:one");
});

test("of a partition of which nothing is known the ways of another are told", async () => {
  const { note, noteOf, told } = setUp(app("a", { webhooks: [endpoint("one")] }));
  note(occupied);
  note(occupied);
  assert.deepEqual(await told(4), ["a:channel_occupied:one"]);
  noteOf(4, vacated);
  assert.equal(await told(4), undefined);
  assert.deepEqual(await told(3), ["a:channel_occupied:one"]);
});

test("ways are told as the settings of this moment say", async () => {
  const one = app("a", { webhooks: [endpoint("one")] });
  const { note, told, apps } = setUp(one);
  note(occupied);
  note(occupied);
  one.settings = { ...one.settings, webhooks: [endpoint("two")] };
  assert.deepEqual(await told(), ["a:channel_occupied:two"]);
  one.settings = { ...one.settings, webhooks: [] };
  assert.deepEqual(await told(), ["a:channel_occupied:"]);
  one.settings = { ...one.settings, webhooks: [endpoint("one", { filter: FILTER })] };
  assert.equal(await told(), undefined);
  one.settings = { ...one.settings, webhooks: [endpoint("one")] };
  apps.delete("a");
  assert.equal(await told(), undefined);
});

test("an app that has gone, or has a filter now, takes away no ways but its own", async () => {
  const webhooks = [endpoint("one")];
  const [filtered, gone] = [app("filtered", { webhooks }), app("gone", { webhooks })];
  const { note, told, apps } = setUp(app("a", { webhooks }), filtered, gone);
  const all = ["a", "filtered", "gone"].map((id) => event(id, "channel_occupied"));
  note(...all);
  note(...all);
  assert.equal((await told())?.length, 3);
  apps.delete("gone");
  filtered.settings = { ...filtered.settings, webhooks: [endpoint("one", { filter: FILTER })] };
  assert.deepEqual(await told(), ["a:channel_occupied:one"]);
  assert.deepEqual(await told(4), ["a:channel_occupied:one"]);
});

test("no way is told while what comes has to be looked at", async () => {
  const filtered = app("filtered", { webhooks: [endpoint("one", { filter: FILTER })] });
  const { note, told } = setUp(app("a", { webhooks: [endpoint("one")] }), filtered);
  for (const odd of [
    event("stranger", "channel_occupied"),
    event("filtered", "channel_occupied"),
    event("a", "of a later release"),
  ]) {
    for (let i = 0; i < 3; i++) note(occupied, odd);
    assert.equal(await told(), undefined);
  }
  note(occupied);
  assert.deepEqual(await told(), ["a:channel_occupied:one"]);
});

test("the ways of eight apps and types are remembered, those that came last", async () => {
  const apps = Array.from({ length: 9 }, (_, n) => app(`${n}`, { webhooks: [endpoint("one")] }));
  const { note, told } = setUp(...apps);
  for (const { id } of apps) note(event(id, "channel_occupied"));
  note(event("3", "channel_occupied"));
  const names = (await told())?.map((way) => way[0]).join("");
  assert.equal(names, "12456783");
});
