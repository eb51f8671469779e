/** What channels count, besides what is counted per app (apps/app.ts): plain numbers, read at scrape time. */
import type { CapacityLimit } from "./handshake.ts";

export interface ChannelsCounters {
  /** Cached events that could not be read for a new subscriber. */
  cacheFailures: number;
  /** Client events that reached this node's sockets but not the other nodes. */
  relayFailures: number;
  /** Connections closed because they went on sending commands over the rate. */
  abusersClosed: number;
  /** Connections closed because they were not authorised in time. */
  unauthorizedClosed: number;
  /** Handshakes refused, by close code. */
  readonly handshakesRefused: Map<number, number>;
  /** The part of them that found something full. */
  readonly capacityHit: Map<CapacityLimit, number>;
}

export function createChannelsCounters(): ChannelsCounters {
  return {
    cacheFailures: 0,
    relayFailures: 0,
    abusersClosed: 0,
    unauthorizedClosed: 0,
    handshakesRefused: new Map(),
    capacityHit: new Map(),
  };
}
