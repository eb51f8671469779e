/** The bytes of a webhook and the headers that go with them. Source: protocol.md §7.1, architecture.md §5. */
import { hash } from "node:crypto";
import type { AppKey, WebhookEndpoint } from "../apps/app.ts";
import { sign } from "../protocol/signature.ts";
import { isReservedHeader } from "../protocol/webhook-header.ts";
import type { OutboxEvent } from "./outbox.ts";
import { standardHeaders } from "./standard-headers.ts";

/** The body: the same events and time give the same bytes, which is what keeps a frozen batch frozen. */
export function batchBody(timeMs: number, events: readonly OutboxEvent[]): Buffer {
  return Buffer.from(
    `{"time_ms":${timeMs},"events":[${events.map((event) => event.json).join(",")}]}`,
  );
}

/** Names the delivery of these events to this endpoint, however often it is attempted: 32 hex digits. */
export function deliveryId(
  appId: string,
  endpointId: string,
  events: readonly OutboxEvent[],
): string {
  // Hashed at once: a call for each id takes longer than the hash.
  const named = [appId, endpointId, ...events.map(({ id }) => id)].join("\n");
  return hash("sha256", named, "hex").slice(0, 32);
}

export interface AttemptHeaders {
  readonly endpoint: WebhookEndpoint;
  readonly key: AppKey;
  readonly body: Uint8Array;
  readonly delivery: string;
  /** From 1. */
  readonly attempt: number;
  readonly events: readonly OutboxEvent[];
  /** When it is sent, epoch ms. */
  readonly nowMs: number;
  /** Pipit's. */
  readonly version: string;
}

/** All headers of one attempt: the endpoint's own first, so that ours stand. */
export function attemptHeaders(parts: AttemptHeaders): Record<string, string> {
  const { endpoint, key, body, delivery, attempt, events, nowMs, version } = parts;
  // An endpoint may name another agent: some receivers let only known ones through (protocol.md §7.1).
  const headers: Record<string, string> = { "user-agent": `Pipit/${version}` };
  for (const [name, value] of Object.entries(endpoint.headers)) {
    if (!isReservedHeader(name)) headers[name.toLowerCase()] = value;
  }
  const authorization = headers.authorization ?? basicAuthorization(endpoint.url);
  if (authorization !== undefined) headers.authorization = authorization;
  return {
    ...headers,
    // Receivers compare the whole value, so no charset.
    "content-type": "application/json",
    "x-pusher-key": key.key,
    "x-pusher-signature": sign(key.signingKey, body),
    "x-pipit-delivery": delivery,
    "x-pipit-attempt": String(attempt),
    "x-pipit-event-ids": events.map((event) => event.id).join(","),
    ...(endpoint.standardWebhooks &&
      standardHeaders(key.signingKey.keyObject, delivery, nowMs, body)),
  };
}

function basicAuthorization(url: string): string | undefined {
  const { username, password } = new URL(url);
  if (username === "" && password === "") return undefined;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}
