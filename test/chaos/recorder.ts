/**
 * Knows which webhooks had to come, from what clients did, and holds what came against it.
 *
 * An event *may come* as soon as a client acts, and is *owed* once it is known to be decided: what a node took
 * and had not yet told Redis when it was killed is neither lost nor invented. Each event has a key of its own,
 * since channels are occupied once, members come once, and client events are numbered.
 */
import { compareEventIds } from "../../src/webhooks/event-id.ts";
import type { ReceivedWebhook } from "../support/webhook-receiver.ts";

export interface Recorder {
  /** From now on deliveries to the endpoint are expected, of the events that it wants. */
  addEndpoint(id: string, wants?: Wants): void;
  /** A client acts. Within a channel, events are to arrive in the order of these calls. `dueMs`: when it is decided. */
  mayCome(type: string, channel: string, detail?: string, dueMs?: number): Expected;
  /** It is decided, so it must arrive. */
  owe(event: Expected): void;
  /** It must arrive where `cause` has arrived. */
  oweAfter(event: Expected, cause: Expected): void;
  /** A POST has come in full. */
  arrived(endpointId: string, delivery: Arrival): void;
  /** It has been answered with a 2xx, or the receiver has tried to: its events need not come again. */
  taken(endpointId: string, delivery: Arrival): void;
  /** How many owed events have not been taken, over all endpoints, or at one. */
  waiting(endpointId?: string): number;
  /** Whether the endpoint has not taken an owed event that `isMeant`. Looks at all events. */
  lacks(endpointId: string, isMeant: (event: Expected) => boolean): boolean;
  /** For each event that an endpoint has taken, in order: how long it had been on its way. */
  delaysMs(endpointId: string): readonly number[];
  verdict(): Verdict;
}

/** Whether an endpoint is to have an event. `maybe`: its configuration changed when that was decided. */
export type Wants = (event: Pick<Expected, "type" | "channel">) => boolean | "maybe";

export interface Expected {
  readonly type: string;
  readonly channel: string;
  readonly key: string;
  /** Its place among the events of its channel. */
  readonly place: number;
  /** When it was, or is to be, decided, epoch ms. */
  readonly dueMs: number;
  /** The first event of its channel, if this is another. */
  readonly first: Expected | undefined;
  /** When it was known to be decided, epoch ms. */
  owedMs: number | undefined;
  isOwed: boolean;
  cause: Expected | undefined;
}

/** A POST that reached an endpoint. */
export interface Arrival {
  readonly ids: readonly string[];
  readonly events: readonly ReceivedWebhook[];
  readonly atMs: number;
  /** The server library accepts it, and so does the rule of the Python library. */
  readonly isAccepted: boolean;
}

export interface Invented {
  readonly key: string;
  /** The event that it is taken for, if there is one. */
  readonly event: Expected | undefined;
}

export interface Verdict {
  /** Owed events times the endpoints that want them. */
  readonly events: number;
  readonly lost: readonly Expected[];
  /** What nobody caused, the endpoint does not want, or came under a second id, or under that of another. */
  readonly invented: readonly Invented[];
  /** First arrivals after a later event of their channel, and the same of those that were taken. */
  readonly unordered: number;
  readonly repeats: number;
  /** Deliveries that a receiver would have refused. */
  readonly refused: number;
  readonly worstDelayMs: number;
}

/** The last event of a channel. */
interface Seen {
  readonly id: string;
  readonly place: number;
}

interface Place {
  readonly wants: Wants;
  readonly idByKey: Map<string, string>;
  readonly keyById: Map<string, string>;
  readonly taken: Set<string>;
  readonly lastArrived: Map<string, Seen>;
  readonly lastTaken: Map<string, Seen>;
  readonly delaysMs: number[];
  readonly invented: Invented[];
  /** Keys. */
  readonly unordered: Set<string>;
  repeats: number;
  refused: number;
  /** Owed without a condition, wanted, and not taken yet. */
  waiting: number;
}

