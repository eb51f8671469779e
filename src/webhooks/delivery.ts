/**
 * Delivers what waits in lanes: keeps the endpoints and their lanes, and what outboxes and operators say of them.
 * Endpoints know nothing of each other, so one that is dead or slow delays no other. Source: architecture.md §5.
 */
import { createAttempts } from "./attempt.ts";
import type { DispatchContext } from "./context.ts";
import { endWaits, isStuck } from "./endpoint-waits.ts";
import { dropLane, giveBack, noteRouted, unbind } from "./lane-queue.ts";
import { createEndpoint, createLane, type Endpoint, isBatch, type Lane } from "./lanes.ts";
import type { EndpointName } from "./operations.ts";
import type { LaneKey, UnderWay } from "./outbox.ts";
import { createPauses } from "./pauses.ts";
import { createSending } from "./sending.ts";
import { createSettlement } from "./settlement.ts";

export interface Delivery {
  endpoint(appId: string, endpointId: string): Endpoint;
  endpoints(): Iterable<Endpoint>;
  /** `count` events came into a lane; they may gather for `windowMs`. */
  routed(lane: LaneKey, count: number, windowMs: number): void;
  /** Nothing is known to wait in the lane. */
  isIdle(lane: LaneKey): boolean;
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
  const { target, settings, now } = context;
  const endpoints = new Map<string, Endpoint>();
  const pauses = createPauses(context, endpoints, (endpoint) => sending.retry(endpoint));
  const settlement = createSettlement(context, pauses, onLost);
  const attempt = createAttempts(context, settlement);
  const sending = createSending({ context, pauses, attempt, onRest });
  const { pump } = sending;
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

  function onRest(): void {
    if (isDrained()) whenDrained?.();
  }

  function isDrained(): boolean {
    for (const endpoint of endpoints.values()) {
      if (endpoint.isPumping || endpoint.flying > 0) return false;
      if (endpoint.queue.length > 0 && !isStuck(endpoint)) return false;
    }
    return true;
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

  return {
    endpoint: endpointOf,
    endpoints: () => endpoints.values(),
    routed,
    isIdle(key) {
      const lane = laneOf(key);
      return lane === undefined || lane.place === "idle";
    },
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
        const flight = sending.flightOf(lane);
        lane.isLeaving = true;
        if (flight) awaited.push(flight);
        else dropLane(lane, now());
      }
      await Promise.allSettled(awaited);
    },
    pump,
    retry({ appId, endpointId }) {
      const endpoint = endpoints.get(`${appId}:${endpointId}`);
      if (endpoint) sending.retry(endpoint);
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
        endWaits(endpoint);
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
      const stopped = sending.stop();
      for (const endpoint of endpoints.values()) endpoint.cancelTimer?.();
      await stopped;
    },
  };
}
