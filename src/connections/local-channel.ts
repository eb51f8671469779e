/** A channel as one node sees it. Kept by channels/; here, since each subscription leads to its own. */
import type { App } from "../apps/app.ts";
import type { ChannelKind } from "../protocol/channel-name.ts";

/** Exists while any connection holds it. */
export interface LocalChannel {
  readonly app: App;
  readonly name: string;
  /** The name as JSON, encoded once for all frames of the channel. */
  readonly nameJson: string;
  readonly topic: string;
  readonly kind: ChannelKind;
  /** Subscriptions that are not over, pending ones included. */
  holders: number;
  /** Subscriptions that the channel state knows of. */
  subscribers: number;
  /** On presence channels: user id to how many of this node's connections are that user. */
  readonly users: Map<string, number>;
  /** Sockets of this node that receive what is published here. */
  receivers: number;
  /** Backend events delivered here, so that a cached event that was overtaken is noticed. */
  eventsDelivered: number;
}
