/** What channels count, besides refusals: plain numbers, read at scrape time. */
export interface ChannelsCounters {
  clientEvents: number;
  eventsPublished: number;
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
}

export function createChannelsCounters(): ChannelsCounters {
  return {
    clientEvents: 0,
    eventsPublished: 0,
    cacheFailures: 0,
    relayFailures: 0,
    abusersClosed: 0,
    unauthorizedClosed: 0,
    handshakesRefused: new Map(),
  };
}
