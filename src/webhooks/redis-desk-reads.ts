/** Where an app's events are in Redis, for operators. Changes nothing. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { FoundEvent, LaneFailure } from "./operations.ts";
import type { LaneKey } from "./outbox.ts";
import type { Box, EndpointBacklog, PlacedLetter } from "./outbox-desk.ts";
import type { RedisBacklogs } from "./redis-backlogs.ts";
import { readDeadLetters, readLane, readLaneFailure, unexpected } from "./redis-entries.ts";
import type { RedisLanes } from "./redis-lanes.ts";
import { laneName, splitLaneName } from "./redis-routing.ts";

/** stream */
const FIND = loadScript(new URL("./lua/find.lua", import.meta.url), 1);

/** Entries that one command reads or looks at. */
const READ_AT_ONCE = 500;

export interface RedisDeskReads {
  backlogs(appId: string): Promise<readonly EndpointBacklog[]>;
  letters(lane: LaneKey): Promise<readonly PlacedLetter[]>;
  find(lane: LaneKey, eventId: string): Promise<FoundEvent | undefined>;
}

export interface RedisDeskReadsParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly lanes: RedisLanes;
  readonly backlogs: RedisBacklogs;
  /** Key of the lane, or of its endpoint's dead letters in the partition. */
  readonly streamOf: (lane: LaneKey, box: Box) => string;
}

export function createRedisDeskReads(parts: RedisDeskReadsParts): RedisDeskReads {
  const { commands, keys, lanes, backlogs, streamOf } = parts;

  async function failureOf(lane: LaneKey): Promise<LaneFailure | undefined> {
    return readLaneFailure(
      await commands.call(
        "HGET",
        keys.key(lane.partition, "try"),
        laneName(lane.appId, lane.endpointId),
      ),
    );
  }

  async function addPartition(
    partition: number,
    appId: string,
    sums: Map<string, EndpointBacklog>,
  ): Promise<void> {
    const names = await Promise.all([
      backlogs.members(partition, "lanes"),
      backlogs.members(partition, "deads"),
    ]);
    for (const name of new Set(names.flat())) {
      const lane = { partition, ...splitLaneName(name) };
      if (lane.appId !== appId) continue;
      const [own, failing] = await Promise.all([lanes.backlog(lane), failureOf(lane)]);
      const { endpointId } = lane;
      const sum = sums.get(endpointId);
      sums.set(endpointId, {
        appId,
        endpointId,
        events: own.events + (sum?.events ?? 0),
        oldestMs: earliest(own.oldestMs, sum?.oldestMs),
        deadLetters: own.deadLetters + (sum?.deadLetters ?? 0),
        failing: longest(failing, sum?.failing),
      });
    }
  }

  async function lettersOf(lane: LaneKey): Promise<PlacedLetter[]> {
    const letters: PlacedLetter[] = [];
    let from = "-";
    for (;;) {
      const key = streamOf(lane, "dead");
      const reply = await commands.call("XRANGE", key, from, "+", "COUNT", READ_AT_ONCE);
      const page = readDeadLetters(reply, lane.appId);
      letters.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < READ_AT_ONCE) return letters;
      from = `(${last.place}`;
    }
  }

  /** The list with the entry, as Redis gives it. */
  async function look(lane: LaneKey, box: Box, eventId: string): Promise<unknown> {
    let from = "-";
    for (;;) {
      const args = [eventId, from, READ_AT_ONCE];
      const reply = await commands.runScript(FIND, [streamOf(lane, box)], args);
      if (Array.isArray(reply)) return reply;
      if (reply === "") return undefined;
      from = `(${String(reply)}`;
    }
  }

  async function find(lane: LaneKey, eventId: string): Promise<FoundEvent | undefined> {
    // The dead letters once more at the end: it may have died or have been replayed in between.
    for (const box of ["dead", "waiting", "dead"] as const) {
      const reply = await look(lane, box, eventId);
      if (reply === undefined) continue;
      if (box === "waiting") {
        const [placed] = readLane(reply, lane.appId);
        if (placed === undefined) throw unexpected("event");
        return { place: "waiting", event: placed.event, failing: await failureOf(lane) };
      }
      const [found] = readDeadLetters(reply, lane.appId);
      if (found === undefined) throw unexpected("dead letter");
      return { place: "dead", letter: found.letter };
    }
    return undefined;
  }

  return {
    async backlogs(appId) {
      const sums = new Map<string, EndpointBacklog>();
      const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
      await Promise.all(partitions.map((partition) => addPartition(partition, appId, sums)));
      return [...sums.values()];
    },
    letters: lettersOf,
    find,
  };
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function longest(a: LaneFailure | undefined, b: LaneFailure | undefined): LaneFailure | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.sinceMs <= b.sinceMs ? a : b;
}
