/** Tells the delivery, the counters and the log what was moved into lanes, and what a bound pushed out of them. */
import type { App } from "../apps/app.ts";
import { isWebhookEventType } from "../protocol/webhook-event.ts";
import type { DispatchContext } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import type { Loss, OutboxEvent, Route } from "./outbox.ts";

export interface RouteResults {
  /** Of each event, in order, its route. */
  announce(
    partition: number,
    events: readonly OutboxEvent[],
    routes: readonly Route[],
    known: ReadonlyMap<string, App | undefined>,
  ): void;
  book(loss: Loss): void;
  readonly counters: {
    /** Events dropped from holding lanes of unknown apps: lost. */
    readonly heldDropped: number;
  };
}

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
    const counts = new Map<string, { appId: string; endpointId: string; count: number }>();
    events.forEach(({ appId, type }, at) => {
      for (const endpointId of routes[at]?.endpointIds ?? []) {
        const { counters: endpoint } = delivery.endpoint(appId, endpointId);
        if (isWebhookEventType(type)) endpoint.routed[type] += 1;
        const name = `${appId}:${endpointId}`;
        const lane = counts.get(name) ?? { appId, endpointId, count: 0 };
        lane.count += 1;
        counts.set(name, lane);
      }
    });
    const { enabled, windowMs } = settings.batching;
    for (const { appId, endpointId, count } of counts.values()) {
      const batches = enabled && known.get(appId)?.settings.batchWebhooks === true;
      delivery.routed({ partition, appId, endpointId }, count, batches ? windowMs : 0);
    }
  }

  function book({ partition, appId, endpointId, buried, dropped }: Loss): void {
    // Without any buried, they were dead letters that were too old.
    const reason = buried === 0 && endpointId !== undefined ? "age" : "overflow";
    losses.note(appId, endpointId, reason, buried, dropped);
    if (endpointId === undefined) {
      counters.heldDropped += dropped;
      return;
    }
    const { counters: endpoint } = delivery.endpoint(appId, endpointId);
    endpoint.dead += buried;
    endpoint.dropped += dropped;
    if (buried > 0) delivery.pushedOut({ partition, appId, endpointId });
  }

  return { announce, book, counters };
}
