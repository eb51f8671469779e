/** The outbox of a node that is alone: lanes and dead letters in memory, lost with the process. */
import type { EventLog } from "./event-log.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import { createMemoryControls } from "./memory-controls.ts";
import { createMemoryDesk } from "./memory-desk.ts";
import { createMemoryLanes, type LaneBounds, type MemoryLanes } from "./memory-lanes.ts";
import type { Backlogs, Loss, OutboxEvent, Route, UnderWay } from "./outbox.ts";
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
  const lanes: MemoryLanes = createMemoryLanes(bounds, now);
  const { partitions } = events;
  const controls = createMemoryControls();
  const desk = createMemoryDesk({ partitions, lanes, onTouched: controls.tellTouched, now });
  const claimed = new Set<number>();
  const held = Array.from({ length: events.partitions }, () => new Map<string, Fifo>());

  const all = Array.from({ length: events.partitions }, (_, partition) => partition);

  function holdOf(partition: number): Map<string, Fifo> {
    return held[partition] ?? new Map();
  }

  function hold(event: OutboxEvent, partition: number, losses: Loss[]): void {
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
    losses.push({ partition, appId: event.appId, endpointId: undefined, buried: 0, dropped });
  }

  function place(
    event: OutboxEvent,
    partition: number,
    route: Route,
    underWay: UnderWay,
    losses: Loss[],
  ): void {
    if (!route.endpointIds) return hold(event, partition, losses);
    for (const endpointId of route.endpointIds) {
      lanes.push({ partition, appId: event.appId, endpointId }, event, underWay, losses);
    }
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
    listen: events.listen,
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
      if (!source) return { left: 0, losses: [] };
      const losses: Loss[] = [];
      const byId = new Map(routes.map((route) => [route.id, route]));
      // What is held on stays where it is: taking it out would put it behind its followers.
      if (heldApp !== undefined) {
        for (const route of routes) if (!route.endpointIds) byId.delete(route.id);
      }
      for (const event of source.remove(new Set(byId.keys()))) {
        const route = byId.get(event.id);
        if (!route) continue;
        const mustWait = heldApp === undefined && apps.has(event.appId);
        place(
          event,
          partition,
          mustWait ? { id: event.id, endpointIds: undefined } : route,
          underWay,
          losses,
        );
      }
      if (heldApp !== undefined && source.length === 0) apps.delete(heldApp);
      return { left: source.length, losses };
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
