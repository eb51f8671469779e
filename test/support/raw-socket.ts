/**
 * A WebSocket written over a bare TCP socket, so that tests can send what no client library would: broken
 * frames, binary frames, invalid UTF-8, silence.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { until } from "./until.ts";

export interface Frame {
  readonly event: string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly user_id?: string;
}

export interface RawSocket {
  /** Every text frame so far, as text. */
  readonly texts: string[];
  /** The same, parsed. */
  readonly frames: Frame[];
  /** How many protocol-level PINGs came. They are answered unless `answersPings` is false. */
  readonly pings: number;
  answersPings: boolean;
  /** The close frame's code and reason, or code 1006 when the connection ended without one. */
  readonly closed: { readonly code: number; readonly reason: string } | undefined;
  /** The server has ended the TCP connection. */
  readonly hasEnded: boolean;
  /** The status line when the upgrade was refused. */
  readonly refused: string | undefined;
  send(message: unknown): void;
  sendText(text: string): void;
  /** One frame with any opcode, masked as a client must. */
  sendFrame(opcode: number, payload: Buffer): void;
  /** Bytes as they are. */
  sendBytes(bytes: Buffer): void;
  /** Stops, or goes on, reading from the TCP socket. */
  pause(): void;
  resume(): void;
  /** The socket id once established. */
  socketId(): Promise<string>;
  /** The first frame that matches, waiting for it. */
  frame(what: string, matches: (frame: Frame) => boolean): Promise<Frame>;
  /** Waits for an answer to a ping of ours: everything sent before it has been handled by then. */
  settled(): Promise<void>;
  destroy(): void;
}

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export async function openRawSocket(
  t: TestContext,
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<RawSocket> {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const state = new RawState(socket);
  const extra = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n${extra}\r\n`,
  );
  await until("the upgrade is answered", () => state.isUpgraded || state.refused !== undefined);
  return state;
}

class RawState implements RawSocket {
  readonly texts: string[] = [];
  readonly frames: Frame[] = [];
  pings = 0;
  answersPings = true;
  closed: { code: number; reason: string } | undefined;
  refused: string | undefined;
  isUpgraded = false;
  hasEnded = false;
  #buffer = Buffer.alloc(0);
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    // A reset is one of the ways in which a server may end a connection.
    socket.on("error", () => {});
    socket.on("end", () => {
      this.hasEnded = true;
    });
    socket.on("close", () => {
      this.hasEnded = true;
      this.closed ??= { code: 1006, reason: "" };
      if (!this.isUpgraded) this.refused ??= "closed";
    });
  }

  send(message: unknown): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    this.sendFrame(TEXT, Buffer.from(text));
  }

  sendFrame(opcode: number, payload: Buffer): void {
    this.sendBytes(maskedFrame(opcode, payload));
  }

  sendBytes(bytes: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async socketId(): Promise<string> {
    const { data } = await this.frame(
      "the connection is established",
      ({ event }) => event === "pusher:connection_established",
    );
    return (JSON.parse(data as string) as { socket_id: string }).socket_id;
  }

  frame(what: string, matches: (frame: Frame) => boolean): Promise<Frame> {
    return until(what, () => this.frames.find(matches));
  }

  async settled(): Promise<void> {
    const pongs = (): number => this.frames.filter(({ event }) => event === "pusher:pong").length;
    const before = pongs();
    this.send({ event: "pusher:ping", data: {} });
    await until("a ping of ours is answered", () => pongs() > before);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    if (!this.isUpgraded) {
      const end = this.#buffer.indexOf("\r\n\r\n");
      if (end === -1) return;
      const status = this.#buffer.subarray(0, this.#buffer.indexOf("\r\n")).toString();
      if (!status.includes(" 101 ")) {
        this.refused = status;
        return;
      }
      this.isUpgraded = true;
      this.#buffer = this.#buffer.subarray(end + 4);
    }
    for (;;) {
      const frame = readServerFrame(this.#buffer);
      if (frame === undefined) return;
      this.#buffer = this.#buffer.subarray(frame.length);
      this.#handle(frame.opcode, frame.payload);
    }
  }

  #handle(opcode: number, payload: Buffer): void {
    if (opcode === TEXT) {
      const text = payload.toString();
      this.texts.push(text);
      this.frames.push(JSON.parse(text) as Frame);
    } else if (opcode === PING) {
      this.pings += 1;
      if (this.answersPings) this.sendFrame(PONG, payload);
    } else if (opcode === CLOSE) {
      this.closed =
        payload.length >= 2
          ? { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() }
          : { code: 1005, reason: "" };
    }
  }
}

/** A client's frame: FIN, the opcode, a mask. */
export function maskedFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const { length } = payload;
  const header =
    length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | length])
      : length < 65_536
        ? Buffer.from([0x80 | opcode, 0x80 | 126, length >> 8, length & 255])
        : Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | 127, 0, 0, 0, 0]), uint32(length)]);
  const masked = Buffer.from(payload);
  for (let i = 0; i < length; i++) masked[i] = (masked[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return Buffer.concat([header, mask, masked]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function readServerFrame(
  buffer: Buffer,
): { opcode: number; payload: Buffer; length: number } | undefined {
  if (buffer.length < 2) return undefined;
  const opcode = (buffer[0] ?? 0) & 15;
  let size = (buffer[1] ?? 0) & 127;
  let at = 2;
  if (size === 126) {
    if (buffer.length < 4) return undefined;
    size = buffer.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (buffer.length < 10) return undefined;
    size = Number(buffer.readBigUInt64BE(2));
    at = 10;
  }
  if (buffer.length < at + size) return undefined;
  return { opcode, payload: buffer.subarray(at, at + size), length: at + size };
}
