/** Sends a batch once: body, headers and signature are made of what is configured now. */
import { attemptHeaders, batchBody, deliveryId } from "./batch.ts";
import type { DispatchContext } from "./context.ts";
import { type Batch, type Endpoint, eventsOf } from "./lanes.ts";
import type { Receiver } from "./receiver.ts";
import type { Answer } from "./target.ts";

/** Rejects when the url or a header cannot be sent at all. */
export async function post(
  { target, settings, version }: DispatchContext,
  endpoint: Endpoint,
  { webhook, key }: Receiver,
  batch: Batch,
  giveUp: AbortSignal,
): Promise<Answer> {
  const events = eventsOf(batch);
  const body = batchBody(batch.timeMs, events);
  const headers = attemptHeaders({
    endpoint: webhook,
    key,
    body,
    delivery: deliveryId(endpoint.appId, endpoint.id, events),
    attempt: batch.attempts,
    events,
    version,
  });
  const { timeoutMs, concurrency } = settings;
  const name = `${endpoint.appId}:${endpoint.id}`;
  return target.send(
    { endpoint: name, url: webhook.url, headers, body, timeoutMs, concurrency },
    giveUp,
  );
}
