/** What transport counts: plain numbers, read at scrape time. */
import { CLOSE_CODES } from "../protocol/close-code.ts";

export interface TransportCounters {
  /** Connections closed because they did not read what they were sent. */
  slowConsumersClosed: number;
  /** Frames over the hard limit: uWebSockets.js ends the connection. */
  framesTooLarge: number;
  /** Frames dropped because too many, or binary ones, came before the connection was admitted. */
  earlyFramesDropped: number;
  /** Request bodies over the limit. */
  bodiesRefused: number;
  /** Connections ended by a bug of ours. */
  faults: number;
  /** Closed WebSockets by close code; 1006 where there was no close frame. */
  readonly closes: Map<number, number>;
}

export function createTransportCounters(): TransportCounters {
  return {
    slowConsumersClosed: 0,
    framesTooLarge: 0,
    earlyFramesDropped: 0,
    bodiesRefused: 0,
    faults: 0,
    closes: new Map(),
  };
}

/** Codes that have a label of their own; clients choose others freely, so those share one. */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  ...[1000, 1001, 1002, 1005, 1006, 1007, 1009],
  ...Object.values(CLOSE_CODES),
]);

/** Notes a close. Codes that a client made up count as 0. */
export function countClose(counters: TransportCounters, code: number): void {
  const { closes } = counters;
  const before = closes.get(code);
  if (before !== undefined) {
    closes.set(code, before + 1);
    return;
  }
  const label = KNOWN_CODES.has(code) ? code : 0;
  closes.set(label, (closes.get(label) ?? 0) + 1);
}
