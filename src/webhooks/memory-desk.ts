/** What operators do with the outbox of a node that is alone. An event's place is its id. */
import { partitionOfEventId } from "./event-id.ts";
import type { MemoryLanes } from "./memory-lanes.ts";
import type { DeadLetter, LaneKey, Loss, OutboxEvent } from "./outbox.ts";
import type { Entry, OutboxDesk } from "./outbox-desk.ts";
import type { Now } from "./timer.ts";

export interface MemoryDeskParts {
  readonly partitions: number;
  readonly lanes: MemoryLanes;
  /** The lane was changed: its dispatcher is to be told. */
  readonly onTouched: (lane: LaneKey) => void;
  /** Told of what is dropped. */
  readonly book: (loss: Loss) => void;
  readonly now: Now;
}

export function createMemoryDesk(parts: MemoryDeskParts): OutboxDesk {
  const { partitions, lanes, onTouched, book, now } = parts;

  function lettersOf({ partition, appId, endpointId }: LaneKey): DeadLetter[] {
    return lanes
      .deadLetters(appId, endpointId, 0, Number.POSITIVE_INFINITY)
      .filter(({ event }) => partitionOfEventId(event.id) === partition);
  }

  function moveLetters(
    lane: LaneKey,
    entries: readonly Entry[],
    put: (letter: DeadLetter) => boolean,
  ) {
    const found = new Map(lettersOf(lane).map((letter) => [letter.event.id, letter]));
    return inOrder(entries, found, put, (ids) => lanes.takeLetters(lane, ids));
  }

  function moveEvents(
    lane: LaneKey,
    entries: readonly Entry[],
    put: (event: OutboxEvent) => boolean,
  ) {
    const found = new Map(waitingIn(lane).map((event) => [event.id, event]));
    return inOrder(entries, found, put, (ids) => lanes.takeEvents(lane, ids));
  }

  function waitingIn(lane: LaneKey): OutboxEvent[] {
    return lanes.waiting(lane, Number.POSITIVE_INFINITY);
  }

  return {
    partitions,
    backlogs: (appId) =>
      lanes
        .backlogs()
        .filter((each) => each.appId === appId)
        .map((each) => ({ ...each, failing: lanes.failing(each.appId, each.endpointId) })),
    counts(of, box) {
      const { appId, endpointId } = of;
      const counts = new Array<number>(partitions).fill(0);
      if (box === "waiting") {
        return counts.map((_, partition) => lanes.length({ partition, appId, endpointId }));
      }
      for (const { event } of lanes.deadLetters(appId, endpointId, 0, Number.POSITIVE_INFINITY)) {
        const partition = partitionOfEventId(event.id);
        counts[partition] = (counts[partition] ?? 0) + 1;
      }
      return counts;
    },
    letters: (lane) =>
      lettersOf(lane).map((letter) => ({ place: letter.event.id, id: letter.event.id, letter })),
    waiting: (lane, count) =>
      lanes.waiting(lane, count).map((event) => ({ place: event.id, id: event.id, event })),
    replay(lane, letters) {
      const moved = moveLetters(lane, letters, ({ event }) =>
        lanes.add(lane, { ...event, retriedFromMs: now() }),
      );
      if (moved.changed === 0) return moved;
      lanes.renewLane(lane);
      onTouched(lane);
      return moved;
    },
    drop(lane, box, entries) {
      const ids = new Set(entries.map(({ id }) => id));
      const isLane = box === "waiting";
      const dropped = isLane ? lanes.takeEvents(lane, ids) : lanes.takeLetters(lane, ids);
      if (dropped > 0) book({ ...lane, reason: "operator", buried: 0, dropped });
      if (isLane && dropped > 0) onTouched(lane);
      return dropped;
    },
    move(lane, box, to, entries) {
      const target = { ...lane, endpointId: to };
      if (box === "dead") {
        return moveLetters(lane, entries, (letter) => lanes.addLetter(target, letter));
      }
      const moved = moveEvents(lane, entries, (event) => lanes.add(target, event));
      if (moved.changed > 0) for (const each of [lane, target]) onTouched(each);
      return moved;
    },
    find(lane, eventId) {
      const letter = lettersOf(lane).find(({ event }) => event.id === eventId);
      if (letter) return { place: "dead", letter };
      const event = waitingIn(lane).find(({ id }) => id === eventId);
      return event && { place: "waiting", event, failing: lanes.laneFailure(lane) };
    },
  };
}

/** Moves what is found of the entries, one after the other, until `put` answers that there is no room. */
function inOrder<T>(
  entries: readonly Entry[],
  found: ReadonlyMap<string, T>,
  put: (one: T) => boolean,
  take: (ids: ReadonlySet<string>) => void,
) {
  const moved = new Set<string>();
  let isFull = false;
  for (const { id } of entries) {
    const one = found.get(id);
    if (one === undefined || moved.has(id)) continue;
    isFull = !put(one);
    if (isFull) break;
    moved.add(id);
  }
  take(moved);
  return { changed: moved.size, isFull };
}
