/** WebSocket frames as bytes (RFC 6455 §5), for load that costs its maker as little as possible. */
import { randomBytes } from "node:crypto";

export const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** A finished client frame: masked, ready to be written as it is, again and again. */
export function maskedFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const length = payload.length;
  if (length > 0xffff) throw new Error("Longer than this bench needs.");
  const head = length < 126 ? [length | 0x80] : [126 | 0x80, length >> 8, length & 0xff];
  const body = Buffer.from(payload.map((byte, index) => byte ^ (mask[index & 3] ?? 0)));
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), mask, body]);
}

/** Cuts a stream of bytes from a server into frames. `payload` is only valid in the call. */
export interface FrameReader {
  read(chunk: Buffer): void;
}

export function createFrameReader(onFrame: (opcode: number, payload: Buffer) => void): FrameReader {
  let rest: Buffer | undefined;
  return {
    read(chunk) {
      const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      while (bytes.length - at >= 2) {
        const short = (bytes[at + 1] ?? 0) & 0x7f;
        const headLength = short === 126 ? 4 : short === 127 ? 10 : 2;
        if (bytes.length - at < headLength) break;
        const length =
          short === 126
            ? bytes.readUInt16BE(at + 2)
            : short === 127
              ? Number(bytes.readBigUInt64BE(at + 2))
              : short;
        const end = at + headLength + length;
        if (bytes.length < end) break;
        onFrame((bytes[at] ?? 0) & 0x0f, bytes.subarray(at + headLength, end));
        at = end;
      }
      rest = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
    },
  };
}
