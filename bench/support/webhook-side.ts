/** What moves webhook events in this bench: somebody decides them, a queue in Redis, and who sends them on. */

import { signingKey } from "../../src/protocol/signature.ts";
import type { RedisServer } from "../../test/support/redis-server.ts";

export type WebhookServer = Pick<RedisServer, "url" | "port" | "call">;

export interface WebhookSide {
  readonly name: string;
  /** Puts `channel_occupied` of channel `number` into the queue. What comes in one turn may go together. */
  add(number: number): void;
  /** Writes what decides such an event, in a case in which none comes of it; undefined: nothing is written. */
  readonly writeOnly: ((number: number) => void) | undefined;
  /** Resolves when all that is in Redis. Rejects when something could not be written. */
  added(): Promise<void>;
  /** Events that the receiver took, repeats included. */
  delivered(): number;
  /** POSTs that the receiver answered. */
  posts(): number;
  close(): Promise<void>;
}

/** `none`: nobody takes out of the queue, so that what putting in costs is seen alone. */
export type Consumer = "one" | "none";

export const APP = "1";
export const KEY = "bench-key";
export const SIGNING_KEY = signingKey("bench-secret");

export function channelOf(number: number): string {
  return `private-room-${number}`;
}
