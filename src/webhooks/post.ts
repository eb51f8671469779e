/** Sends a batch once: body, headers and signature are made of what is configured now. */
import { attemptHeaders, batchBody } from "./batch.ts";
import type { DispatchContext } from "./context.ts";
import type { Batch, Endpoint } from "./lanes.ts";
import type { OutboxEvent } from "./outbox.ts";
import type { Receiver } from "./receiver.ts";
import type { Answer, Attempt } from "./target.ts";

/** `events` are those of the batch, and `delivery` names them. Rejects when the url or a header cannot be sent at all. */
export async function post(
  { target, settings, now, version }: DispatchContext,
  endpoint: Endpoint,
  { webhook, key }: Receiver,
  batch: Batch,
  events: readonly OutboxEvent[],
  delivery: string,
  giveUp: AbortSignal,
): Promise<Answer> {
  const body = batchBody(batch.timeMs, events);
  const headers = attemptHeaders({
    endpoint: webhook,
    key,
    body,
    delivery,
    attempt: batch.attempts,
    events,
    nowMs: now(),
    version,
  });
  const attempt: Attempt = {
    endpoint: `${endpoint.appId}:${endpoint.id}`,
    url: webhook.url,
    headers,
    body,
    timeoutMs: webhook.timeoutMs ?? settings.timeoutMs,
    concurrency: webhook.concurrency ?? settings.concurrency,
    tls: webhook.tls,
  };
  return target.send(attempt, giveUp);
}
