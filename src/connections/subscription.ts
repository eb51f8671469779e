/** What is kept of a subscription, as long as it lasts. */
import type { LocalChannel } from "./local-channel.ts";

/**
 * `pending` until the channel's messages are surely heard, `recording` while the channel state is asked to
 * take a member, `over` once left: an answer that comes after that is dropped.
 */
export type SubscriptionStatus = "pending" | "recording" | "joined" | "over";

/** One connection in one channel. */
export interface Subscription {
  status: SubscriptionStatus;
  readonly channel: LocalChannel;
  /** The member that this connection is in a presence channel; undefined elsewhere. */
  readonly userId: string | undefined;
}
