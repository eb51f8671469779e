/**
 * The promise of webhooks under everything that goes wrong at once: dispatchers that crash, one that ignores its
 * lost leases, receivers that fail, answers of Redis that get lost. Each event arrives at least once at each
 * endpoint that wants it, first arrivals in order per channel, repeats under the same id.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { App } from "../../src/apps/app.ts";

import { type Log, SILENT_LOG } from "../../src/protocol/log.ts";
import { channelEvent, clientEvent } from "../../src/protocol/webhook-event.ts";
import { openConnections } from "../redis/open-connections.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint } from "../webhooks/fixtures.ts";
import { createOrderKeeper } from "../webhooks/order-keeper.ts";
import { openReceiver, type Responder } from "../webhooks/receiver.ts";
import { type Dispatcher, openDispatcher } from "../webhooks/redis-dispatcher.ts";
import { createMishaps, type Mishaps } from "../webhooks/redis-mishaps.ts";
import { createProducer } from "../webhooks/redis-producer.ts";

const PARTITIONS = 8;
const ROUNDS = 100;
const EVENTS_PER_ROUND = 30;
const MAX_WAITING = 150;
const OVERLOOKED = "webhook lane was overlooked";
const SETTINGS = {
  batching: { enabled: true, windowMs: 10, maxEvents: 50 },
  retry: { initialMs: 20, maxMs: 200, budgetMs: 600_000 },
};

/** With an even seed an endpoint has a filter: what may be for it is read before it is moved, and the rest is not. */
const FILTER = { startsWith: "room-1", endsWith: undefined, pattern: undefined };

const seeds = process.env.SEED ? [Number(process.env.SEED)] : [1, 2 * (Date.now() % 500_000)];
for (const seed of seeds) {
  test(`no event is missing or out of order, whatever goes wrong (SEED=${seed})`, async (t) => {
    const random = createSeededRandom(seed);
    const isFiltered = (appId: string): boolean => seed % 2 === 0 && appId === "other";
    const server = await startRedis(t);
    const settings = { url: server.url, partitions: PARTITIONS };

    const keepers = new Map<string, ReturnType<typeof createOrderKeeper>>();
    let invalid = 0;
    let isSound = false;
    const respond =
      (name: string): Responder =>
      (delivery, response) => {
        const luck = isSound ? 0.5 : random();
        if (!delivery.isValid) invalid += 1;
        if (luck < 0.15) return void response.writeHead(500).end();
        delivery.ids.forEach((id, at) => {
          keepers.get(name)?.arrived(id, `${delivery.events[at]?.channel}`);
        });
        // It has taken the batch, but nobody will know.
        if (luck > 0.95) response.destroy();
        else response.writeHead(200).end();
      };

    const apps: App[] = [];
    for (const id of ["app", "other"]) {
      const all = await openReceiver(t, respond(`${id}/all`));
      const some = await openReceiver(t, respond(`${id}/some`));
      for (const each of ["all", "some"]) keepers.set(`${id}/${each}`, createOrderKeeper());
      const wanted = { url: some.url, eventTypes: new Set(["client_event" as const]) };
      const onlySome = endpoint("some", isFiltered(id) ? { ...wanted, filter: FILTER } : wanted);
      apps.push(app(id, { webhooks: [endpoint("all", { url: all.url }), onlySome] }));
    }

    const overlooked: unknown[] = [];
    let dispatchers: { readonly it: Dispatcher; readonly mishaps: Mishaps }[] = [];
    async function add(): Promise<void> {
      const mishaps = createMishaps(random);
      const log: Log = {
        ...SILENT_LOG,
        warn(fields, text) {
          // One that ignores its lost leases sees the lanes of others.
          if (text === OVERLOOKED && !mishaps.isZombie) overlooked.push(fields);
        },
      };
      const options = {
        apps: appRegistry(...apps),
        redis: settings,
        settings: SETTINGS,
        random,
        log,
      };
      const it = await openDispatcher(t, { ...options, wrap: mishaps.wrap, log });
      mishaps.lostAnswers = 0.05;
      dispatchers.push({ it, mishaps });
    }
    for (let i = 0; i < 3; i++) await add();
    const { commands, keys, bus } = await openConnections(t, settings);
    const producer = createProducer(commands, keys, bus.publishCommand);
    await producer.register();

    const waiting = () => [...keepers.values()].reduce((sum, each) => sum + each.waiting, 0);

    async function decide(): Promise<void> {
      const appId = random() < 0.7 ? "app" : "other";
      const channel = `room-${Math.floor(random() * 20)}`;
      const isClient = random() < 0.5;
      const event = isClient
        ? clientEvent(channel, '"client-x"', '"{}"', "1.1", undefined)
        : channelEvent("channel_occupied", channel);
      const id = await producer.append(appId, channel, event);
      keepers.get(`${appId}/all`)?.expect(id);
      const isFor = !isFiltered(appId) || channel.startsWith(FILTER.startsWith);
      if (isClient && isFor) keepers.get(`${appId}/some`)?.expect(id);
    }

    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(Array.from({ length: EVENTS_PER_ROUND }, decide));
      await until("the receivers keep up", () => waiting() < MAX_WAITING, 30_000);
      const unlucky = dispatchers[Math.floor(random() * dispatchers.length)];
      if (!unlucky) continue;
      if (round % 30 === 10) {
        unlucky.mishaps.isZombie = true;
        await add();
      } else if (round % 30 === 20) {
        dispatchers = dispatchers.filter((each) => each !== unlucky);
        await unlucky.it.crash();
        await add();
      } else if (round % 30 === 29) {
        dispatchers = dispatchers.filter((each) => each !== unlucky);
        await unlucky.it.webhooks.close(1_000);
        await add();
      }
    }

    for (const { mishaps } of dispatchers) {
      mishaps.isZombie = false;
      mishaps.lostAnswers = 0;
    }
    isSound = true;
    await until("every event has arrived", () => waiting() === 0, 30_000);
    await until("nothing waits any more", async () => {
      const waiting = await server.call("KEYS", "*:q:*");
      return Array.isArray(waiting) && waiting.length === 0;
    });
    assert.deepEqual(overlooked, [], "the net under it was not needed");
    let repeats = 0;
    for (const [name, keeper] of keepers) {
      assert.deepEqual(keeper.unwanted(), [], name);
      assert.equal(keeper.counts.unordered, 0, name);
      repeats += keeper.counts.repeats;
    }
    assert.equal(invalid, 0, "every delivery is signed");
    assert.ok(repeats > 0, "something did go wrong");
    t.diagnostic(`${repeats} repeats, all of them caught by id`);
  });
}
