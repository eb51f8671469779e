/** Events as they lie in Redis streams, and what they are here. Source: architecture.md §5. */
import type { LaneFailure } from "./operations.ts";
import type { DeathReason, OutboxEvent, Way } from "./outbox.ts";
import type { PlacedLetter } from "./outbox-desk.ts";

/** An event and its place in the stream that it was read from. */
export interface Placed {
  readonly place: string;
  readonly event: OutboxEvent;
}

const DEATH_REASONS: readonly DeathReason[] = ["budget", "refused", "overflow"];

/** Entries of a partition's stream: app, channel, type and json; the id is made of epoch and place. */
export function readStream(reply: unknown, epoch: string, partition: number): Placed[] {
  return readEntries(reply).map(({ place, fields }) => ({
    place,
    event: toEvent(`${epoch}-${partition}-${place}`, field(fields, "a"), fields),
  }));
}

/**
 * An event that was moved on one of the ways, and which: `<number of its way> <id> <json>\0<channel>`. One text,
 * since every text of a reply costs a buffer of its own.
 */
export function readTaken(
  text: unknown,
  ways: readonly Way[],
): { readonly at: number; readonly event: OutboxEvent } {
  if (typeof text !== "string") throw unexpected("event");
  const numberEnd = text.indexOf(" ");
  const idEnd = text.indexOf(" ", numberEnd + 1);
  const jsonEnd = text.indexOf("\0", idEnd + 1);
  const at = Number(text.slice(0, numberEnd)) - 1;
  const way = ways[at];
  if (idEnd === -1 || jsonEnd === -1 || !way) throw unexpected("event");
  const id = text.slice(numberEnd + 1, idEnd);
  const json = text.slice(idEnd + 1, jsonEnd);
  const decidedMs = decidedMsOf(id);
  const event = {
    id,
    appId: way.appId,
    channel: text.slice(jsonEnd + 1),
    type: way.type,
    json,
    bytes: Buffer.byteLength(json),
    decidedMs,
    retriedFromMs: decidedMs,
  };
  return { at, event };
}

/** Entries of a lane or holding lane: id, channel, type, json and when it was replayed; the key tells the app. */
export function readLane(reply: unknown, appId: string): Placed[] {
  return readEntries(reply).map(({ place, fields }) => ({
    place,
    event: toEvent(field(fields, "i"), appId, fields),
  }));
}

/** Entries of a stream of dead letters: as in a lane, and reason, last status and time of death. */
export function readDeadLetters(reply: unknown, appId: string): PlacedLetter[] {
  return readEntries(reply).map(({ place, fields }) => {
    const named = field(fields, "r");
    const reason = DEATH_REASONS.find((each) => each === named);
    if (reason === undefined) throw unexpected("dead letter");
    const status = field(fields, "s");
    const letter = {
      event: toEvent(field(fields, "i"), appId, fields),
      reason,
      status: status === "" ? undefined : status,
      diedMs: Number(field(fields, "d")),
    };
    return { place, id: letter.event.id, letter };
  });
}

/** What is noted of a lane that fails: `<first failure, ms>:<attempts>:<last status>`. */
export function readLaneFailure(reply: unknown): LaneFailure | undefined {
  if (reply === null) return undefined;
  const [, sinceMs, attempts, lastStatus] = /^(\d+):(\d+):(.*)$/.exec(String(reply)) ?? [];
  if (lastStatus === undefined) throw unexpected("failure of a lane");
  return { sinceMs: Number(sinceMs), attempts: Number(attempts), lastStatus };
}

/** When the event was decided, epoch ms of Redis: `<epoch>-<partition>-<ms>-<seq>`. */
export function decidedMsOf(id: string): number {
  const end = id.lastIndexOf("-");
  return Number(id.slice(id.lastIndexOf("-", end - 1) + 1, end));
}

/** Redis has answered what our scripts never answer: a guess would lose an event. */
export function unexpected(what: string): TypeError {
  return new TypeError(`Redis has answered an unknown ${what}.`);
}

/** Names and values in turns. */
type Fields = readonly unknown[];

function toEvent(id: string, appId: string, fields: Fields): OutboxEvent {
  const json = field(fields, "j");
  const decidedMs = decidedMsOf(id);
  return {
    id,
    appId,
    channel: field(fields, "c"),
    type: field(fields, "t"),
    json,
    bytes: Buffer.byteLength(json),
    decidedMs,
    retriedFromMs: Number(find(fields, "p") ?? decidedMs),
  };
}

/** Further fields may come with a later release; a missing one is a fault. */
function field(fields: Fields, name: string): string {
  const value = find(fields, name);
  if (value === undefined) throw unexpected(`entry without the field ${name}`);
  return value;
}

/** They are five to eight: a map of them costs more than looking through them. */
function find(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) return String(fields[i + 1]);
  }
  return undefined;
}

function readEntries(reply: unknown): { readonly place: string; readonly fields: Fields }[] {
  if (!Array.isArray(reply)) throw unexpected("list of entries");
  return reply.map((entry: unknown) => {
    const [place, fields]: readonly unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof place !== "string" || !Array.isArray(fields)) throw unexpected("entry");
    return { place, fields };
  });
}
