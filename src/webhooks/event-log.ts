/**
 * The streams of a node that is alone: one per partition, into which decided events are appended in order.
 * The producer's side of the memory outbox. Source: architecture.md §5.
 */
import type { Log } from "../protocol/log.ts";
import { partitionOf } from "../protocol/partition.ts";
import type { WebhookEvent } from "../protocol/webhook-event.ts";
import { createEventIds, type EventIds } from "./event-id.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import { dropOfFullest } from "./overrun.ts";
import type { Now } from "./timer.ts";
import type { IsWanted } from "./wanted-events.ts";

/** Events of one partition that may wait unrouted: the dispatcher takes them out within milliseconds. */
export const MAX_UNROUTED_EVENTS = 20_000;

/** A full stream makes room for more than one event, since finding out who fills it means to look at all. */
const DROP_AT_ONCE = 0.01;

export interface EventLogParts {
  readonly partitions: number;
  readonly now: Now;
  /** Process start, epoch ms: the first part of every event's id. */
  readonly epoch: number;
  readonly log: Log;
  /** What it denies is not appended. @default everything is wanted */
  readonly isWanted?: IsWanted;
  /** @default {@link MAX_UNROUTED_EVENTS} */
  readonly maxUnroutedEvents?: number;
}

export interface EventLog {
  readonly partitions: number;
  /**
   * Appends a decided event to its channel's stream, unless no webhook wants it. Never fails: when too many wait
   * unrouted, the oldest events of the app that has most of them fall out, counted and logged.
   */
  append(appId: string, channel: string, event: WebhookEvent): void;
  /**
   * The partition has something to do: the channel state says so when a leave is due before all others.
   * Usable before anyone listens: then the listener finds the work when it first looks.
   */
  wake(partition: number): void;
  /** Who is told of wake-ups, one at a time. It is called within `append` and must only take note. */
  listen(wake: (partition: number) => void): void;
  /** A partition's events that nobody has routed yet. */
  stream(partition: number): Fifo;
  /** Id of the partition's last event, wherever it is by now; lower than every id when there is none yet. */
  lastId(partition: number): string;
  readonly counters: {
    readonly appended: number;
    /** No webhook wanted them. */
    readonly unwanted: number;
    /** Fell out of a full stream: lost. */
    readonly dropped: number;
  };
}

interface Stream {
  readonly events: Fifo;
  readonly ids: EventIds;
}

export function createEventLog(parts: EventLogParts): EventLog {
  const { partitions, now, epoch, log, maxUnroutedEvents = MAX_UNROUTED_EVENTS } = parts;
  const isWanted = parts.isWanted ?? (() => true);
  const streams = Array.from(
    { length: partitions },
    (_, partition): Stream => ({
      events: createFifo(),
      ids: createEventIds(epoch, partition),
    }),
  );
  const counters = { appended: 0, unwanted: 0, dropped: 0 };
  let listener: ((partition: number) => void) | undefined;

  function streamOf(partition: number): Stream {
    const stream = streams[partition];
    if (!stream) throw new RangeError(`There is no partition ${partition} among ${partitions}.`);
    return stream;
  }

  function makeRoom(partition: number, stream: Stream): void {
    if (stream.events.length < maxUnroutedEvents) return;
    const overrun = dropOfFullest(stream.events, Math.ceil(maxUnroutedEvents * DROP_AT_ONCE));
    if (!overrun) return;
    const { appId, dropped } = overrun;
    counters.dropped += dropped;
    log.error(
      { app_id: appId, partition, events: dropped, waiting: maxUnroutedEvents },
      "webhook events dropped from a full stream",
    );
  }

  return {
    partitions,
    append(appId, channel, { type, json }) {
      if (!isWanted(appId, channel, type)) {
        counters.unwanted += 1;
        return;
      }
      const partition = partitionOf(appId, channel, partitions);
      const stream = streamOf(partition);
      const nowMs = now();
      makeRoom(partition, stream);
      stream.events.push({
        id: stream.ids.next(nowMs),
        appId,
        channel,
        type,
        json,
        bytes: Buffer.byteLength(json),
        decidedMs: nowMs,
        retriedFromMs: nowMs,
      });
      counters.appended += 1;
      if (stream.events.length === 1) listener?.(partition);
    },
    wake(partition) {
      listener?.(partition);
    },
    listen(wake) {
      listener = wake;
    },
    stream: (partition) => streamOf(partition).events,
    lastId: (partition) => streamOf(partition).ids.last(),
    counters,
  };
}