export function createRecorder(): Recorder {
  const expected = new Map<string, Expected>();
  const conditional = new Set<Expected>();
  const channels = new Map<string, { events: number; readonly first: Expected }>();
  const places = new Map<string, Place>();

  function placeOf(endpointId: string): Place {
    const place = places.get(endpointId);
    if (place === undefined) throw new Error(`Nobody expects deliveries to ${endpointId}.`);
    return place;
  }

  function isOwedAt({ wants, idByKey }: Place, event: Expected): boolean {
    const { isOwed, cause } = event;
    return wants(event) === true && (isOwed || (cause !== undefined && idByKey.has(cause.key)));
  }

  function isMissing(place: Place, event: Expected): boolean {
    return isOwedAt(place, event) && !place.taken.has(event.key);
  }

  function waitingAt(place: Place): number {
    let { waiting } = place;
    for (const event of conditional) if (isMissing(place, event)) waiting += 1;
    return waiting;
  }

  function arrive(place: Place, id: string, webhook: ReceivedWebhook): void {
    const key = keyOf(webhook);
    const event = expected.get(key);
    const known = place.keyById.get(id);
    if (known === key) {
      place.repeats += 1;
    } else if (known !== undefined) {
      place.invented.push({ key: `${key} under the id of ${known}`, event: undefined });
    } else {
      place.keyById.set(id, key);
      if (event === undefined || place.wants(event) === false || place.idByKey.has(key)) {
        place.invented.push({ key, event });
      } else {
        place.idByKey.set(key, id);
        if (isLate(place.lastArrived, event, id)) place.unordered.add(event.key);
      }
    }
  }

  function take(place: Place, id: string, webhook: ReceivedWebhook, atMs: number): void {
    const event = expected.get(keyOf(webhook));
    if (event === undefined || place.idByKey.get(event.key) !== id) return; // invented
    if (place.taken.has(event.key)) return;
    place.taken.add(event.key);
    if (event.isOwed && place.wants(event) === true) place.waiting -= 1;
    place.delaysMs.push(Math.max(0, atMs - event.dueMs));
    if (isLate(place.lastTaken, event, id)) place.unordered.add(event.key);
  }

  return {
    addEndpoint(id, wants = () => true) {
      const none = { repeats: 0, refused: 0, waiting: 0 };
      places.set(id, {
        wants,
        idByKey: new Map(),
        keyById: new Map(),
        taken: new Set(),
        unordered: new Set(),
        lastArrived: new Map(),
        lastTaken: new Map(),
        delaysMs: [],
        invented: [],
        ...none,
      });
    },
    mayCome(type, channel, detail = "", dueMs = Date.now()) {
      const key = nameOf(type, channel, detail);
      if (expected.has(key))
        throw new Error(`${key} is caused twice: nobody could tell them apart.`);
      const known = channels.get(channel);
      const event: Expected = {
        type,
        channel,
        key,
        place: known?.events ?? 0,
        dueMs,
        first: known?.first,
        owedMs: undefined,
        isOwed: false,
        cause: undefined,
      };
      if (known) known.events += 1;
      else channels.set(channel, { events: 1, first: event });
      expected.set(key, event);
      return event;
    },
    owe(event) {
      if (event.isOwed) return;
      event.isOwed = true;
      event.owedMs = Date.now();
      event.cause = undefined;
      conditional.delete(event);
      for (const place of places.values()) {
        if (place.wants(event) === true && !place.taken.has(event.key)) place.waiting += 1;
      }
    },
    oweAfter(event, cause) {
      event.cause = cause;
      conditional.add(event);
    },
    arrived(endpointId, { ids, events, isAccepted }) {
      const place = placeOf(endpointId);
      if (!isAccepted || ids.length !== events.length) place.refused += 1;
      for (const [n, webhook] of events.entries()) arrive(place, ids[n] ?? "", webhook);
    },
    taken(endpointId, { ids, events, atMs }) {
      const place = placeOf(endpointId);
      for (const [n, webhook] of events.entries()) take(place, ids[n] ?? "", webhook, atMs);
    },
    waiting(endpointId) {
      const asked = endpointId === undefined ? [...places.values()] : [placeOf(endpointId)];
      return asked.reduce((sum, place) => sum + waitingAt(place), 0);
    },
    lacks(endpointId, isMeant) {
      const place = placeOf(endpointId);
      for (const event of expected.values()) {
        if (isMeant(event) && isMissing(place, event)) return true;
      }
      return false;
    },
    delaysMs: (endpointId) => placeOf(endpointId).delaysMs,
    verdict() {
      const lost: Expected[] = [];
      const all = [...places.values()];
      let events = 0;
      for (const event of expected.values()) {
        for (const place of all) {
          if (isOwedAt(place, event)) events += 1;
          if (isMissing(place, event)) lost.push(event);
        }
      }
      const sum = (read: (place: Place) => number) => all.reduce((n, place) => n + read(place), 0);
      return {
        events,
        lost,
        invented: all.flatMap(({ invented }) => invented),
        unordered: sum(({ unordered }) => unordered.size),
        repeats: sum(({ repeats }) => repeats),
        refused: sum(({ refused }) => refused),
        worstDelayMs: all.reduce(
          (worst, place) => place.delaysMs.reduce((most, ms) => Math.max(most, ms), worst),
          0,
        ),
      };
    },
  };
}

/** Notes the event as the last of its channel; whether a later one was that before. */
function isLate(last: Map<string, Seen>, { channel, place }: Expected, id: string): boolean {
  const before = last.get(channel);
  last.set(channel, { id, place });
  return before !== undefined && (before.place > place || compareEventIds(before.id, id) >= 0);
}

function nameOf(type: string, channel: string, detail: string): string {
  return `${type} ${channel} ${detail}`;
}

/** A client event is told from others of its channel by its number, a member's by who it is. */
function keyOf({ name, channel, data, user_id }: ReceivedWebhook): string {
  return nameOf(name, channel, (name === "client_event" ? data : user_id) ?? "");
}
