/** One WebSocket as the other rooms see it: writes after the close do nothing. */
// Imported, as in websockets.ts.
import { Buffer } from "node:buffer";
import type { Connection, Socket } from "../connections/connection.ts";
import { CLOSE_CODES, closeReason } from "../protocol/close-code.ts";
import { errorFrame } from "../protocol/frame.ts";
import type { Beating } from "./heartbeat.ts";
import type { TopicPublisher } from "./topic-publisher.ts";
import type { WebSocket } from "./uws.ts";

/** {@link UwsSocket.closedWith} once the bound of unsent bytes was hit: uWebSockets.js is closing the socket. */
export const TOO_SLOW = -1;

/** What uWebSockets.js carries with a socket: it copies the fields of what it is given, so one field leads to ours. */
export interface Held {
  readonly socket: UwsSocket;
}

/** A class, since there is one per connection and closures would cost each of them memory. */
export class UwsSocket implements Socket, Beating {
  /** Undefined before the upgrade is done and after the close. */
  ws: WebSocket<Held> | undefined;
  connection: Connection | undefined;
  heardAtTick = 0;
  before: Beating | undefined = undefined;
  after: Beating | undefined = undefined;
  /** The code that we closed with, or {@link TOO_SLOW}; 0 while we have not. */
  closedWith = 0;
  readonly #publisher: TopicPublisher;

  constructor(publisher: TopicPublisher) {
    this.#publisher = publisher;
  }

  send(frame: string): void {
    if (this.ws === undefined) return;
    this.#publisher.flush();
    const { connection } = this;
    if (connection !== undefined) {
      connection.app.traffic.messagesSent += 1;
      connection.app.traffic.bytesSent += Buffer.byteLength(frame);
    }
    this.ws?.send(frame);
  }

  subscribe(topic: string): void {
    this.#publisher.flush();
    this.ws?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#publisher.flush();
    this.ws?.unsubscribe(topic);
  }

  publish(topic: string, frame: string, receivers: number): void {
    if (this.ws !== undefined) this.#publisher.publish(topic, frame, receivers, this);
  }

  close(code: number, message: string): void {
    const { ws } = this;
    if (ws === undefined || this.closedWith !== 0) return;
    this.closedWith = code;
    this.send(errorFrame({ code, message }));
    // Not in one cork, though it would save a system call: outside of the library's callbacks an end within it
    // sends no FIN until the library's own timeout. And the frame may have been one too many for a slow socket.
    if (this.ws !== undefined) ws.end(code, closeReason(message));
  }

  ping(): void {
    this.ws?.ping();
  }

  onSilent(): void {
    this.close(CLOSE_CODES.pongTimeout, "No sign of life within the activity timeout.");
  }
}
