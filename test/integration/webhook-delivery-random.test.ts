/**
 * Random events for several apps and endpoints, to receivers that fail in random ways, over an outbox that
 * answers late: each endpoint gets exactly what its filter takes, and first arrivals are in order per channel.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { compareEventIds } from "../../src/webhooks/event-id.ts";
import type { WholeOutbox } from "../../src/webhooks/whole-outbox.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint, SETTINGS } from "../webhooks/fixtures.ts";
import { openPipeline } from "../webhooks/pipeline.ts";
import { type Delivery, openReceiver, type Responder } from "../webhooks/receiver.ts";

const APPS = ["app0", "app1", "app2"];
const TYPES = ["client_event", "subscription_count"] as const;
const EVENTS = 1_500;
const FAILING = 0.25;

interface Expected {
  readonly endpoint: string;
  readonly channel: string;
  readonly n: number;
}

const seeds = process.env.SEED ? [Number(process.env.SEED)] : [1, 2, Date.now() % 1_000_000];
for (const seed of seeds) {
  test(`nothing is lost, invented or out of order (SEED=${seed})`, async (t) => {
    const random = createSeededRandom(seed);
    const arrived = new Map<string, Delivery[]>();
    const receivers = new Map<string, string>();
    for (const id of ["all", "counts", "beta"]) {
      const taken: Delivery[] = [];
      arrived.set(id, taken);
      receivers.set(id, (await openReceiver(t, flaky(random, taken))).url);
    }
    const filter = { startsWith: "beta-", endsWith: undefined, pattern: undefined };
    const webhooksOf = (appId: string) => [
      endpoint("all", { url: `${receivers.get("all")}&app=${appId}` }),
      endpoint("counts", {
        url: `${receivers.get("counts")}&app=${appId}`,
        eventTypes: new Set(["subscription_count"]),
      }),
      endpoint("beta", { url: `${receivers.get("beta")}&app=${appId}`, filter }),
    ];
    const { events, webhooks } = await openPipeline(t, {
      apps: appRegistry(...APPS.map((id) => app(id, { webhooks: webhooksOf(id) }))),
      partitions: 8,
      random,
      settings: {
        timeoutMs: 100,
        batching: { ...SETTINGS.batching, windowMs: 3, maxEvents: 10 },
        retry: { initialMs: 1, maxMs: 20, budgetMs: 300_000 },
      },
      wrap: (outbox) => late(outbox, random),
    });

    const expected: Expected[] = [];
    for (let n = 0; n < EVENTS; n++) {
      const appId = pick(random, APPS);
      const channel = `${pick(random, ["beta", "room"])}-${Math.floor(random() * 6)}`;
      const type = pick(random, TYPES);
      events.append(appId, channel, {
        type,
        json: `{"name":"${type}","channel":"${channel}","n":${n}}`,
      });
      expected.push({ endpoint: "all", channel: `${appId} ${channel}`, n });
      if (type === "subscription_count") {
        expected.push({ endpoint: "counts", channel: `${appId} ${channel}`, n });
      }
      if (channel.startsWith("beta-")) {
        expected.push({ endpoint: "beta", channel: `${appId} ${channel}`, n });
      }
      if (random() < 0.02) await delay(random() * 5);
    }
    await until(
      "nothing waits",
      async () => {
        const { unrouted, held } = await webhooks.queues();
        const reports = await webhooks.endpoints();
        return unrouted + held === 0 && reports.every(({ backlog }) => backlog === 0);
      },
      60_000,
    );

    for (const [id, taken] of arrived) {
      const due = expected.filter((each) => each.endpoint === id);
      assert.deepEqual(firstArrivals(taken), group(due), `endpoint ${id}`);
    }
    for (const { deadLetters, counters } of await webhooks.endpoints()) {
      assert.deepEqual([deadLetters, counters.dead], [0, 0]);
    }
  });
}

/** Takes a delivery, or fails in some way, perhaps after having taken it. */
function flaky(random: () => number, taken: Delivery[]): Responder {
  return (delivery, response) => {
    assert.equal(delivery.isValid, true);
    const luck = random() / FAILING;
    if (luck > 0.4) taken.push(delivery);
    if (luck < 0.2) response.writeHead(pickStatus(random)).end();
    else if (luck < 0.39) response.socket?.resetAndDestroy();
    else if (luck < 0.4) response.writeHead(200).write("no end");
    else if (luck < 0.7) response.socket?.resetAndDestroy();
    else if (luck < 1) response.writeHead(502).end();
    else setTimeout(() => response.writeHead(204).end(), random() * 4);
  };
}

function pickStatus(random: () => number): number {
  return pick(random, [500, 503, 429, 408, 302]);
}

/** The numbers of each channel, in the order in which their ids first arrived. */
function firstArrivals(taken: readonly Delivery[]): Record<string, number[]> {
  const seen = new Set<string>();
  const highest = new Map<string, string>();
  const arrivals: { channel: string; n: number }[] = [];
  for (const { ids, events, path } of taken) {
    const appId = new URL(path, "http://receiver.test").searchParams.get("app");
    for (const [i, event] of events.entries()) {
      const id = ids[i] ?? "";
      const channel = `${appId} ${event.channel}`;
      if (seen.has(`${appId} ${id}`)) continue;
      seen.add(`${appId} ${id}`);
      const before = highest.get(channel);
      assert.ok(before === undefined || compareEventIds(before, id) < 0, "ids grow in a channel");
      highest.set(channel, id);
      arrivals.push({ channel, n: (event as unknown as { n: number }).n });
    }
  }
  return group(arrivals);
}

function group(all: readonly { readonly channel: string; readonly n: number }[]) {
  const groups: Record<string, number[]> = {};
  for (const { channel, n } of all) {
    groups[channel] ??= [];
    groups[channel].push(n);
  }
  return groups;
}

/** Answers every call after 0 to 3 ms, as a driver does that has to ask elsewhere. */
function late(outbox: WholeOutbox, random: () => number): WholeOutbox {
  const slow =
    <A extends unknown[], R>(call: (...args: A) => R | Promise<R>) =>
    async (...args: A): Promise<R> => {
      await delay(random() * 1.5);
      const result = await call(...args);
      await delay(random() * 1.5);
      return result;
    };
  return {
    ...outbox,
    sweep: slow(outbox.sweep),
    heldApps: slow(outbox.heldApps),
    read: slow(outbox.read),
    route: slow(outbox.route),
    head: slow(outbox.head),
    settle: slow(outbox.settle),
    fail: slow(outbox.fail),
  };
}

function pick<T>(random: () => number, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T;
}
