/** What operators do with the outbox in Redis. No lease is asked for: scripts leave a note for who has it. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { EndpointName } from "./operations.ts";
import type { LaneKey } from "./outbox.ts";
import type { Box, Entry, Moved, OutboxDesk } from "./outbox-desk.ts";
import type { RedisBacklogs } from "./redis-backlogs.ts";
import { createRedisDeskReads } from "./redis-desk-reads.ts";
import { unexpected } from "./redis-entries.ts";
import type { RedisLanes } from "./redis-lanes.ts";
import { laneName } from "./redis-routing.ts";

const script = (verb: string, numberOfKeys: number) =>
  loadScript(new URL(`./lua/${verb}.lua`, import.meta.url), numberOfKeys);

/** dead, deads, lane, lanes, tries, touched */
const REPLAY = script("replay", 6);
/** stream, names, tries, touched, losses */
const DROP = script("drop", 5);
/** source, target, names, tries, touched */
const MOVE = script("move", 5);

/** Events that one script moves: Redis does nothing else for about a millisecond. */
const MOVED_AT_ONCE = 200;

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
  const { commands, keys, lanes, maxQueuedEvents, maxDeadLetters, onTouched, reach } = parts;
  const reads = createRedisDeskReads({ ...parts, streamOf });
  const all = Array.from({ length: keys.partitions }, (_, partition) => partition);

  const nameOf = ({ appId, endpointId }: EndpointName): string => laneName(appId, endpointId);

  function streamOf(lane: LaneKey, box: Box): string {
    return keys.key(lane.partition, STREAM[box], nameOf(lane));
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

  return {
    partitions: keys.partitions,
    backlogs: (appId) => reach(0, () => reads.backlogs(appId)),
    counts: (of, box) =>
      reach(0, () =>
        Promise.all(
          all.map(async (partition) =>
            Number(await commands.call("XLEN", streamOf({ ...of, partition }, box))),
          ),
        ),
      ),
    letters: (lane) => reach(lane.partition, () => reads.letters(lane)),
    waiting: (lane, count) =>
      reach(lane.partition, async () =>
        (await lanes.read(lane, undefined, count)).map(({ place, event }) => ({
          place,
          id: event.id,
          event,
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
        ...[NAMES[box], "try", "touched", "losses"].map((name) => keys.key(partition, name)),
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
    find: (lane, eventId) => reach(lane.partition, () => reads.find(lane, eventId)),
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
