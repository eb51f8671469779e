/** A client on a raw socket: speaks just enough of the protocol to join channels, then only counts. */
import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Endpoint } from "./endpoint.ts";
import { FrameReader, type FrameSink, jsonFrame, maskedFrame, OPCODE } from "./websocket-frames.ts";

export interface LoadClientEvents {
  /** So many text frames have come that nobody waited for. */
  readonly onDeliveries: (count: number) => void;
  /** The connection has gone, though nobody here closed it. */
  readonly onLost: (why: string) => void;
}

/** Lent to one socket after the other: what is read is looked at before the next socket reads. */
const READ_BUFFER = Buffer.allocUnsafe(262_144);
const ANSWER_TIMEOUT_MS = 20_000;

/** Resolves once the server has given the connection its socket id. */
export async function openLoadClient(
  endpoint: Endpoint,
  events: LoadClientEvents,
): Promise<LoadClient> {
  const client = new LoadClient(endpoint, events);
  await client.established();
  return client;
}

/** A class, since there is one per connection and closures would cost each of them memory. */
export class LoadClient implements FrameSink {
  readonly endpoint: Endpoint;
  readonly socket: Socket;
  socketId = "";
  readonly #events: LoadClientEvents;
  readonly #frames = new FrameReader(this);
  /** What has come of the answer to the upgrade; undefined once it was all there. */
  #head: string | undefined = "";
  #isClosing = false;
  #waiting: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined;

  constructor(endpoint: Endpoint, events: LoadClientEvents) {
    this.endpoint = endpoint;
    this.#events = events;
    const { host, port, key } = endpoint;
    this.socket = connect({
      host,
      port,
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: (length) => this.#read(length) },
    });
    this.socket.on("error", (error) => this.#lost(error.message));
    this.socket.on("close", () => this.#lost("closed without a close frame"));
    this.socket.write(
      `GET /app/${key}?protocol=7&client=bench&version=1.0.0 HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
        "Upgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: cGlwaXQgYmVuY2ggbG9hZA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
  }

  get wantsText(): boolean {
    return this.#waiting !== undefined;
  }

  async established(): Promise<void> {
    const text = await this.nextText();
    // Sliced, not parsed: connections come by the hundred in a second.
    const id = /socket_id\\":\\"([\d.]+)/.exec(text)?.[1];
    if (id === undefined) throw new Error(`Not established: ${text.slice(0, 200)}`);
    this.socketId = id;
  }

  /** The next text frame, taken out of what is counted. Rejects when it does not come. */
  nextText(): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle()?.reject(new Error("The server does not answer.")),
        ANSWER_TIMEOUT_MS,
      );
      this.#waiting = {
        resolve(text) {
          clearTimeout(timer);
          resolve(text);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  /** Joins a channel; `channelData` where it has members. Rejects when the server refuses. */
  async subscribe(channel: string, channelData?: string): Promise<void> {
    this.socket.write(this.subscribeFrame(channel, channelData));
    const text = await this.nextText();
    if (!text.includes("pusher_internal:subscription_succeeded")) {
      throw new Error(`Not subscribed to ${channel}: ${text.slice(0, 200)}`);
    }
  }

  /** A finished subscription, signed where the channel needs it. */
  subscribeFrame(channel: string, channelData?: string): Buffer {
    const data: Record<string, string> = { channel };
    if (channel.startsWith("private-") || channel.startsWith("presence-")) {
      const { key, secret } = this.endpoint;
      const content = `${this.socketId}:${channel}${channelData === undefined ? "" : `:${channelData}`}`;
      data.auth = `${key}:${createHmac("sha256", secret).update(content).digest("hex")}`;
    }
    if (channelData !== undefined) data.channel_data = channelData;
    return jsonFrame({ event: "pusher:subscribe", data });
  }

  onText(payload: Buffer): void {
    this.#settle()?.resolve(payload.toString());
  }

  onControl(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping) {
      this.socket.write(maskedFrame(OPCODE.pong, Buffer.from(payload)));
    } else if (opcode === OPCODE.close) {
      const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      this.#lost(`closed by the server with ${code}`);
    }
  }

  /** Resolves once the server has closed it too. */
  async leave(): Promise<void> {
    this.#isClosing = true;
    const gone = new Promise<void>((resolve) => this.socket.once("close", () => resolve()));
    this.socket.write(maskedFrame(OPCODE.close, Buffer.from([0x03, 0xe8])));
    await gone;
  }

  /** At once and with a reset, so that the port is free again. */
  close(): void {
    this.#isClosing = true;
    this.socket.resetAndDestroy();
  }

  #read(length: number): boolean {
    let chunk = READ_BUFFER.subarray(0, length);
    if (this.#head !== undefined) {
      this.#head += chunk.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end === -1) return true;
      if (!this.#head.startsWith("HTTP/1.1 101")) {
        this.#lost(`answered with ${this.#head.slice(0, 32)}`);
        return true;
      }
      chunk = Buffer.from(this.#head.slice(end + 4), "latin1");
      this.#head = undefined;
    }
    const count = this.#frames.read(chunk);
    if (count > 0) this.#events.onDeliveries(count);
    return true;
  }

  #settle(): { resolve: (text: string) => void; reject: (error: Error) => void } | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #lost(why: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#settle()?.reject(new Error(`A client was ${why}.`));
    this.#events.onLost(why);
    this.socket.destroy();
  }
}

/** Opens `count` clients, a few at a time, and answers them in order. */
export async function openClients<T>(
  count: number,
  open: (index: number) => Promise<T>,
  atOnce = 100,
): Promise<T[]> {
  const opened: T[] = [];
  while (opened.length < count) {
    const first = opened.length;
    const length = Math.min(atOnce, count - first);
    opened.push(...(await Promise.all(Array.from({ length }, (_, n) => open(first + n)))));
  }
  return opened;
}
