/** The load of the webhook bench: events at a rate, or as many as go, counted until the receiver has them all. */
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import { type Cost, measureCost } from "./cost.ts";
import type { WebhookServer, WebhookSide } from "./webhook-side.ts";
import type { Rate } from "./webhook-task.ts";

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
  server: WebhookServer,
  side: WebhookSide,
  rate: Rate,
  count: number,
): Promise<Moved> {
  const before = { delivered: side.delivered(), posts: side.posts() };
  const delivered = (): number => side.delivered() - before.delivered;
  const startedMs = performance.now();
  const cost = await measureCost(server, count, async () => {
    await addPaced(side, rate, count, delivered);
    await until("all events are delivered", () => delivered() >= count, WAIT_MS);
  });
  const seconds = (performance.now() - startedMs) / 1_000;
  if (delivered() !== count) throw new Error(`${delivered()} deliveries of ${count} events.`);
  const eventsPerPost = count / (side.posts() - before.posts);
  return { ...cost, perSecond: count / seconds, eventsPerPost };
}

/** Adds `count` events, or writes what decides them, of which nobody takes any. */
export function measureWrites(
  server: WebhookServer,
  side: WebhookSide,
  rate: Rate,
  count: number,
): Promise<Cost> {
  return measureCost(server, count, () => addPaced(side, rate, count, () => count));
}

async function addPaced(
  side: WebhookSide,
  rate: Rate,
  count: number,
  delivered: () => number,
): Promise<void> {
  const startedMs = performance.now();
  for (let number = 0; number < count; ) {
    const due =
      rate === undefined
        ? Math.min(number + BURST, delivered() + MAX_ON_THEIR_WAY)
        : Math.ceil((rate * (performance.now() - startedMs)) / 1_000);
    const isFull = due <= number;
    for (; number < Math.min(count, due); number += 1) side.add(number);
    // Without a rate it waits only when too many are on their way: a loop would cost what is measured.
    await (rate === undefined && !isFull ? nextTurn() : delay(TICK_MS));
  }
  await side.added();
}
