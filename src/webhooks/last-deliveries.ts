/** Remembers what each endpoint took last of each type of event, on this node. Answers "when did it last fire?". */
import type { OutboxEvent } from "./outbox.ts";
import type { Now } from "./timer.ts";

export interface LastDelivery {
  readonly eventId: string;
  readonly channel: string;
  /** Of the 2xx, epoch ms. */
  readonly deliveredMs: number;
  /** From the decision to the 2xx. */
  readonly latencyMs: number;
}

export interface LastDeliveries {
  note(appId: string, endpointId: string, event: OutboxEvent): void;
  of(appId: string, endpointId: string, type: string): LastDelivery | undefined;
  readonly counters: {
    /** Notes that had to give way to newer ones. */
    readonly forgotten: number;
  };
}

/** Seven types for some thousand endpoints. */
const MOST_NOTES = 20_000;

export function createLastDeliveries(now: Now, mostNotes: number = MOST_NOTES): LastDeliveries {
  /** Longest untouched first. */
  const notes = new Map<string, LastDelivery>();
  const counters = { forgotten: 0 };
  return {
    counters,
    note(appId, endpointId, event) {
      const key = keyOf(appId, endpointId, event.type);
      const deliveredMs = now();
      notes.delete(key);
      notes.set(key, {
        eventId: event.id,
        channel: event.channel,
        deliveredMs,
        latencyMs: Math.max(0, deliveredMs - event.decidedMs),
      });
      if (notes.size <= mostNotes) return;
      const [oldest] = notes.keys();
      if (oldest !== undefined) notes.delete(oldest);
      counters.forgotten += 1;
    },
    of: (appId, endpointId, type) => notes.get(keyOf(appId, endpointId, type)),
  };
}

/** Neither endpoint ids nor types have a colon. */
function keyOf(appId: string, endpointId: string, type: string): string {
  return `${endpointId}:${type}:${appId}`;
}
