/** What an attempt's end does to its batch, its lanes and its endpoint. Source: architecture.md §5, Failure. */
import { backoffMs } from "./backoff.ts";
import { type DispatchContext, errorCode } from "./context.ts";
import { noteRefusedAlone, takesNothing } from "./endpoint-waits.ts";
import {
  cut,
  dropLeaving,
  dropTouched,
  giveBack,
  narrow,
  releaseLane,
  requeue,
} from "./lane-queue.ts";
import { type Batch, countEvents, type Endpoint, eventsOf, type Part } from "./lanes.ts";
import type { FailResult } from "./outbox.ts";
import { failureStatus, faultOf, retryAfterMs } from "./outcome.ts";
import type { Pauses } from "./pauses.ts";
import type { Answer } from "./target.ts";

/** An event that its receiver refuses so often while taking others is given up. */
const MAX_REFUSALS = 3;

/** Longer than any lane fails; a whole number that Lua keeps exactly. */
const NO_END_MS = Number.MAX_SAFE_INTEGER;

export interface Settlement {
  /** The endpoint took the batch: each lane settles alone. */
  delivered(batch: Batch, endpoint: Endpoint): Promise<void>;
  /** It did not: answers in how many ms it is tried again, at the earliest. */
  failed(batch: Batch, endpoint: Endpoint, url: string, answer: Answer): Promise<number>;
  /** From now on nobody waits longer than the first backoff: the server is about to stop. */
  hurry(): void;
}

/** `onLost` is told of a partition that belongs to another node now. */
export function createSettlement(
  context: DispatchContext,
  pauses: Pauses,
  onLost: (partition: number) => void,
): Settlement {
  const { outbox, settings, now, random, log, onDelivered } = context;
  let isHurried = false;

  async function settlePart({ lane, events }: Part): Promise<void> {
    const ids = events.map((event) => event.id);
    try {
      const result = await outbox.settle(lane.key, ids);
      if (result === "lost") onLost(lane.key.partition);
    } catch (error) {
      // It is settled before the lane is read again, so that what was delivered is not sent twice for this.
      lane.unsettled = ids;
      log.warn(
        { partition: lane.key.partition, reason: errorCode(error) },
        "webhook delivery could not be recorded",
      );
    }
    releaseLane(lane, settings.batching.windowMs, now());
  }

  /** Takes what the outbox buried out of the part. */
  async function recordPart(
    part: Part,
    record: () => FailResult | "lost" | Promise<FailResult | "lost">,
  ): Promise<void> {
    const { partition } = part.lane.key;
    try {
      const result = await record();
      if (result === "lost") return onLost(partition);
      if (result.buried.length === 0) return;
      const buried = new Set(result.buried);
      part.events = part.events.filter((event) => !buried.has(event.id));
    } catch (error) {
      log.warn({ partition, reason: errorCode(error) }, "webhook failure could not be recorded");
    }
  }

  /** Drops what is buried or lost from the batch and lets lanes go that have nothing left in it. */
  function trim(batch: Batch): void {
    dropLeaving(batch, now());
    dropTouched(batch, now());
    for (const { lane, events } of batch.parts) if (events.length === 0) giveBack(lane, now());
    narrow(batch, now(), (part) => part.lane.isLive);
  }

  function delay(failures: number): number {
    return backoffMs(settings.retry, isHurried ? 1 : failures, random);
  }

  async function refused(
    batch: Batch,
    endpoint: Endpoint,
    answer: Answer,
    status: string,
  ): Promise<number> {
    const tookOthers = endpoint.accepted > (batch.refusedSince ?? endpoint.accepted);
    const isSeveral = countEvents(batch) > 1;
    if (!tookOthers && !isSeveral) noteRefusedAlone(endpoint, eventsOf(batch));
    if (!tookOthers && takesNothing(endpoint)) {
      const waitMs = backOff(batch, endpoint, answer);
      // Cut also now: batches that all carry a bad event would else prove for ever that nothing is taken.
      if (isSeveral) cut(batch, endpoint, now());
      else requeue(batch, endpoint);
      return waitMs;
    }
    if (isSeveral) {
      cut(batch, endpoint, now());
      return 0;
    }
    batch.refusals += 1;
    if (batch.refusals >= MAX_REFUSALS && tookOthers) {
      for (const part of batch.parts) {
        const ids = part.events.map((event) => event.id);
        await recordPart(part, () => outbox.bury(part.lane.key, ids, status));
      }
      trim(batch);
    }
    const waitMs = delay(batch.refusals);
    batch.retryAtMs = now() + waitMs;
    requeue(batch, endpoint);
    return waitMs;
  }

  /** Answers in how many ms the batch is tried again, at the earliest. */
  function backOff(batch: Batch, endpoint: Endpoint, answer: Answer): number {
    const nowMs = now();
    // POSTs that were under way together count as one failure.
    const failures = batch.endpointFailures + 1;
    if (failures > endpoint.failures) {
      endpoint.failures = failures;
      endpoint.retryAtMs = nowMs + delay(failures);
    }
    const askedMs = Math.min(retryAfterMs(answer, nowMs), settings.retry.maxMs);
    endpoint.notBeforeMs = Math.max(endpoint.notBeforeMs, nowMs + askedMs);
    if (endpoint.accepted > batch.acceptedBefore) {
      batch.failuresDespiteOthers += 1;
      batch.retryAtMs = nowMs + delay(batch.failuresDespiteOthers);
    }
    batch.acceptedBefore = endpoint.accepted;
    return Math.max(endpoint.retryAtMs, endpoint.notBeforeMs, batch.retryAtMs) - nowMs;
  }

  return {
    async delivered(batch, endpoint) {
      if (endpoint.failures > 0) {
        log.info({ app_id: endpoint.appId, endpoint: endpoint.id }, "webhook endpoint recovered");
      }
      pauses.accepted(endpoint);
      endpoint.accepted += 1;
      endpoint.refusedAlone.clear();
      endpoint.failures = 0;
      endpoint.retryAtMs = 0;
      const nowMs = now();
      for (const { events } of batch.parts) {
        endpoint.counters.delivered += events.length;
        for (const event of events) {
          onDelivered(nowMs - event.decidedMs, endpoint.appId, endpoint.id, event);
        }
      }
      await Promise.all(batch.parts.filter(({ lane }) => lane.isLive).map(settlePart));
    },
    async failed(batch, endpoint, url, answer) {
      const status = failureStatus(answer);
      const fault = faultOf(answer);
      const isProven =
        fault === "doubtful" &&
        batch.refusedSince !== undefined &&
        endpoint.accepted > batch.refusedSince;
      if (fault === "batch" || fault === "doubtful") batch.refusedSince ??= endpoint.accepted;
      if (fault === "gone") pauses.gone(endpoint, url);
      // Of a paused endpoint nothing is given up: somebody has to decide first.
      const budgetMs = endpoint.pause === undefined ? settings.retry.budgetMs : NO_END_MS;
      const failure = { status, budgetMs };
      await Promise.all(
        batch.parts
          .filter(({ lane }) => lane.isLive)
          .map((part) => recordPart(part, () => outbox.fail(part.lane.key, failure))),
      );
      trim(batch);
      if (fault === "batch" || isProven) return refused(batch, endpoint, answer, status);
      const waitMs = backOff(batch, endpoint, answer);
      requeue(batch, endpoint);
      return waitMs;
    },
    hurry() {
      isHurried = true;
    },
  };
}
