/** What the rooms above (transport, http) ask of channels. */
import type { App } from "../apps/app.ts";
import type { CacheEntry } from "../cache/cache-store.ts";
import type { Connection, Socket } from "../connections/connection.ts";
import type { ClosingRefusal } from "../protocol/close-code.ts";

/** A client at the door, as far as transport knows it. */
export interface Handshake {
  readonly appKey: string;
  /** The `protocol` query parameter, undefined when absent. */
  readonly protocol: string | undefined;
  readonly version: string | undefined;
  /** The `Origin` header, undefined when absent. */
  readonly origin: string | undefined;
  /** TLS here, or according to a trusted proxy. */
  readonly isTls: boolean;
  /** The client's address, taken from a trusted proxy where there is one. Needed only where those are counted. */
  readonly address: string | undefined;
}

/** One event to publish, checked already. `…Json` parts are JSON encodings; `dataJson` encodes a string. */
export interface EventToPublish {
  readonly eventJson: string;
  readonly channels: readonly string[];
  readonly dataJson: string;
  /** This socket does not receive it. */
  readonly exceptSocketId: string | undefined;
}

export interface Channels {
  /**
   * Runs the handshake checks in the order of protocol.md §1.6. When all pass: registers the connection, sends
   * `connection_established` and returns it. A refusal is told to the socket, which is closed with it (in a drain after a moment).
   */
  open(
    handshake: Handshake,
    socket: Socket,
  ): Connection | ClosingRefusal | Promise<Connection | ClosingRefusal>;
  /** One text frame from the client. Never throws: whatever is wrong is answered on the socket. */
  receive(connection: Connection, text: string): void;
  /** A binary frame, of which there are none in the protocol. */
  receiveBinary(connection: Connection): void;
  /** The socket has closed, for whatever reason. Leaves every channel. Repeatable. */
  closed(connection: Connection): void;
  /** Publishes to every subscriber in the cluster; caches where the channel is a cache channel. Order is kept. */
  publish(app: App, events: readonly EventToPublish[]): void | Promise<void>;
  /** Closes every connection signed in as the user, cluster-wide, with 4009 (protocol.md §4.4). */
  terminateUser(app: App, userId: string): void | Promise<void>;
  /** The event that a cache channel holds, or undefined. */
  cached(app: App, channel: string): CacheEntry | undefined | Promise<CacheEntry | undefined>;
  /** From now on nobody is admitted; closes every connection with 4200, spread over `overMs`. */
  drain(overMs: number): Promise<void>;
}
