/**
 * Delivers what waits in lanes: decides when an endpoint may be sent to, sends, and goes on after each answer.
 * Endpoints know nothing of each other, so one that is dead or slow delays no other. Source: architecture.md §5.
 */
import { setMaxListeners } from "node:events";
import { deliveryId } from "./batch.ts";
import { nextBatch } from "./batching.ts";
import { type DispatchContext, errorCode, LOOK_EVERY_MS } from "./context.ts";
import { dropLane, giveBack, narrow, noteRouted, putBack, unbind } from "./lane-queue.ts";
import {
  type Batch,
  createEndpoint,
  createLane,
  type Endpoint,
  eventsOf,
  isBatch,
  type Lane,
} from "./lanes.ts";
import type { EndpointName } from "./operations.ts";
import type { LaneKey, UnderWay } from "./outbox.ts";
import { outcomeOf } from "./outcome.ts";
import { nextPostMs, paceOf } from "./pace.ts";
import { createPauses } from "./pauses.ts";
import { post } from "./post.ts";
import { findReceiver, loggableOrigin, type Receiver } from "./receiver.ts";
import { createSettlement } from "./settlement.ts";
import type { Answer } from "./target.ts";

export interface Delivery {
  endpoint(appId: string, endpointId: string): Endpoint;
  endpoints(): Iterable<Endpoint>;
  /** `count` events came into a lane; they may gather for `windowMs`. */
  routed(lane: LaneKey, count: number, windowMs: number): void;
  /** For the outbox: see there. */
  readonly underWay: UnderWay;
  /** A bound pushed events out of the lane: batches that wait are made anew. */
  pushedOut(lane: LaneKey): void;
  /** An operator has changed the lane: what waits of it is batched anew from its head. */
  touched(lane: LaneKey): void;
  /** Forgets all lanes of a partition that is lost or newly claimed. */
  forgetPartition(partition: number): void;
  /** Sends nothing more of the partition; resolves when no POST carries anything of it. */
  leavePartition(partition: number): Promise<void>;
  /** Tries an endpoint that could not be sent to. */
  pump(endpoint: Endpoint): void;
  /** Tries an endpoint at once, whatever it waits for. */
  retry(of: EndpointName): void;
  /** See pauses.ts. */
  refreshPauses(): Promise<void>;
  /** Forgets an endpoint without lanes. */
  forget(endpoint: Endpoint): void;
  /** No more waiting for windows and long backoffs. */
  hurry(): void;
  /** Resolves once nothing waits but for endpoints that cannot be sent to or are paused. */
  drained(): Promise<void>;
  /** Gives up all attempts under way and sends nothing more. */
  stop(): Promise<void>;
}

