/** One connection: the record that every room above transport knows a client by. */
import type { App } from "../apps/app.ts";
import type { Subscriptions } from "./subscriptions.ts";

/**
 * The client's end as the rooms see it. Transport implements it; every method does nothing after the close,
 * so an answer that comes late needs no check.
 */
export interface Socket {
  /** Sends one text frame. Over the bound of unsent bytes the socket is closed and counted instead. */
  send(frame: string): void;
  /** Begins to receive what is published to `topic`. */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /**
   * Publishes to every subscriber of `topic` on this node but this socket, `receivers` of them; the socket must be
   * subscribed itself.
   */
  publish(topic: string, frame: string, receivers: number): void;
  /** Sends `pusher:error` with the code, then closes with it: clients act on the first of the two they see. */
  close(code: number, message: string): void;
}

/** Who a connection has signed in as (protocol.md §4.1). */
export interface SignedInUser {
  readonly id: string;
  /** For presence channels joined without channel_data; `{}` when the user has none. */
  userInfoJson: string;
  /** User ids whose coming and going this connection is being told; empty without the feature. */
  watchlist: readonly string[];
}

/** What an idle connection does not need is undefined until it does. */
export interface Connection {
  readonly socketId: string;
  readonly app: App;
  readonly socket: Socket;
  subscriptions: Subscriptions | undefined;
  user: SignedInUser | undefined;
  /** Has signed in or joined a channel that needs auth. */
  isAuthorized: boolean;
  isOpen: boolean;
  /** Only where connections per address are counted; else undefined. */
  readonly address: string | undefined;
  /** Token buckets (limits/token-bucket.ts), made with the first token taken. */
  commandBucket: { tokens: number; refilledAtMs: number } | undefined;
  clientEventBucket: { tokens: number; refilledAtMs: number } | undefined;
  /** Commands refused for their rate since the bucket was last half full. */
  refusedCommands: number;
}
