/** The load of the webhook bench: events at a rate, or as many as go, counted until the receiver has them all. */
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { DEFAULT_PARTITIONS } from "../../src/protocol/partition.ts";
import { until } from "../../test/support/until.ts";
import { type Cost, measureCost } from "./cost.ts";
import type { WebhookServer, WebhookSide } from "./webhook-side.ts";
import type { Rate } from "./webhook-task.ts";

export interface Wrote extends Cost {
  /** Undefined where nothing was written but the queue. */
  readonly eventsPerWrite: number | undefined;
}

export interface Moved extends Wrote {
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
  const before = { delivered: side.delivered(), posts: side.posts(), writes: side.writes.sent };
  const delivered = (): number => side.delivered() - before.delivered;
  const startedMs = performance.now();
  const cost = await measureCost(server, count, async () => {
    await addPaced(side, rate, count, delivered);
    await until("all events are delivered", () => delivered() >= count, WAIT_MS);
  });
  const seconds = (performance.now() - startedMs) / 1_000;
  if (delivered() !== count) throw new Error(`${delivered()} deliveries of ${count} events.`);
  const eventsPerPost = count / (side.posts() - before.posts);
  const eventsPerWrite = perWrite(count, side.writes.sent - before.writes);
  return { ...cost, perSecond: count / seconds, eventsPerPost, eventsPerWrite };
}

/**
 * Adds `count` events, or writes what decides them, of which nobody takes any. What a write costs depends on how many
 * events it decides, so `eventsPerWrite` makes them as many as in a move.
 */
export async function measureWrites(
  server: WebhookServer,
  side: WebhookSide,
  rate: Rate,
  count: number,
  eventsPerWrite: number | undefined,
): Promise<Wrote> {
  const before = side.writes.sent;
  const cost = await measureCost(server, count, () =>
    rate === undefined && eventsPerWrite !== undefined
      ? addInBursts(side, Math.ceil(eventsPerWrite * DEFAULT_PARTITIONS), count)
      : addPaced(side, rate, count, () => count),
  );
  return { ...cost, eventsPerWrite: perWrite(count, side.writes.sent - before) };
}

function perWrite(events: number, writes: number): number | undefined {
  return writes === 0 ? undefined : events / writes;
}

/** A partition decides what comes in one turn in one write. */
async function addInBursts(side: WebhookSide, burst: number, count: number): Promise<void> {
  for (let number = 0; number < count; ) {
    for (const end = Math.min(number + burst, count); number < end; number += 1) side.add(number);
    // Whether all is written shows in every channel: to look there each time would cost what is measured.
    do await delay(TICK_MS);
    while (side.writes.answered < side.writes.sent);
  }
  await side.added();
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
