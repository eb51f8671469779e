/** Makes the next batch for an endpoint: one to be tried again, or the heads of lanes that wait. */
import type { DispatchContext } from "./context.ts";
import { dissolve, FROZEN_MS, giveBack, launch, releaseLane, takeCompanion } from "./lane-queue.ts";
import {
  type Batch,
  countEvents,
  createBatch,
  type Endpoint,
  isBatch,
  type Lane,
  type Part,
} from "./lanes.ts";
import type { Head, OutboxEvent } from "./outbox.ts";
import { MAX_BATCH_BYTES } from "./settings.ts";

/** Room for `{"time_ms":…,"events":[…]}`. */
const ENVELOPE_BYTES = 64;

/**
 * The next batch, its lanes bound to it, or undefined when none is ready. Rejects as the outbox does; the lanes
 * then wait as before.
 */
export async function nextBatch(
  context: DispatchContext,
  endpoint: Endpoint,
  maxEvents: number,
): Promise<Batch | undefined> {
  for (;;) {
    const nowMs = context.now();
    const at = endpoint.queue.findIndex(
      (entry) => (isBatch(entry) ? entry.retryAtMs : endpoint.openAtMs) <= nowMs,
    );
    const [entry] = at === -1 ? [] : endpoint.queue.splice(at, 1);
    if (!entry) return undefined;
    if (!isBatch(entry)) {
      const batch = await gather(context, endpoint, entry, maxEvents);
      if (batch) return batch;
    } else if (countEvents(entry) > maxEvents) {
      // Batching was switched off, or made smaller, since.
      dissolve(entry, nowMs);
    } else {
      if (nowMs - entry.timeMs >= FROZEN_MS) entry.timeMs = nowMs;
      launch(entry);
      return entry;
    }
  }
}

async function gather(
  context: DispatchContext,
  endpoint: Endpoint,
  first: Lane,
  maxEvents: number,
): Promise<Batch | undefined> {
  const parts: Part[] = [];
  const isSuspect = first.suspects.length > 0;
  let room = maxEvents;
  let bytes = MAX_BATCH_BYTES - ENVELOPE_BYTES;
  let lane: Lane | undefined = first;
  endpoint.gathered = 0;
  while (lane) {
    let events: readonly OutboxEvent[];
    try {
      ({ events } = await readHead(context, lane, room, bytes));
    } catch (error) {
      for (const each of [lane, ...parts.map((part) => part.lane)]) giveBack(each, context.now());
      throw error;
    }
    const size = events.reduce((sum, event) => sum + event.bytes + 1, 0);
    if (lane.isLive && events.length > 0) {
      if (parts.length > 0 && size > bytes) {
        // Even its first event is too much for what room is left.
        giveBack(lane, context.now());
        break;
      }
      parts.push({ lane, events });
      room -= events.length;
      bytes -= size;
    } else {
      releaseLane(lane, context.settings.batching.windowMs, context.now());
    }
    lane = room > 0 && bytes > 0 && !isSuspect ? takeCompanion(endpoint) : undefined;
  }
  const live = parts.filter((part) => part.lane.isLive);
  if (live.length === 0) return undefined;
  const batch = createBatch(live, endpoint, context.now());
  if (isSuspect) batch.refusedSince = first.suspectsSince;
  return batch;
}

async function readHead(
  context: DispatchContext,
  lane: Lane,
  room: number,
  bytes: number,
): Promise<Head> {
  const { outbox } = context;
  lane.place = "bound";
  lane.moreSinceMs = undefined;
  if (lane.unsettled.length > 0) {
    await outbox.settle(lane.key, lane.unsettled);
    lane.unsettled = [];
  }
  const group = lane.suspects[0] ?? room;
  const most = Math.min(room, group);
  lane.underWay = most;
  const head = await outbox.head(lane.key, most, bytes);
  lane.underWay = head.events.length;
  lane.hasLeftover = head.hasMore;
  if (!head.hasMore) lane.suspects = [];
  else if (head.events.length >= group) lane.suspects.shift();
  else if (lane.suspects.length > 0) lane.suspects[0] = group - head.events.length;
  return head;
}
