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

/** What an endpoint of an app took of one type, by channel: looked up by the channel's own text, hashed already. */
interface Series {
  readonly appId: string;
  readonly endpointId: string;
  readonly type: string;
  young: Map<string, LastDelivery>;
  old: Map<string, LastDelivery>;
}

export function createLastDeliveries(now: Now, mostNotes: number = MOST_NOTES): LastDeliveries {
  // Two generations, since each delivered event is noted: to find the longest untouched in one map costs up to 8 µs.
  const seriesByName = new Map<string, Series>();
  let young = 0;
  /** What is delivered together is mostly of one: no name is joined for each event. */
  let latest: Series | undefined;
  const counters = { forgotten: 0 };

  function age(): void {
    young = 0;
    latest = undefined;
    for (const [name, series] of seriesByName) {
      for (const channel of series.old.keys()) {
        if (!series.young.has(channel)) counters.forgotten += 1;
      }
      series.old = series.young;
      series.young = new Map();
      if (series.old.size === 0) seriesByName.delete(name);
    }
  }

  function known(appId: string, endpointId: string, type: string): Series | undefined {
    if (latest?.type === type && latest.endpointId === endpointId && latest.appId === appId) {
      return latest;
    }
    const found = seriesByName.get(nameOf(appId, endpointId, type));
    if (found) latest = found;
    return found;
  }

  function seriesOf(appId: string, endpointId: string, type: string): Series {
    const found = known(appId, endpointId, type);
    if (found) return found;
    const series = { appId, endpointId, type, young: new Map(), old: new Map() };
    seriesByName.set(nameOf(appId, endpointId, type), series);
    return series;
  }

  return {
    counters,
    note(appId, endpointId, event) {
      const { id: eventId, channel, type, decidedMs } = event;
      const deliveredMs = now();
      const latencyMs = Math.max(0, deliveredMs - decidedMs);
      if (!known(appId, endpointId, type)?.young.has(channel)) {
        if (young * 2 >= mostNotes) age();
        young += 1;
      }
      seriesOf(appId, endpointId, type).young.set(channel, {
        eventId,
        channel,
        deliveredMs,
        latencyMs,
      });
    },
    of(appId, endpointId, type, channel) {
      const series = known(appId, endpointId, type);
      return series?.young.get(channel) ?? series?.old.get(channel);
    },
  };
}

/** Neither endpoint ids nor types have a colon. */
function nameOf(appId: string, endpointId: string, type: string): string {
  return `${endpointId}:${type}:${appId}`;
}
