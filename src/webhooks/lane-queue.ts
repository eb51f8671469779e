/**
 * An endpoint's queue of lanes that wait and batches to be tried again, and the window in which events gather.
 * Each lane is at one place only: idle, waiting here, or bound to a batch.
 */
import {
  type Batch,
  countEvents,
  createBatch,
  type Endpoint,
  isBatch,
  type Lane,
  type Part,
} from "./lanes.ts";

/** A batch keeps its bytes for so long: the Python library refuses what is 5 minutes old. */
export const FROZEN_MS = 240_000;

/** `count` events came into the lane. They gather for `windowMs` unless `maxEvents` are there before. */
export function noteRouted(
  lane: Lane,
  count: number,
  windowMs: number,
  maxEvents: number,
  nowMs: number,
): void {
  const { endpoint } = lane;
  endpoint.gathered += count;
  if (lane.place === "bound") {
    lane.moreSinceMs ??= nowMs;
  } else if (lane.place === "idle") {
    enqueue(lane, nowMs + windowMs);
  }
  if (endpoint.gathered >= maxEvents) endpoint.openAtMs = Math.min(endpoint.openAtMs, nowMs);
}

/** The lane is not read before `openAtMs`, unless others wait that are. */
function enqueue(lane: Lane, openAtMs: number): void {
  const { endpoint } = lane;
  const othersWait = endpoint.queue.some((entry) => !isBatch(entry));
  endpoint.openAtMs = othersWait ? Math.min(endpoint.openAtMs, openAtMs) : openAtMs;
  lane.place = "waiting";
  // While nothing is taken, what was not refused yet finds out sooner whether something is.
  const at = endpoint.refusedAlone.size === 0 ? -1 : endpoint.queue.findIndex(isBatch);
  endpoint.queue.splice(at === -1 ? endpoint.queue.length : at, 0, lane);
}

/** The lane's head is settled, or given back: it waits again if there is more in it. */
export function releaseLane(lane: Lane, windowMs: number, nowMs: number): void {
  // What is delivered and not yet recorded is not given up either.
  lane.underWay = lane.unsettled.length;
  if (lane.isTouched) lane.suspects = [];
  lane.isTouched = false;
  if (!lane.isLive) return;
  if (lane.isLeaving) return dropLane(lane, nowMs);
  lane.place = "idle";
  if (lane.hasLeftover || lane.unsettled.length > 0) enqueue(lane, nowMs);
  else if (lane.moreSinceMs !== undefined) enqueue(lane, lane.moreSinceMs + windowMs);
}

/** Takes the next lane out of the queue that may travel with others. */
export function takeCompanion(endpoint: Endpoint): Lane | undefined {
  const at = endpoint.queue.findIndex((entry) => !isBatch(entry) && entry.suspects.length === 0);
  const [entry] = at === -1 ? [] : endpoint.queue.splice(at, 1);
  return entry && !isBatch(entry) ? entry : undefined;
}

/** Puts a failed batch behind everything else, so that probes go round all lanes. */
export function requeue(batch: Batch, endpoint: Endpoint): void {
  ground(batch);
  if (batch.parts.length > 0) endpoint.queue.push(batch);
}

/** Puts a batch that was not sent in front of everything else. */
export function putBack(batch: Batch, endpoint: Endpoint): void {
  ground(batch);
  endpoint.queue.unshift(batch);
}

/** The batch is out of the queue, about to be sent. */
export function launch(batch: Batch): void {
  for (const { lane, events } of batch.parts) lane.underWay = events.length;
}

/** The batch only waits: its events may be pushed out. */
function ground(batch: Batch): void {
  for (const { lane } of batch.parts) lane.underWay = 0;
}

/** The lane's events were not sent: it waits again, with nothing to wait for. */
export function giveBack(lane: Lane, nowMs: number): void {
  lane.hasLeftover = true;
  releaseLane(lane, 0, nowMs);
}

/** Gives all lanes of a queued batch back, to be batched anew from their heads. */
export function dissolve(batch: Batch, nowMs: number): void {
  for (const { lane } of batch.parts) giveBack(lane, nowMs);
}

/** Keeps the parts that `keeps` wants. What is left of a batch is another batch, with fresh bytes. */
export function narrow(batch: Batch, nowMs: number, keeps: (part: Part) => boolean): void {
  const before = countEvents(batch);
  batch.parts = batch.parts.filter((part) => keeps(part) && part.events.length > 0);
  if (countEvents(batch) === before) return;
  batch.timeMs = nowMs;
  batch.attempts = 0;
}

/** Takes a lane out of the batches that wait to be tried again; answers whether it was in one. */
export function unbind(lane: Lane, nowMs: number): boolean {
  let wasBound = false;
  for (const entry of lane.endpoint.queue) {
    if (!isBatch(entry) || !entry.parts.some((part) => part.lane === lane)) continue;
    wasBound = true;
    narrow(entry, nowMs, (part) => part.lane !== lane);
  }
  return wasBound;
}

/** Drops lanes that are being given up, now that nothing of theirs is under way. */
export function dropLeaving(batch: Batch, nowMs: number): void {
  for (const { lane } of batch.parts) if (lane.isLeaving && lane.isLive) dropLane(lane, nowMs);
}

/** Gives back lanes that were changed while the batch was under way: their events may be elsewhere by now. */
export function dropTouched(batch: Batch, nowMs: number): void {
  const touched = new Set(batch.parts.map(({ lane }) => lane).filter(({ isTouched }) => isTouched));
  if (touched.size === 0) return;
  narrow(batch, nowMs, ({ lane }) => !touched.has(lane));
  for (const lane of touched) giveBack(lane, nowMs);
}

/** Takes a lane that is not ours any more out of the queue. A POST under way is not touched. */
export function dropLane(lane: Lane, nowMs: number): void {
  const { endpoint } = lane;
  lane.isLive = false;
  unbind(lane, nowMs);
  endpoint.lanes.delete(lane.key.partition);
  endpoint.queue = endpoint.queue.filter((entry) =>
    isBatch(entry) ? entry.parts.length > 0 : entry !== lane,
  );
}

/**
 * Cuts a refused batch of several events in halves, next in the queue. Lanes are kept whole while there are
 * several: of a single one the second half stays in the lane, apart from what follows, until the first is settled.
 */
export function cut(batch: Batch, endpoint: Endpoint, nowMs: number): void {
  ground(batch);
  const half = Math.ceil(countEvents(batch) / 2);
  const halves =
    batch.parts.length > 1 ? splitLanes(batch.parts, half) : [splitLane(batch, endpoint, half)];
  const batches = halves.map((parts) => {
    const smaller = createBatch(parts, endpoint, nowMs);
    smaller.refusedSince = batch.refusedSince;
    return smaller;
  });
  endpoint.queue.unshift(...batches);
}

function splitLanes(parts: readonly Part[], half: number): Part[][] {
  let at = 1;
  let events = parts[0]?.events.length ?? 0;
  while (at < parts.length - 1 && events < half) {
    events += parts[at]?.events.length ?? 0;
    at += 1;
  }
  return [parts.slice(0, at), parts.slice(at)];
}

function splitLane(batch: Batch, endpoint: Endpoint, half: number): Part[] {
  return batch.parts.map(({ lane, events }) => {
    lane.suspects.unshift(events.length - half);
    lane.suspectsSince = batch.refusedSince ?? endpoint.accepted;
    lane.hasLeftover = true;
    return { lane, events: events.slice(0, half) };
  });
}
