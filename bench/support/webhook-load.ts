/** The load of the webhook bench: events at a rate, or as many as go, counted until the receiver has them all. */
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { RedisServer } from "../../test/support/redis-server.ts";
import { until } from "../../test/support/until.ts";
import { type Cost, measureCost } from "./cost.ts";
import type { WebhookSide } from "./webhook-side.ts";

/** `undefined`: as fast as it goes. */
export type Rate = number | undefined;

export interface Moved extends Cost {
  readonly perSecond: number;
  readonly eventsPerPost: number;
}

/** How often events are decided. */
const TICK_MS = 5;
/** At saturation: events that are on their way at a time. */
const MAX_ON_THEIR_WAY = 5_000;
/** At saturation: events that are decided in one turn. */
const BURST = 100;
const WAIT_MS = 60_000;

/** Adds `count` events and waits until they are delivered. Throws when more or fewer are. */
export async function measureMove(
  server: RedisServer,
  side: WebhookSide,
  rate: Rate,
  count: number,
): Promise<Moved> {
  const before = { delivered: side.delivered(), posts: side.posts() };
  const delivered = (): number => side.delivered() - before.delivered;
  const startedMs = performance.now();
  const cost = await measureCost(server, count, async () => {
    if (rate === undefined) await addAll(side, count, delivered);
    else await addAtRate(side, rate, count);
    await until("all events are delivered", () => delivered() >= count, WAIT_MS);
  });
  const seconds = (performance.now() - startedMs) / 1_000;
  if (delivered() !== count) throw new Error(`${delivered()} deliveries of ${count} events.`);
  const eventsPerPost = count / (side.posts() - before.posts);
  return { ...cost, perSecond: count / seconds, eventsPerPost };
}

/** Adds `count` events of which nobody takes any. */
export function measureAdd(
  server: RedisServer,
  side: WebhookSide,
  rate: Rate,
  count: number,
): Promise<Cost> {
  return measureCost(server, count, async () => {
    if (rate === undefined) await addAll(side, count, () => count);
    else await addAtRate(side, rate, count);
  });
}

async function addAtRate(side: WebhookSide, rate: number, count: number): Promise<void> {
  const startedMs = performance.now();
  for (let number = 0; number < count; ) {
    const due = Math.min(count, Math.ceil((rate * (performance.now() - startedMs)) / 1_000));
    for (; number < due; number += 1) side.add(number);
    await delay(TICK_MS);
  }
  await side.added();
}

async function addAll(side: WebhookSide, count: number, delivered: () => number): Promise<void> {
  for (let number = 0; number < count; ) {
    const due = Math.min(count, number + BURST, delivered() + MAX_ON_THEIR_WAY);
    for (; number < due; number += 1) side.add(number);
    await nextTurn();
    if (number % MAX_ON_THEIR_WAY === 0) await side.added();
  }
  await side.added();
}
