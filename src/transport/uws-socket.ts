/** One WebSocket as the other rooms see it: writes after the close do nothing. */
import type { Connection, Socket } from "../connections/connection.ts";
import { closeReason } from "../protocol/close-code.ts";
import { errorFrame } from "../protocol/frame.ts";
import type { Beating } from "./heartbeat.ts";
import type { WebSocket } from "./uws.ts";

/** Frames that a client may send before its connection is admitted. */
const MAX_EARLY_FRAMES = 16;

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
  slot = -1;
  /** The bound of unsent bytes was hit: uWebSockets.js is closing the socket. */
  isTooSlow = false;
  /** The code that we closed with; 0 while we have not. */
  closedWith = 0;
  /** Frames that came while the app was being looked up; undefined when there are none. */
  early: string[] | undefined;
  readonly #onSilent: (socket: UwsSocket) => void;

  constructor(onSilent: (socket: UwsSocket) => void) {
    this.#onSilent = onSilent;
  }

  send(frame: string): void {
    if (this.ws === undefined) return;
    const { connection } = this;
    if (connection !== undefined) {
      connection.app.traffic.messagesSent += 1;
      connection.app.traffic.bytesSent += Buffer.byteLength(frame);
    }
    this.ws.send(frame);
  }

  subscribe(topic: string): void {
    this.ws?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.ws?.unsubscribe(topic);
  }

  publish(topic: string, frame: string): void {
    this.ws?.publish(topic, frame);
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
    this.#onSilent(this);
  }

  /** Keeps a frame for later; false when there are too many. */
  keepEarly(frame: string): boolean {
    this.early ??= [];
    if (this.early.length >= MAX_EARLY_FRAMES) return false;
    this.early.push(frame);
    return true;
  }
}
