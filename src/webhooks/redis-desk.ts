/** What operators do with the outbox in Redis. No lease is asked for: scripts leave a note for who has it. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { EndpointName, FoundEvent, LaneFailure } from "./operations.ts";
import type { LaneKey } from "./outbox.ts";
import type {
  Box,
  EndpointBacklog,
  Entry,
  Moved,
  OutboxDesk,
  PlacedLetter,
} from "./outbox-desk.ts";
import type { RedisBacklogs } from "./redis-backlogs.ts";
import { readDeadLetters, readLane, readLaneFailure, unexpected } from "./redis-entries.ts";
import type { RedisLanes } from "./redis-lanes.ts";
import { laneName, splitLaneName } from "./redis-routing.ts";

const script = (verb: string, numberOfKeys: number) =>
  loadScript(new URL(`./lua/${verb}.lua`, import.meta.url), numberOfKeys);

/** dead, deads, lane, lanes, tries, touched */
const REPLAY = script("replay", 6);
/** stream, names, tries, touched */
const DROP = script("drop", 4);
/** source, target, names, tries, touched */
const MOVE = script("move", 5);
/** stream */
const FIND = script("find", 1);

/** Events that one script moves: Redis does nothing else for about a millisecond. */
const MOVED_AT_ONCE = 200;

/** Entries that one command reads or looks at. */
const READ_AT_ONCE = 500;

export interface RedisDeskParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly lanes: RedisLanes;
  readonly backlogs: RedisBacklogs;
  /** Of one lane. */
  readonly maxQueuedEvents: number;
  /** Of one endpoint in one partition. */
  readonly maxDeadLetters: number;
  /** The lane was changed: whoever dispatches it is to be told. */
  readonly onTouched: (lane: LaneKey) => void;
  /** Runs what asks Redis about a partition; rejects with OutboxUnavailableError. */
  readonly reach: <T>(partition: number, call: () => Promise<T>) => Promise<T>;
}

const STREAM: Readonly<Record<Box, string>> = { waiting: "q", dead: "dead" };
const NAMES: Readonly<Record<Box, string>> = { waiting: "lanes", dead: "deads" };

export function createRedisDesk(parts: RedisDeskParts): OutboxDesk {
  const { commands, keys, lanes, backlogs, maxQueuedEvents, maxDeadLetters, onTouched } = parts;
  const { reach } = parts;
  const all = Array.from({ length: keys.partitions }, (_, partition) => partition);

  const nameOf = ({ appId, endpointId }: EndpointName): string => laneName(appId, endpointId);

  function streamOf(lane: LaneKey, box: Box): string {
    return keys.key(lane.partition, STREAM[box], nameOf(lane));
  }

  async function failureOf(lane: LaneKey): Promise<LaneFailure | undefined> {
    return readLaneFailure(
      await commands.call("HGET", keys.key(lane.partition, "try"), nameOf(lane)),
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

  /** Runs the script with portions of the entries, as long as there is room where they go. */
  async function inPortions(
    entries: readonly Entry[],
    run: (places: readonly string[]) => Promise<Moved>,
  ): Promise<Moved> {
    let changed = 0;
    for (let at = 0; at < entries.length; at += MOVED_AT_ONCE) {
      const portion = entries.slice(at, at + MOVED_AT_ONCE);
      const moved = await run(portion.flatMap(({ place, id }) => [place, id]));
      changed += moved.changed;
      if (moved.isFull) return { changed, isFull: true };
    }
    return { changed, isFull: false };
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
    partitions: keys.partitions,
    backlogs: (appId) =>
      reach(0, async () => {
        const sums = new Map<string, EndpointBacklog>();
        await Promise.all(all.map((partition) => addPartition(partition, appId, sums)));
        return [...sums.values()];
      }),
    counts: (of, box) =>
      reach(0, () =>
        Promise.all(
          all.map(async (partition) =>
            Number(await commands.call("XLEN", streamOf({ partition, ...of }, box))),
          ),
        ),
      ),
    letters: (lane) => reach(lane.partition, () => lettersOf(lane)),
    waiting: (lane, count) =>
      reach(lane.partition, async () =>
        (await lanes.read(lane, undefined, count)).map(({ place, event: { id } }) => ({
          place,
          id,
        })),
      ),
    async replay(lane, letters) {
      const { partition } = lane;
      const scriptKeys = [
        streamOf(lane, "dead"),
        keys.key(partition, "deads"),
        streamOf(lane, "waiting"),
        ...["lanes", "try", "touched"].map((name) => keys.key(partition, name)),
      ];
      const moved = await reach(partition, () =>
        inPortions(letters, async (places) =>
          readMoved(
            await commands.runScript(REPLAY, scriptKeys, [
              nameOf(lane),
              maxQueuedEvents,
              ...places,
            ]),
          ),
        ),
      );
      if (moved.changed > 0) onTouched(lane);
      return moved;
    },
    async drop(lane, box, entries) {
      const { partition } = lane;
      const scriptKeys = [
        streamOf(lane, box),
        ...[NAMES[box], "try", "touched"].map((name) => keys.key(partition, name)),
      ];
      const { changed } = await reach(partition, () =>
        inPortions(entries, async (places) => {
          const reply = await commands.runScript(DROP, scriptKeys, [nameOf(lane), box, ...places]);
          return { changed: number(reply), isFull: false };
        }),
      );
      if (box === "waiting" && changed > 0) onTouched(lane);
      return changed;
    },
    async move(lane, box, to, entries) {
      const { partition } = lane;
      const target = { ...lane, endpointId: to };
      const scriptKeys = [
        streamOf(lane, box),
        streamOf(target, box),
        ...[NAMES[box], "try", "touched"].map((name) => keys.key(partition, name)),
      ];
      const most = box === "waiting" ? maxQueuedEvents : maxDeadLetters;
      const moved = await reach(partition, () =>
        inPortions(entries, async (places) =>
          readMoved(
            await commands.runScript(MOVE, scriptKeys, [
              nameOf(lane),
              nameOf(target),
              box,
              most,
              ...places,
            ]),
          ),
        ),
      );
      if (box === "waiting" && moved.changed > 0)
        for (const each of [lane, target]) onTouched(each);
      return moved;
    },
    find: (lane, eventId) => reach(lane.partition, () => find(lane, eventId)),
  };
}

function number(reply: unknown): number {
  if (typeof reply !== "number") throw unexpected("number");
  return reply;
}

function readMoved(reply: unknown): Moved {
  const [changed, isFull]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  return { changed: number(changed), isFull: number(isFull) === 1 };
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function longest(a: LaneFailure | undefined, b: LaneFailure | undefined): LaneFailure | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.sinceMs <= b.sinceMs ? a : b;
}
