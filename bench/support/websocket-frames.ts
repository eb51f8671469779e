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

/** A finished text frame with `value` as JSON. */
export function jsonFrame(value: unknown): Buffer {
  return maskedFrame(OPCODE.text, Buffer.from(JSON.stringify(value)));
}

/** What a {@link FrameReader} does with what it finds. */
export interface FrameSink {
  /** Whole text payloads are wanted; else texts are only counted, which copies nothing. */
  readonly wantsText: boolean;
  /** `payload` is only valid in the call. */
  onText(payload: Buffer): void;
  /** Ping, pong, close. `payload` is only valid in the call. */
  onControl(opcode: number, payload: Buffer): void;
}

/**
 * Cuts a stream of bytes from a server into frames. A class, since there is one per connection and there are
 * ten thousand of them.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  /** The beginning of a frame whose end has not come. */
  #rest: Buffer | undefined;
  /** Bytes still to come of a text that is only counted. */
  #skip = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Answers how many texts have ended in `chunk` without being handed to `onText`. */
  read(chunk: Buffer): number {
    let counted = 0;
    let at = 0;
    if (this.#skip > 0) {
      if (this.#skip > chunk.length) {
        this.#skip -= chunk.length;
        return 0;
      }
      at = this.#skip;
      this.#skip = 0;
      counted = 1;
    }
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
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
      const opcode = (bytes[at] ?? 0) & 0x0f;
      if (opcode === OPCODE.text && !this.#sink.wantsText) {
        if (end <= bytes.length) {
          counted += 1;
        } else {
          this.#skip = end - bytes.length;
          at = bytes.length;
          break;
        }
      } else if (end > bytes.length) {
        break;
      } else if (opcode === OPCODE.text) {
        this.#sink.onText(bytes.subarray(at + headLength, end));
      } else {
        this.#sink.onControl(opcode, bytes.subarray(at + headLength, end));
      }
      at = end;
    }
    this.#rest = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
    return counted;
  }
}
