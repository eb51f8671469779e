/** Headers of a webhook that nobody sets for an endpoint: Pipit's own, and those that HTTP needs. Source: protocol.md §7.1. */

/** As people write them; `*` at the end stands for anything. */
export const RESERVED_HEADERS: readonly string[] = [
  "Host",
  "Content-*",
  "Transfer-Encoding",
  "Connection",
  "Keep-Alive",
  "Upgrade",
  "Expect",
  "TE",
  "Trailer",
  "X-Pusher-*",
  "X-Pipit-*",
  "Webhook-Id",
  "Webhook-Timestamp",
  "Webhook-Signature",
];

const NAMES = new Set(RESERVED_HEADERS.map((name) => name.toLowerCase()));
const PREFIXES = [...NAMES].filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));

/** Whether a header belongs to the delivery itself and cannot be set for an endpoint, in any case. */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return NAMES.has(lower) || PREFIXES.some((prefix) => lower.startsWith(prefix));
}
