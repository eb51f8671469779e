/**
 * Goes through what an endpoint has, partition by partition, in steps of bounded size. A cursor is
 * `<box>:<partition>:<id of the last event>`; what comes behind it is not looked at again, so that an event which
 * dies anew while it is replayed does not go round for ever.
 */
import { compareEventIds, partitionOfEventId } from "./event-id.ts";
import type { EndpointName, Step, Wanted } from "./operations.ts";
import type { LaneKey } from "./outbox.ts";
import type { Box, Entry, Moved, OutboxDesk, PlacedLetter } from "./outbox-desk.ts";

/** Most events of a step. */
export const MAX_STEP = 1_000;

export interface StepEnd extends Moved {
  /** Undefined: there is no more. */
  readonly next: string | undefined;
}

export interface Cursor {
  readonly box: Box;
  readonly partition: number;
  readonly after: string;
}

/** What {@link walkLetters} is given to do something with: letters of one partition, in the order of their events. */
type DoLetters = (lane: LaneKey, letters: readonly PlacedLetter[]) => Moved | Promise<Moved>;

type DoEvents = (lane: LaneKey, events: readonly Entry[]) => Moved | Promise<Moved>;

/** Box, partition, and nothing or an event's id. */
const CURSOR = /^(waiting|dead):(\d{1,5}):((?:\d{1,20}-){3}\d{1,20})?$/;

/** Whether the text may be what a step has answered: it is nobody's mistake but the caller's if not. */
export function isCursor(text: string): boolean {
  return CURSOR.test(text);
}

/** Throws a RangeError for a text that no step has answered. */
export function readCursor(cursor: string | undefined, first: Box): Cursor {
  if (cursor === undefined) return { box: first, partition: 0, after: "" };
  const [, box, partition, after = ""] = CURSOR.exec(cursor) ?? [];
  if (box !== "waiting" && box !== "dead") {
    throw new RangeError(`The cursor ${JSON.stringify(cursor.slice(0, 64))} is not one of ours.`);
  }
  return { box, partition: Number(partition), after };
}

export function writeCursor({ box, partition, after }: Cursor): string {
  return `${box}:${partition}:${after}`;
}

/** One step over the dead letters that are wanted. */
export async function walkLetters(
  desk: OutboxDesk,
  of: EndpointName,
  wanted: Wanted,
  { cursor, limit }: Step,
  act: DoLetters,
): Promise<StepEnd> {
  const counts = await desk.counts(of, "dead");
  const partitions = wanted.ids && new Set([...wanted.ids].map(partitionOfEventId));
  const start = readCursor(cursor, "dead");
  let room = roomOf(limit);
  let looked = 0;
  let changed = 0;
  for (let partition = start.partition; partition < desk.partitions; partition++) {
    if (counts[partition] === 0 || partitions?.has(partition) === false) continue;
    if (room <= 0 || looked >= MAX_STEP) {
      const next = writeCursor({ box: "dead", partition, after: "" });
      return { changed, isFull: false, next };
    }
    const after = partition === start.partition ? start.after : "";
    const lane: LaneKey = { partition, appId: of.appId, endpointId: of.endpointId };
    const letters = await desk.letters(lane);
    looked += letters.length;
    const rest = letters
      .filter((each) => isWanted(each, wanted))
      .filter(({ id }) => after === "" || compareEventIds(id, after) > 0)
      .toSorted((a, b) => compareEventIds(a.id, b.id));
    const portion = firstOf(rest, room);
    const last = portion.at(-1);
    if (last === undefined) continue;
    const moved = await act(lane, portion);
    changed += moved.changed;
    room -= portion.length;
    const here = writeCursor({ box: "dead", partition, after });
    if (moved.isFull) return { changed, isFull: true, next: here };
    if (rest.length > portion.length) {
      return {
        changed,
        isFull: false,
        next: writeCursor({ box: "dead", partition, after: last.id }),
      };
    }
  }
  return { changed, isFull: false, next: undefined };
}

/** One step over what waits, from the heads of the lanes: `act` has to take the events out. */
export async function walkLanes(
  desk: OutboxDesk,
  of: EndpointName,
  { cursor, limit }: Step,
  act: DoEvents,
): Promise<StepEnd> {
  const counts = await desk.counts(of, "waiting");
  const start = readCursor(cursor, "waiting");
  let room = roomOf(limit);
  let changed = 0;
  for (let partition = start.partition; partition < desk.partitions; partition++) {
    if (counts[partition] === 0) continue;
    const here = writeCursor({ box: "waiting", partition, after: "" });
    if (room === 0) return { changed, isFull: false, next: here };
    const lane: LaneKey = { partition, appId: of.appId, endpointId: of.endpointId };
    const events = await desk.waiting(lane, room);
    const moved = await act(lane, events);
    changed += moved.changed;
    room -= events.length;
    if (moved.isFull) return { changed, isFull: true, next: here };
    if (room === 0) return { changed, isFull: false, next: here };
  }
  return { changed, isFull: false, next: undefined };
}

/** Letters of one event stay together: the next step begins behind their id. */
function firstOf(letters: readonly PlacedLetter[], count: number): readonly PlacedLetter[] {
  let end = count;
  while (end < letters.length && letters[end]?.id === letters[end - 1]?.id) end += 1;
  return letters.slice(0, end);
}

function roomOf(limit: number): number {
  return Math.min(Math.max(1, Math.floor(limit)), MAX_STEP);
}

function isWanted({ letter: { event, reason } }: PlacedLetter, wanted: Wanted): boolean {
  return (
    wanted.ids?.has(event.id) !== false &&
    (wanted.channel === undefined || wanted.channel === event.channel) &&
    (wanted.type === undefined || wanted.type === event.type) &&
    (wanted.reason === undefined || wanted.reason === reason)
  );
}
