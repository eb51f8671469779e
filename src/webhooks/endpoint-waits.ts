/** What an endpoint waits for before its next POST: backoff, `Retry-After`, its rate, a window, or somebody's help. */
import { type Endpoint, isBatch } from "./lanes.ts";
import type { OutboxEvent } from "./outbox.ts";

/** So many events that were refused alone, with nothing taken between them, are no longer each its own fault. */
const PROOF_OF_OUTAGE = 3;

/** Nothing can or may be sent to it. */
export function isStuck({ obstacle, pause }: Endpoint): boolean {
  return obstacle !== undefined || pause !== undefined;
}

/** Whether a POST may begin at `nowMs`. */
export function maySend(endpoint: Endpoint, nowMs: number): boolean {
  if (endpoint.pause !== undefined) return false;
  if (nowMs < endpoint.notBeforeMs) return false;
  if (nowMs < endpoint.nextPostMs) return false;
  if (endpoint.failures > 0 && nowMs < endpoint.retryAtMs) return false;
  return hasFreeFlight(endpoint);
}

/** When something in its queue may be sent, epoch ms; undefined: no time alone lets it. */
export function nextSendMs(endpoint: Endpoint): number | undefined {
  if (endpoint.queue.length === 0 || isStuck(endpoint) || !hasFreeFlight(endpoint)) {
    return undefined;
  }
  let atMs = Number.POSITIVE_INFINITY;
  for (const entry of endpoint.queue) {
    atMs = Math.min(atMs, isBatch(entry) ? entry.retryAtMs : endpoint.openAtMs);
  }
  return Math.max(atMs, endpoint.retryAtMs, endpoint.notBeforeMs, endpoint.nextPostMs);
}

/** No window and no backoff holds anything up any longer. What its receiver asked for does. */
export function endWaits(endpoint: Endpoint): void {
  endpoint.openAtMs = 0;
  endpoint.retryAtMs = 0;
  for (const entry of endpoint.queue) if (isBatch(entry)) entry.retryAtMs = 0;
}

/** An event was refused alone, and the endpoint has taken nothing since it was refused first. */
export function noteRefusedAlone({ refusedAlone }: Endpoint, events: readonly OutboxEvent[]): void {
  for (const { id } of events) if (refusedAlone.size < PROOF_OF_OUTAGE) refusedAlone.add(id);
}

/** Whether a refusal is an outage of the endpoint. One and the same event proves none, however often it is refused. */
export function takesNothing({ refusedAlone }: Endpoint): boolean {
  return refusedAlone.size >= PROOF_OF_OUTAGE;
}

/** One that fails is sent one POST at a time. */
function hasFreeFlight({ failures, flying, pace }: Endpoint): boolean {
  return flying < (failures > 0 ? 1 : pace.concurrency);
}
