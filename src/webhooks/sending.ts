/** Sends what waits in an endpoint's queue, each endpoint by itself: as soon as it may, and again after each answer. */
import { setMaxListeners } from "node:events";
import type { MakeAttempt } from "./attempt.ts";
import { nextBatch } from "./batching.ts";
import { type DispatchContext, errorCode, LOOK_EVERY_MS } from "./context.ts";
import { endWaits, maySend, nextSendMs } from "./endpoint-waits.ts";
import { narrow, putBack } from "./lane-queue.ts";
import type { Batch, Endpoint, Lane } from "./lanes.ts";
import { paceOf } from "./pace.ts";
import type { Pauses } from "./pauses.ts";
import { findReceiver } from "./receiver.ts";

export interface Sending {
  /** Sends what may be sent, and sees to the rest when its time comes. */
  pump(endpoint: Endpoint): void;
  /** Nothing of what waits is put off any longer. */
  retry(endpoint: Endpoint): void;
  /** The POST that carries something of the lane. Settled when that has ended. */
  flightOf(lane: Lane): Promise<void> | undefined;
  /** Gives up all attempts under way and sends nothing more. */
  stop(): Promise<void>;
}

export interface SendingParts {
  readonly context: DispatchContext;
  readonly pauses: Pauses;
  readonly attempt: MakeAttempt;
  /** An endpoint has done what it can for now. */
  readonly onRest: () => void;
}

export function createSending({ context, pauses, attempt, onRest }: SendingParts): Sending {
  const { apps, settings, now, after, log } = context;
  const giveUp = new AbortController();
  // Every attempt under way listens: as many as the endpoints' concurrency allows.
  setMaxListeners(0, giveUp.signal);
  const underWay = new Set<Promise<void>>();
  const flights = new Map<Batch, Promise<void>>();

  function pump(endpoint: Endpoint): void {
    endpoint.needsPump = true;
    if (endpoint.isPumping || giveUp.signal.aborted) return;
    endpoint.isPumping = true;
    track(
      send(endpoint)
        .catch((error: unknown) => {
          // The lanes wait as before; the outbox is asked again after a while.
          endpoint.notBeforeMs = Math.max(endpoint.notBeforeMs, now() + LOOK_EVERY_MS);
          log.warn(
            { app_id: endpoint.appId, endpoint: endpoint.id, reason: errorCode(error) },
            "webhook lanes could not be read",
          );
        })
        .finally(() => {
          endpoint.isPumping = false;
          rest(endpoint);
        }),
    );
  }

  async function send(endpoint: Endpoint): Promise<void> {
    while (endpoint.needsPump && !giveUp.signal.aborted) {
      endpoint.needsPump = false;
      if (endpoint.queue.length === 0 && endpoint.pause === undefined) return;
      const receiver = await findReceiver(endpoint, apps, settings.batching);
      if (typeof receiver === "string") return noteObstacle(endpoint, receiver);
      endpoint.obstacle = undefined;
      endpoint.pace = paceOf(receiver.webhook, settings);
      const { pause } = endpoint;
      if (pause !== undefined && (await pauses.holds(endpoint, receiver.webhook.url))) return;
      while (canSend(endpoint)) {
        const batch = await nextBatch(context, endpoint, receiver.maxEvents);
        if (!batch) break;
        narrow(batch, now(), ({ lane }) => lane.isLive);
        if (batch.parts.length === 0) continue;
        if (!canSend(endpoint)) {
          // A POST failed, or the endpoint was paused, while the lanes were read.
          putBack(batch, endpoint);
          break;
        }
        const flight = attempt(endpoint, receiver, batch, giveUp.signal).finally(() => {
          flights.delete(batch);
          pump(endpoint);
        });
        flights.set(batch, flight);
        track(flight);
      }
    }
  }

  function canSend(endpoint: Endpoint): boolean {
    return !giveUp.signal.aborted && maySend(endpoint, now());
  }

  function noteObstacle(endpoint: Endpoint, obstacle: string): void {
    if (endpoint.obstacle === obstacle) return;
    endpoint.obstacle = obstacle;
    const { appId, id } = endpoint;
    log.warn(
      { app_id: appId, endpoint: id, reason: obstacle },
      "webhook endpoint keeps its backlog",
    );
  }

  /** Wakes the endpoint when something in its queue may be sent, unless an answer does so first. */
  function rest(endpoint: Endpoint): void {
    endpoint.cancelTimer?.();
    endpoint.cancelTimer = undefined;
    if (giveUp.signal.aborted) return;
    if (endpoint.needsPump) {
      pump(endpoint);
    } else {
      const atMs = nextSendMs(endpoint);
      if (atMs !== undefined) {
        endpoint.cancelTimer = after(Math.max(0, atMs - now()), () => pump(endpoint));
      }
    }
    onRest();
  }

  function track(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => log.error({ reason: errorCode(error) }, "webhook delivery failed"))
      .finally(() => underWay.delete(done));
    underWay.add(done);
  }

  return {
    pump,
    retry(endpoint) {
      endWaits(endpoint);
      endpoint.notBeforeMs = 0;
      pump(endpoint);
    },
    flightOf(lane) {
      for (const [batch, flight] of flights) {
        if (batch.parts.some((part) => part.lane === lane)) return flight;
      }
      return undefined;
    },
    async stop() {
      giveUp.abort();
      await Promise.all(underWay);
    },
  };
}
