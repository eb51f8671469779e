/** Tells the delivery, the counters and the log what was moved into lanes, and what was given up. */
import type { App } from "../apps/app.ts";
import { isWebhookEventType } from "../protocol/webhook-event.ts";
import type { DispatchContext } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import type { Loss, OutboxEvent, Route, Way } from "./outbox.ts";

export interface RouteResults {
  /** Of each event, in order, its route. */
  announce(
    partition: number,
    events: readonly OutboxEvent[],
    routes: readonly Route[],
    known: ReadonlyMap<string, App | undefined>,
  ): void;
  /** Of each way, in order, how many events went it. */
  announceTaken(
    partition: number,
    ways: readonly Way[],
    counts: readonly number[],
    known: ReadonlyMap<string, App | undefined>,
  ): void;
  book(loss: Loss): void;
  readonly counters: {
    /** Events dropped from holding lanes of unknown apps: lost. */
    readonly heldDropped: number;
  };
}

/** Events that came into each lane of a partition, by `<app>:<endpoint>`. */
type Counts = Map<string, { appId: string; endpointId: string; events: number }>;

export function createRouteResults(
  { settings, losses }: DispatchContext,
  delivery: Delivery,
): RouteResults {
  const counters = { heldDropped: 0 };

  function announce(
    partition: number,
    events: readonly OutboxEvent[],
    routes: readonly Route[],
    known: ReadonlyMap<string, App | undefined>,
  ): void {
    const counts: Counts = new Map();
    events.forEach(({ appId, type }, at) => {
      for (const endpointId of routes[at]?.endpointIds ?? []) {
        count(counts, appId, endpointId, type, 1);
      }
    });
    tell(partition, counts, known);
  }

  function announceTaken(
    partition: number,
    ways: readonly Way[],
    taken: readonly number[],
    known: ReadonlyMap<string, App | undefined>,
  ): void {
    const counts: Counts = new Map();
    ways.forEach(({ appId, type, endpointIds }, at) => {
      const events = taken[at] ?? 0;
      if (events === 0) return;
      for (const endpointId of endpointIds) count(counts, appId, endpointId, type, events);
    });
    tell(partition, counts, known);
  }

  function count(
    counts: Counts,
    appId: string,
    endpointId: string,
    type: string,
    events: number,
  ): void {
    const { counters: endpoint } = delivery.endpoint(appId, endpointId);
    if (isWebhookEventType(type)) endpoint.routed[type] += events;
    const name = `${appId}:${endpointId}`;
    const lane = counts.get(name) ?? { appId, endpointId, events: 0 };
    lane.events += events;
    counts.set(name, lane);
  }

  function tell(
    partition: number,
    counts: Counts,
    known: ReadonlyMap<string, App | undefined>,
  ): void {
    const { enabled, windowMs } = settings.batching;
    for (const { appId, endpointId, events } of counts.values()) {
      const batches = enabled && known.get(appId)?.settings.batchWebhooks === true;
      delivery.routed({ partition, appId, endpointId }, events, batches ? windowMs : 0);
    }
  }

  function book({ appId, endpointId, reason, buried, dropped }: Loss): void {
    // Whoever has dropped them is told so.
    if (reason !== "operator") losses.note(appId, endpointId, reason, buried, dropped);
    if (endpointId === undefined) {
      counters.heldDropped += dropped;
      return;
    }
    const { counters: endpoint } = delivery.endpoint(appId, endpointId);
    endpoint.dead += buried;
    if (reason === "operator") endpoint.discarded += dropped;
    else endpoint.dropped += dropped;
  }

  return { announce, announceTaken, book, counters };
}
