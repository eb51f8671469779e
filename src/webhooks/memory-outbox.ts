/** The outbox of a node that is alone: lanes and dead letters in memory, lost with the process. */
import type { EventLog } from "./event-log.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import { createMemoryControls } from "./memory-controls.ts";
import { createMemoryDesk } from "./memory-desk.ts";
import { createMemoryLanes, type LaneBounds, type MemoryLanes } from "./memory-lanes.ts";
import type { Backlogs, LaneKey, Loss, OutboxEvent } from "./outbox.ts";
import type { Now } from "./timer.ts";
import type { WholeOutbox } from "./whole-outbox.ts";

export interface MemoryOutboxParts {
  /** The producer's side. */
  readonly events: EventLog;
  /** Turns due leaves into events: the channel state's. */
  readonly sweep: (partition: number) => number | undefined;
  readonly now: Now;
  readonly bounds: LaneBounds;
}

/** Nobody else can own a partition, so a claim is `new` once and never lost. */
export function createMemoryOutbox({ events, sweep, now, bounds }: MemoryOutboxParts): WholeOutbox {
  let book: ((loss: Loss) => void) | undefined;
  const lanes: MemoryLanes = createMemoryLanes(bounds, now, (loss) => book?.(loss));
  const { partitions } = events;
  const controls = createMemoryControls();
  const desk = createMemoryDesk({
    partitions,
    lanes,
    onTouched: controls.tellTouched,
    book: (loss) => book?.(loss),
    now,
  });
  const claimed = new Set<number>();
  const held = Array.from({ length: events.partitions }, () => new Map<string, Fifo>());

  const all = Array.from({ length: events.partitions }, (_, partition) => partition);

  function holdOf(partition: number): Map<string, Fifo> {
    return held[partition] ?? new Map();
  }

  function hold(event: OutboxEvent, partition: number): void {
    const apps = holdOf(partition);
    let waiting = apps.get(event.appId);
    if (!waiting) {
      waiting = createFifo();
      apps.set(event.appId, waiting);
    }
    waiting.push(event);
    let dropped = 0;
    while (waiting.length > bounds.maxQueuedEvents || waiting.bytes > lanes.maxQueuedBytes) {
      waiting.shift();
      dropped += 1;
    }
    if (dropped === 0) return;
    const { appId } = event;
    book?.({ partition, appId, endpointId: undefined, reason: "overflow", buried: 0, dropped });
  }

  function backlogs(): Backlogs {
    let unrouted = 0;
    let heldEvents = 0;
    for (let partition = 0; partition < events.partitions; partition++) {
      unrouted += events.stream(partition).length;
      for (const waiting of holdOf(partition).values()) heldEvents += waiting.length;
    }
    return {
      unrouted,
      held: heldEvents,
      overrun: events.counters.dropped,
      endpoints: lanes.backlogs(),
    };
  }

  return {
    driver: "memory",
    partitions: events.partitions,
    isDurable: false,
    desk,
    controls,
    listen(wake, listener) {
      book = listener;
      events.listen(wake);
    },
    enlist: () => all,
    resign() {},
    claim(partition) {
      if (claimed.has(partition)) return "mine";
      claimed.add(partition);
      return "new";
    },
    release(partition) {
      claimed.delete(partition);
    },
    sweep,
    heldApps: (partition) => [...holdOf(partition).keys()],
    read(partition, heldApp, maxEvents) {
      if (heldApp === undefined) return events.stream(partition).peek(maxEvents);
      return holdOf(partition).get(heldApp)?.peek(maxEvents) ?? [];
    },
    route(partition, heldApp, routes, underWay) {
      const apps = holdOf(partition);
      const source = heldApp === undefined ? events.stream(partition) : apps.get(heldApp);
      if (!source) return { left: 0, enqueued: 0, pushedOut: [] };
      const pushedOut: LaneKey[] = [];
      let enqueued = 0;
      // What is held on stays where it is: taking it out would put it behind its followers.
      const moves = heldApp === undefined ? routes : routes.filter((route) => route.endpointIds);
      let at = 0;
      let key: LaneKey | undefined;
      for (const event of source.remove(moves.map(({ id }) => id))) {
        const { appId, id } = event;
        // Both are in order, but what fell out of a full stream since has a route and is not there.
        while (at < moves.length && moves[at]?.id !== id) at += 1;
        const mustWait = heldApp === undefined && apps.has(appId);
        const endpointIds = mustWait ? undefined : moves[at]?.endpointIds;
        if (!endpointIds) hold(event, partition);
        for (const endpointId of endpointIds ?? []) {
          if (key?.endpointId !== endpointId || key.appId !== appId) {
            key = { partition, appId, endpointId };
          }
          for (const lane of lanes.push(key, event, underWay)) pushedOut.push(lane);
          enqueued += 1;
        }
      }
      if (heldApp !== undefined && source.length === 0) apps.delete(heldApp);
      return { left: source.length, enqueued, pushedOut };
    },
    lanes: lanes.ofPartition,
    head: lanes.head,
    readAnew() {
      // Heads are never remembered apart from their lanes.
    },
    settle: lanes.settle,
    fail: lanes.fail,
    bury: lanes.bury,
    renew: lanes.renew,
    backlogs,
    deadLetters: lanes.deadLetters,
    expireDeadLetters: lanes.expireDeadLetters,
    close() {
      events.listen(() => {});
    },
  };
}
