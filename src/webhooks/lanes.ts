/**
 * What the dispatcher remembers of lanes, batches and endpoints. Plain records: the rules are in lane-queue.ts,
 * sending.ts and settlement.ts.
 */
import { createEndpointCounters, type EndpointCounters } from "./counters.ts";
import type { LaneKey, OutboxEvent } from "./outbox.ts";
import type { StoredPause } from "./outbox-controls.ts";
import { type Pace, UNPACED } from "./pace.ts";

export interface Lane {
  readonly key: LaneKey;
  readonly endpoint: Endpoint;
  /** False once the partition was lost or claimed anew: what is under way for the lane no longer counts. */
  isLive: boolean;
  /** The partition is being given up: what is under way is waited for, and nothing else is sent. */
  isLeaving: boolean;
  /** `waiting`: in its endpoint's queue. `bound`: its head is in a batch, or being read for one. */
  place: "idle" | "waiting" | "bound";
  /** Events came while the lane was bound: the time of the first of them, epoch ms. */
  moreSinceMs: number | undefined;
  /** More events than went into the batch that binds it. */
  hasLeftover: boolean;
  /** Groups of events at its head, by size, left over from refused batches: each travels by itself. */
  suspects: number[];
  /** {@link Endpoint.accepted} when the suspects were first refused. */
  suspectsSince: number;
  /** An operator has changed it while it was bound: what binds it is made anew from its head. */
  isTouched: boolean;
  /** Events at its head that are in a batch which is being made or sent: no bound may push them out. */
  underWay: number;
  /** Delivered, but the outbox could not be told yet. */
  unsettled: readonly string[];
}

/** Heads of lanes of one endpoint that travel together until they are settled. */
export interface Batch {
  parts: Part[];
  /** Its creation, epoch ms: `time_ms` of the body. */
  timeMs: number;
  /** Attempts so far of these very events. */
  attempts: number;
  /** It is not tried before, epoch ms. */
  retryAtMs: number;
  /** Failures while the endpoint took others. */
  failuresDespiteOthers: number;
  /** {@link Endpoint.accepted} at its last failure, or at its creation. */
  acceptedBefore: number;
  /** {@link Endpoint.accepted} when its events were first refused; undefined: they were not. */
  refusedSince: number | undefined;
  /** Refusals since its only event travels alone. */
  refusals: number;
  /** {@link Endpoint.failures} when it was last sent. */
  endpointFailures: number;
}

export interface Part {
  readonly lane: Lane;
  events: readonly OutboxEvent[];
}

export interface Endpoint {
  readonly appId: string;
  readonly id: string;
  /** By partition. */
  readonly lanes: Map<number, Lane>;
  /** Lanes with events and batches to be tried again, next first. */
  queue: (Lane | Batch)[];
  /** POSTs under way. */
  flying: number;
  /** Failures since the last success. Above 0 it backs off: one POST at a time. */
  failures: number;
  /** End of the backoff, epoch ms. */
  retryAtMs: number;
  /** `Retry-After`: not even a success of another POST shortens it. Epoch ms. */
  notBeforeMs: number;
  /** What its configuration allows, as it was read last. */
  pace: Pace;
  /** Its rate lets the next POST go then, epoch ms. */
  nextPostMs: number;
  /** When waiting lanes may be read: the end of the batching window, epoch ms. */
  openAtMs: number;
  /** Events that came in this window. */
  gathered: number;
  /** Batches that it took: proof that it is alive. */
  accepted: number;
  /** Ids of events that were refused alone since it last took a batch: as many as prove that it takes nothing. */
  readonly refusedAlone: Set<string>;
  /** Nothing is sent before it is resumed or, after a 410, has another url. */
  pause: StoredPause | undefined;
  /** A pause that has ended by another url, and still stands in the outbox. */
  endedPause: StoredPause | undefined;
  /** Why nothing can be sent, once that was logged. */
  obstacle: string | undefined;
  isPumping: boolean;
  needsPump: boolean;
  cancelTimer: (() => void) | undefined;
  readonly counters: EndpointCounters;
}

export function createEndpoint(appId: string, id: string): Endpoint {
  return {
    appId,
    id,
    lanes: new Map(),
    queue: [],
    flying: 0,
    failures: 0,
    retryAtMs: 0,
    notBeforeMs: 0,
    pace: UNPACED,
    nextPostMs: 0,
    openAtMs: 0,
    gathered: 0,
    accepted: 0,
    refusedAlone: new Set(),
    pause: undefined,
    endedPause: undefined,
    obstacle: undefined,
    isPumping: false,
    needsPump: false,
    cancelTimer: undefined,
    counters: createEndpointCounters(),
  };
}

export function createLane(key: LaneKey, endpoint: Endpoint): Lane {
  return {
    key,
    endpoint,
    isLive: true,
    isLeaving: false,
    place: "idle",
    moreSinceMs: undefined,
    hasLeftover: false,
    suspects: [],
    suspectsSince: 0,
    isTouched: false,
    underWay: 0,
    unsettled: [],
  };
}

export function createBatch(parts: Part[], endpoint: Endpoint, timeMs: number): Batch {
  return {
    parts,
    timeMs,
    attempts: 0,
    retryAtMs: 0,
    failuresDespiteOthers: 0,
    acceptedBefore: endpoint.accepted,
    refusedSince: undefined,
    refusals: 0,
    endpointFailures: 0,
  };
}

export function isBatch(entry: Lane | Batch): entry is Batch {
  return "parts" in entry;
}

export function eventsOf(batch: Batch): readonly OutboxEvent[] {
  const [first] = batch.parts;
  if (first && batch.parts.length === 1) return first.events;
  return batch.parts.flatMap((part) => part.events);
}

export function countEvents(batch: Batch): number {
  return batch.parts.reduce((sum, { events }) => sum + events.length, 0);
}
