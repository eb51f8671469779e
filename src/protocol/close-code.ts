/**
 * The codes of `pusher:error` frames and WebSocket closes. Source: protocol.md §1.5.
 *
 * The range tells a client what to do: 4000–4099 do not come back unchanged, 4100–4199 come back
 * after a second or more, 4200–4299 come back at once, 4300–4399 are never used to close.
 */

/** One entry for each code that the server sends. */
export const CLOSE_CODES = {
  /** The app takes TLS connections only. */
  tlsOnly: 4000,
  /** No app has this key. */
  unknownApp: 4001,
  appDisabled: 4003,
  /** The app's own connection quota is used up. */
  overQuota: 4004,
  pathNotFound: 4005,
  badVersion: 4006,
  unsupportedProtocol: 4007,
  noProtocol: 4008,
  /** Bad origin, failed authorisation in time, terminated user, bad signature. */
  unauthorized: 4009,
  /** The node is full, or the connection does not read what it is sent. */
  overCapacity: 4100,
  /** Come back now: the node is going away. */
  reconnect: 4200,
  /** Nothing heard within the activity timeout and the pong wait. */
  pongTimeout: 4201,
  /** A command or client event over a limit. A closing code only on sustained abuse. */
  rejected: 4301,
  /** The watchlist was too long and has been cut. Never closes. */
  watchlistTooLong: 4302,
} as const;

export type CloseCode = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES];

/** An answer to bad input: sent to the client, counted, never thrown. `code` null keeps the socket as it is. */
export interface Refusal {
  readonly code: CloseCode | null;
  /** One sentence for the developer at the other end. */
  readonly message: string;
}

/** A refusal that ends the connection, or does not let it begin. */
export interface ClosingRefusal extends Refusal {
  readonly code: CloseCode;
}

/** Longest close reason that fits in a WebSocket control frame, in UTF-8 bytes (RFC 6455 §5.5). */
const MAX_REASON_BYTES = 123;

/** `message` cut so that it fits in a close frame; never in the middle of a character. */
export function closeReason(message: string): string {
  if (Buffer.byteLength(message) <= MAX_REASON_BYTES) return message;
  let end = MAX_REASON_BYTES;
  const bytes = Buffer.from(message);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