/** `onLost` is told of a partition that turns out to belong to another node. */
export function createDelivery(
  context: DispatchContext,
  onLost: (partition: number) => void,
): Delivery {
  const { apps, target, settings, now, after, log } = context;
  const endpoints = new Map<string, Endpoint>();
  const pauses = createPauses(context, endpoints, tryNow);
  const settlement = createSettlement(context, pauses, onLost);
  const giveUp = new AbortController();
  // Every attempt under way listens: as many as the endpoints' concurrency allows.
  setMaxListeners(0, giveUp.signal);
  const underWay = new Set<Promise<void>>();
  const flights = new Map<Batch, Promise<void>>();
  let isHurried = false;
  let whenDrained: (() => void) | undefined;

  function laneOf({ appId, endpointId, partition }: LaneKey): Lane | undefined {
    return endpoints.get(`${appId}:${endpointId}`)?.lanes.get(partition);
  }

  function endpointOf(appId: string, endpointId: string): Endpoint {
    const name = `${appId}:${endpointId}`;
    let endpoint = endpoints.get(name);
    if (!endpoint) {
      endpoint = createEndpoint(appId, endpointId);
      endpoints.set(name, endpoint);
      pauses.adopt(endpoint);
    }
    return endpoint;
  }

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
          setTimer(endpoint);
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
      while (maySend(endpoint)) {
        const batch = await nextBatch(context, endpoint, receiver.maxEvents);
        if (!batch) break;
        narrow(batch, now(), ({ lane }) => lane.isLive);
        if (batch.parts.length === 0) continue;
        if (!maySend(endpoint)) {
          // A POST failed, or the endpoint was paused, while the lanes were read.
          putBack(batch, endpoint);
          break;
        }
        const flight = attempt(endpoint, receiver, batch).finally(() => {
          flights.delete(batch);
          pump(endpoint);
        });
        flights.set(batch, flight);
        track(flight);
      }
    }
  }

  /** Nothing of what waits is put off any longer. */
  function tryNow(endpoint: Endpoint): void {
    endpoint.openAtMs = 0;
    endpoint.retryAtMs = 0;
    endpoint.notBeforeMs = 0;
    for (const entry of endpoint.queue) if (isBatch(entry)) entry.retryAtMs = 0;
    pump(endpoint);
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

  function maySend(endpoint: Endpoint): boolean {
    const nowMs = now();
    if (giveUp.signal.aborted || endpoint.pause !== undefined) return false;
    if (nowMs < endpoint.notBeforeMs) return false;
    if (nowMs < endpoint.nextPostMs) return false;
    if (endpoint.failures === 0) return endpoint.flying < endpoint.pace.concurrency;
    return endpoint.flying === 0 && now() >= endpoint.retryAtMs;
  }

  async function attempt(endpoint: Endpoint, receiver: Receiver, batch: Batch): Promise<void> {
    const { appId, id } = endpoint;
    const events = eventsOf(batch);
    const delivery = deliveryId(appId, id, events);
    endpoint.flying += 1;
    endpoint.nextPostMs = nextPostMs(endpoint.pace, endpoint.nextPostMs, now());
    batch.attempts += 1;
    batch.endpointFailures = endpoint.failures;
    const number = batch.attempts;
    const answer = await post(context, endpoint, receiver, batch, giveUp.signal).catch(
      // A url or header that cannot be sent is a failed attempt as any other: it may be edited.
      (error: unknown): Answer => ({ kind: "connection", reason: errorCode(error) }),
    );
    endpoint.flying -= 1;
    if (giveUp.signal.aborted) return;
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
  }

  /** Wakes the endpoint when something in its queue may be sent, unless an answer does so first. */
  function setTimer(endpoint: Endpoint): void {
    endpoint.cancelTimer?.();
    endpoint.cancelTimer = undefined;
    if (giveUp.signal.aborted) return;
    const limit = endpoint.failures > 0 ? 1 : endpoint.pace.concurrency;
    if (endpoint.needsPump) {
      pump(endpoint);
    } else if (!isStuck(endpoint) && endpoint.flying < limit) {
      let atMs = Number.POSITIVE_INFINITY;
      for (const entry of endpoint.queue) {
        atMs = Math.min(atMs, isBatch(entry) ? entry.retryAtMs : endpoint.openAtMs);
      }
      if (atMs < Number.POSITIVE_INFINITY) {
        atMs = Math.max(atMs, endpoint.retryAtMs, endpoint.notBeforeMs, endpoint.nextPostMs);
        endpoint.cancelTimer = after(Math.max(0, atMs - now()), () => pump(endpoint));
      }
    }
    if (isDrained()) whenDrained?.();
  }

  function isDrained(): boolean {
    for (const endpoint of endpoints.values()) {
      if (endpoint.isPumping || endpoint.flying > 0) return false;
      if (endpoint.queue.length > 0 && !isStuck(endpoint)) return false;
    }
    return true;
  }

  function flightOf(lane: Lane): Promise<void> | undefined {
    for (const [batch, flight] of flights) {
      if (batch.parts.some((part) => part.lane === lane)) return flight;
    }
    return undefined;
  }

  /** Nothing can or may be sent to it. */
  function isStuck({ obstacle, pause }: Endpoint): boolean {
    return obstacle !== undefined || pause !== undefined;
  }

  function routed(key: LaneKey, count: number, windowMs: number): void {
    const endpoint = endpointOf(key.appId, key.endpointId);
    let lane = endpoint.lanes.get(key.partition);
    if (!lane) {
      lane = createLane(key, endpoint);
      endpoint.lanes.set(key.partition, lane);
    }
    noteRouted(lane, count, isHurried ? 0 : windowMs, settings.batching.maxEvents, now());
    pump(endpoint);
  }

  /** Batches with the lane that wait are made anew; answers whether there was one. */
  function remake(lane: Lane): boolean {
    if (!unbind(lane, now())) return false;
    lane.endpoint.queue = lane.endpoint.queue.filter(
      (entry) => !isBatch(entry) || entry.parts.length > 0,
    );
    giveBack(lane, now());
    return true;
  }

  function track(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => log.error({ reason: errorCode(error) }, "webhook delivery failed"))
      .finally(() => underWay.delete(done));
    underWay.add(done);
  }

  return {
    endpoint: endpointOf,
    endpoints: () => endpoints.values(),
    routed,
    underWay: (key) => laneOf(key)?.underWay ?? 0,
    pushedOut(key) {
      const lane = laneOf(key);
      if (lane) remake(lane);
    },
    touched(key) {
      const lane = laneOf(key);
      if (lane) {
        lane.suspects = [];
        if (!remake(lane)) lane.isTouched = lane.place === "bound";
      }
      routed(key, 0, 0);
    },
    forgetPartition(partition) {
      for (const endpoint of endpoints.values()) {
        const lane = endpoint.lanes.get(partition);
        if (lane) dropLane(lane, now());
      }
    },
    async leavePartition(partition) {
      const awaited: Promise<void>[] = [];
      for (const endpoint of endpoints.values()) {
        const lane = endpoint.lanes.get(partition);
        if (!lane) continue;
        const flight = flightOf(lane);
        lane.isLeaving = true;
        if (flight) awaited.push(flight);
        else dropLane(lane, now());
      }
      await Promise.allSettled(awaited);
    },
    pump,
    retry({ appId, endpointId }) {
      const endpoint = endpoints.get(`${appId}:${endpointId}`);
      if (endpoint) tryNow(endpoint);
    },
    refreshPauses: pauses.refresh,
    forget(endpoint) {
      endpoint.cancelTimer?.();
      endpoints.delete(`${endpoint.appId}:${endpoint.id}`);
      target.forget(`${endpoint.appId}:${endpoint.id}`);
    },
    hurry() {
      isHurried = true;
      settlement.hurry();
      for (const endpoint of endpoints.values()) {
        endpoint.openAtMs = 0;
        endpoint.retryAtMs = 0;
        for (const entry of endpoint.queue) if (isBatch(entry)) entry.retryAtMs = 0;
        pump(endpoint);
      }
    },
    drained() {
      return new Promise((resolve) => {
        whenDrained = resolve;
        if (isDrained()) resolve();
      });
    },
    async stop() {
      giveUp.abort();
      for (const endpoint of endpoints.values()) endpoint.cancelTimer?.();
      await Promise.all(underWay);
    },
  };
}
