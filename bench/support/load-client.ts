/** A client on a raw socket: speaks just enough of the protocol to join, then only counts. */
import { createHmac, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { createFrameReader, maskedFrame, OPCODE } from "./websocket-frames.ts";

export interface LoadClient {
  readonly socket: Socket;
  close(): void;
}

export interface LoadClientOptions {
  readonly port: number;
  readonly path: string;
  readonly channel: string;
  /** Signs the subscription; the bare server looks at nothing. */
  readonly key: string;
  readonly secret: string;
  /** Every text frame after the subscription has succeeded. `payload` is only valid in the call. */
  readonly onText: (payload: Buffer) => void;
  /** The connection has gone, though nobody here closed it. */
  readonly onLost: (why: string) => void;
}

/** Resolves once the channel is joined. Rejects when the server refuses or says something else. */
export function openLoadClient(options: LoadClientOptions): Promise<LoadClient> {
  const { port, path, channel, key, secret } = options;
  return new Promise((resolve, reject) => {
    let isJoined = false;
    let isUpgraded = false;
    let isClosing = false;
    let head = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const client: LoadClient = {
      socket,
      close() {
        isClosing = true;
        socket.destroy();
      },
    };

    function lost(why: string): void {
      if (isClosing) return;
      if (isJoined) options.onLost(why);
      else reject(new Error(why));
      socket.destroy();
    }

    const frames = createFrameReader((opcode, payload) => {
      if (opcode === OPCODE.ping) {
        socket.write(maskedFrame(OPCODE.pong, Buffer.from(payload)));
      } else if (opcode === OPCODE.close) {
        lost(`closed by the server with ${payload.length < 2 ? 1005 : payload.readUInt16BE(0)}`);
      } else if (isJoined) {
        options.onText(payload);
      } else {
        join(payload.toString());
      }
    });

    function join(text: string): void {
      const { event, data } = JSON.parse(text) as { event: string; data: string };
      if (event === "pusher:connection_established") {
        const { socket_id } = JSON.parse(data) as { socket_id: string };
        const signature = createHmac("sha256", secret)
          .update(`${socket_id}:${channel}`)
          .digest("hex");
        const subscribe = {
          event: "pusher:subscribe",
          data: { channel, auth: `${key}:${signature}` },
        };
        socket.write(maskedFrame(OPCODE.text, Buffer.from(JSON.stringify(subscribe))));
      } else if (event === "pusher_internal:subscription_succeeded") {
        isJoined = true;
        resolve(client);
      } else {
        lost(`answered with ${text}`);
      }
    }

    socket.on("data", (chunk: Buffer) => {
      if (isUpgraded) return frames.read(chunk);
      head += chunk.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      if (!head.startsWith("HTTP/1.1 101")) return lost(`answered with ${head.slice(0, 32)}`);
      isUpgraded = true;
      frames.read(Buffer.from(head.slice(end + 4), "latin1"));
    });
    socket.on("error", (error) => lost(error.message));
    socket.on("close", () => lost("closed without a close frame"));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });
}
