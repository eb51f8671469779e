/** One attempt of a batch, from the POST to what its answer does. */
import { deliveryId } from "./batch.ts";
import { type DispatchContext, errorCode } from "./context.ts";
import { type Batch, type Endpoint, eventsOf } from "./lanes.ts";
import { outcomeOf } from "./outcome.ts";
import { nextPostMs } from "./pace.ts";
import { post } from "./post.ts";
import { loggableOrigin, type Receiver } from "./receiver.ts";
import type { Settlement } from "./settlement.ts";
import type { Answer } from "./target.ts";

/** Makes an attempt, counts and settles it. Done at once after `giveUp`; nothing is settled then. */
export type MakeAttempt = (
  endpoint: Endpoint,
  receiver: Receiver,
  batch: Batch,
  giveUp: AbortSignal,
) => Promise<void>;

export function createAttempts(context: DispatchContext, settlement: Settlement): MakeAttempt {
  const { now, log } = context;

  return async (endpoint, receiver, batch, giveUp) => {
    const { appId, id } = endpoint;
    const events = eventsOf(batch);
    const delivery = deliveryId(appId, id, events);
    endpoint.flying += 1;
    endpoint.nextPostMs = nextPostMs(endpoint.pace, endpoint.nextPostMs, now());
    batch.attempts += 1;
    batch.endpointFailures = endpoint.failures;
    const number = batch.attempts;
    const sent = post(context, endpoint, receiver, batch, events, delivery, giveUp);
    const answer = await sent.catch(
      // A url or header that cannot be sent is a failed attempt as any other: it may be edited.
      (error: unknown): Answer => ({ kind: "connection", reason: errorCode(error) }),
    );
    endpoint.flying -= 1;
    if (giveUp.aborted) return;
    const outcome = outcomeOf(answer);
    endpoint.counters.attempts[outcome] += 1;
    if (outcome === "2xx") return settlement.delivered(batch, endpoint);
    const { url } = receiver.webhook;
    const retryInMs = await settlement.failed(batch, endpoint, url, answer);
    log.warn(
      {
        app_id: appId,
        endpoint: id,
        origin: loggableOrigin(url),
        delivery,
        attempt: number,
        events: events.length,
        outcome,
        ...(answer.kind === "answered" ? { status: answer.status } : { reason: answer.reason }),
        retry_in_ms: retryInMs,
      },
      "webhook attempt failed",
    );
  };
}
