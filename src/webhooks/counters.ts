/** What is counted for each endpoint. Plain numbers that only grow; labels are configured ids and closed sets. */
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from "../protocol/webhook-event.ts";
import { OUTCOMES, type Outcome } from "./outcome.ts";

export interface EndpointCounters {
  /** Events put into a lane of the endpoint. */
  readonly routed: Record<WebhookEventType, number>;
  readonly attempts: Record<Outcome, number>;
  /** Events acknowledged by a 2xx. */
  delivered: number;
  /** Events given up, which are or were dead letters. */
  dead: number;
  /** Dead letters that fell out by count or age: lost. */
  dropped: number;
  /** Dead letters put back into a lane by an operator at this node. */
  replayed: number;
  /** Events of this node's partitions that an operator has dropped: dead letters, or what waited. */
  discarded: number;
}

export function createEndpointCounters(): EndpointCounters {
  return {
    routed: zeros(WEBHOOK_EVENT_TYPES),
    attempts: zeros(OUTCOMES),
    delivered: 0,
    dead: 0,
    dropped: 0,
    replayed: 0,
    discarded: 0,
  };
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
