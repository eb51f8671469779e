/** What moves webhook events in this bench: somebody decides them, a queue in Redis, and who sends them on. */
import { signingKey } from "../../src/protocol/signature.ts";
import { channelEvent, type WebhookEvent } from "../../src/protocol/webhook-event.ts";

export interface WebhookSide {
  readonly name: string;
  /** Puts the event of this number into the queue. What comes in one turn of the event loop may go together. */
  add(number: number): void;
  /** Resolves when what was added is in the queue. Rejects when something could not be added. */
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

/** A prime, so that neighbours are far apart. */
const CHANNELS = 997;

export interface DecidedEvent {
  readonly channel: string;
  readonly event: WebhookEvent;
}

const EVENTS: readonly DecidedEvent[] = Array.from({ length: CHANNELS }, (_, n) => {
  const channel = `presence-room-${n}`;
  return { channel, event: channelEvent("channel_occupied", channel) };
});

export function eventOf(number: number): DecidedEvent {
  const found = EVENTS[number % CHANNELS];
  if (found === undefined) throw new RangeError(`There is no event ${number}.`);
  return found;
}
