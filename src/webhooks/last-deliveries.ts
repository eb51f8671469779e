/** Remembers what each endpoint took last of each event, on this node. Answers "when did it last fire?". */
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
  /** Undefined: none since the start, or it had to give way to newer ones. */
  of(appId: string, endpointId: string, type: string, channel: string): LastDelivery | undefined;
  readonly counters: {
    /** Notes that had to give way to newer ones. */
    readonly forgotten: number;
  };
}

/** Some 5 MB. */
const MOST_NOTES = 20_000;

export function createLastDeliveries(now: Now, mostNotes: number = MOST_NOTES): LastDeliveries {
  // Two generations, since each delivered event is noted: to find the longest untouched in one map costs up to 8 µs.
  let young = new Map<string, LastDelivery>();
  let old = new Map<string, LastDelivery>();
  const counters = { forgotten: 0 };

  function age(): void {
    for (const key of old.keys()) if (!young.has(key)) counters.forgotten += 1;
    old = young;
    young = new Map();
  }

  return {
    counters,
    note(appId, endpointId, event) {
      const { id: eventId, channel, type, decidedMs } = event;
      const deliveredMs = now();
      const latencyMs = Math.max(0, deliveredMs - decidedMs);
      const key = keyOf(appId, endpointId, type, channel);
      if (young.size * 2 >= mostNotes && !young.has(key)) age();
      young.set(key, { eventId, channel, deliveredMs, latencyMs });
    },
    of(appId, endpointId, type, channel) {
      const key = keyOf(appId, endpointId, type, channel);
      return young.get(key) ?? old.get(key);
    },
  };
}

/** Neither endpoint ids nor types have a colon. */
function keyOf(appId: string, endpointId: string, type: string, channel: string): string {
  return `${endpointId}:${type}:${appId.length}:${appId}${channel}`;
}
