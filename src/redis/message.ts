/**
 * What travels between nodes: two header bytes, then what the kind says. A receiving node hands a finished
 * frame on as it is and parses no JSON for it.
 *
 *     byte 0  version of this format
 *     byte 1  kind
 *     kinds 1–3 (event, client_event, terminate):
 *             length byte and ASCII of the sending node's id
 *             length byte and ASCII of the socket id that gets nothing; length 0: none
 *             the frame, UTF-8, to the end
 *     kinds 4–6 (member, subscription_count, watch): JSON text, made by the scripts of channel state
 *     kind 7 (probe): whatever the sender likes
 *     kind 8 (control): JSON text, what an operator tells the dispatchers of webhooks
 *
 * One message has no header: the single character `1` on a wake topic, which scripts publish.
 */

/** Nodes count and drop messages of a version or kind that they do not know: two releases may run together. */
export const MESSAGE_VERSION = 1;

const KIND_BYTES = {
  event: 1,
  client_event: 2,
  terminate: 3,
  member: 4,
  subscription_count: 5,
  watch: 6,
  probe: 7,
  control: 8,
} as const;

export type FrameKind = "event" | "client_event" | "terminate";
export type HeadedKind = keyof typeof KIND_BYTES;
export type BusKind = HeadedKind | "wake";

/** The longest node id, in ASCII characters. */
export const MAX_NODE_ID_LENGTH = 64;

export const WAKE_PAYLOAD = "1";

const HEADER_BYTES = 2;
const WAKE_BYTE = WAKE_PAYLOAD.charCodeAt(0);
const KINDS = new Map<number, HeadedKind>(
  (Object.keys(KIND_BYTES) as HeadedKind[]).map((kind) => [KIND_BYTES[kind], kind]),
);

/** A message of kinds 1–3, taken apart. */
export interface FrameMessage {
  readonly kind: FrameKind;
  readonly origin: string;
  readonly except: string | undefined;
  readonly frame: string;
}

/** What the message is, or undefined when this node does not know its version or kind. */
export function messageKind(bytes: Buffer): BusKind | undefined {
  if (bytes.length === 1) return bytes[0] === WAKE_BYTE ? "wake" : undefined;
  return bytes[0] === MESSAGE_VERSION ? KINDS.get(bytes[1] ?? 0) : undefined;
}

/** The two bytes before the JSON of kinds 4–6, as an argument for scripts. */
export function messageHeader(kind: HeadedKind): string {
  return String.fromCharCode(MESSAGE_VERSION, KIND_BYTES[kind]);
}

/** A message of a kind whose content is text. */
export function encodeTextMessage(kind: HeadedKind, text: string): Buffer {
  return Buffer.from(messageHeader(kind) + text, "utf8");
}

/** Everything after the header, as text: the JSON of kinds 4–6 and 8. */
export function messageText(bytes: Buffer): string {
  return bytes.toString("utf8", HEADER_BYTES);
}

/** `origin` and `except` are ASCII of at most 255 characters. */
export function encodeFrameMessage(
  kind: FrameKind,
  origin: string,
  frame: string,
  except = "",
): Buffer {
  const frameAt = HEADER_BYTES + 2 + origin.length + except.length;
  const bytes = Buffer.allocUnsafe(frameAt + Buffer.byteLength(frame));
  bytes[0] = MESSAGE_VERSION;
  bytes[1] = KIND_BYTES[kind];
  bytes[2] = origin.length;
  bytes.write(origin, 3, "latin1");
  bytes[3 + origin.length] = except.length;
  bytes.write(except, 4 + origin.length, "latin1");
  bytes.write(frame, frameAt, "utf8");
  return bytes;
}

/** A message of kinds 1–3; undefined when its lengths do not fit. */
export function decodeFrameMessage(kind: FrameKind, bytes: Buffer): FrameMessage | undefined {
  const originEnd = 3 + (bytes[2] ?? 0);
  const exceptEnd = originEnd + 1 + (bytes[originEnd] ?? 0);
  if (exceptEnd > bytes.length) return undefined;
  return {
    kind,
    origin: bytes.toString("latin1", 3, originEnd),
    except:
      exceptEnd === originEnd + 1 ? undefined : bytes.toString("latin1", originEnd + 1, exceptEnd),
    frame: bytes.toString("utf8", exceptEnd),
  };
}
