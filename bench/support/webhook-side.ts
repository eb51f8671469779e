/** What moves webhook events in this bench: somebody decides them, a queue in Redis, and who sends them on. */

import { signingKey } from "../../src/protocol/signature.ts";
import type { RedisServer } from "../../test/support/redis-server.ts";

export type WebhookServer = Pick<RedisServer, "url" | "port" | "call">;

export interface WebhookSide {
  readonly name: string;
  /** Puts `channel_occupied` of channel `number` into the queue. What comes in one turn may go together. */
  add(number: number): void;
  /** Resolves when all that is in Redis. Rejects when something could not be written. */
  added(): Promise<void>;
  /** Events that the receiver took, repeats included. */
  delivered(): number;
  /** POSTs that the receiver answered. */
  posts(): number;
  /** Writes that decide events. */
  readonly writes: Readonly<WriteCounts>;
  close(): Promise<void>;
}

export interface WriteCounts {
  sent: number;
  answered: number;
}

/**
 * What is measured: `move` events from their decision to the receiver, or the `writes` alone that decide them, in
 * which no event enters the queue and which nobody takes anything out of.
 */
export type Part = "move" | "writes";

export const APP = "1";
export const KEY = "bench-key";
export const SIGNING_KEY = signingKey("bench-secret");

export function channelOf(number: number): string {
  return `private-room-${number}`;
}
