/** What ends in a lane: events that were delivered, failures, dead letters. Source: architecture.md §5, Failure. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { DeadLetter, DeathReason, FailResult, Failure, LaneKey } from "./outbox.ts";
import {
  decidedMsOf,
  type Placed,
  readDeadLetters,
  readLane,
  unexpected,
} from "./redis-entries.ts";
import { laneName } from "./redis-routing.ts";

const script = (verb: string, numberOfKeys: number) =>
  loadScript(new URL(`./lua/${verb}.lua`, import.meta.url), numberOfKeys);

/** lease, lane, lanes, tries */
const SETTLE = script("settle", 4);
/** lease, lane, tries */
const FAIL = script("fail", 3);
/** lease, lane, lanes, tries, dead, deads, losses */
const BURY = script("bury", 7);
/** lease, dead, deads, losses */
const EXPIRE = script("expire", 4);
/** lane, dead */
const BACKLOG = script("backlog", 2);

/** The most that one failed attempt moves to the dead letters. */
const MAX_BURIED_AT_ONCE = 500;

/** Dead letters that one call looks at. */
const EXPIRED_AT_ONCE = 500;

export interface RedisLanesParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly owner: string;
  /** Of one endpoint in one partition. */
  readonly maxDeadLetters: number;
  readonly maxDeadLetterAgeMs: number;
}

export interface LaneBacklog {
  readonly events: number;
  /** Epoch ms; undefined when nothing waits. */
  readonly oldestMs: number | undefined;
  readonly deadLetters: number;
}

/** Those that change something answer `lost` to one who is not the owner. */
export interface RedisLanes {
  read(lane: LaneKey, after: string | undefined, count: number): Promise<readonly Placed[]>;
  /** Answers how many it took out of the lane's head. */
  settle(lane: LaneKey, ids: readonly string[]): Promise<number | "lost">;
  /** Notes a failure; answers the ids of the events that are given up for it. */
  fail(lane: LaneKey, failure: Failure): Promise<readonly string[] | "lost">;
  /** The events stand among the oldest 500 of the lane. */
  bury(
    lane: LaneKey,
    ids: readonly string[],
    reason: DeathReason,
    status: string,
  ): Promise<FailResult | "lost">;
  renew(lane: LaneKey): Promise<void>;
  backlog(lane: LaneKey): Promise<LaneBacklog>;
  /** The oldest `count`. */
  deadLetters(lane: LaneKey, count: number): Promise<readonly DeadLetter[]>;
  /** How many dead letters were too old. */
  expire(lane: LaneKey): Promise<number | "lost">;
}

export function createRedisLanes(parts: RedisLanesParts): RedisLanes {
  const { commands, keys, owner, maxDeadLetters, maxDeadLetterAgeMs } = parts;

  /** Keys of the lane's partition; `q` and `dead` are the lane's own. */
  function keysOf(lane: LaneKey, ...names: readonly string[]): string[] {
    const own = laneName(lane.appId, lane.endpointId);
    return names.map((name) =>
      name === "q" || name === "dead"
        ? keys.key(lane.partition, name, own)
        : keys.key(lane.partition, name),
    );
  }

  const nameOf = ({ appId, endpointId }: LaneKey): string => laneName(appId, endpointId);

  return {
    async read(lane, after, count) {
      const [key = ""] = keysOf(lane, "q");
      const from = after === undefined ? "-" : `(${after}`;
      return readLane(await commands.call("XRANGE", key, from, "+", "COUNT", count), lane.appId);
    },
    async settle(lane, ids) {
      const all = keysOf(lane, "disp", "q", "lanes", "try");
      // One text: each argument of its own costs a call, on both sides.
      const args = [owner, nameOf(lane), ids.join(","), ids.length];
      const taken = number(await commands.runScript(SETTLE, all, args));
      return taken === -1 ? "lost" : taken;
    },
    async fail(lane, { status, budgetMs }) {
      const all = keysOf(lane, "disp", "q", "try");
      const args = [owner, nameOf(lane), status, budgetMs, MAX_BURIED_AT_ONCE];
      const reply = await commands.runScript(FAIL, all, args);
      if (reply === -1) return "lost";
      if (!Array.isArray(reply)) throw unexpected("list of ids");
      return reply.map(String);
    },
    async bury(lane, ids, reason, status) {
      if (ids.length === 0) return { buried: [], dropped: 0 };
      const all = keysOf(lane, "disp", "q", "lanes", "try", "dead", "deads", "losses");
      const how = [reason, status, maxDeadLetters, MAX_BURIED_AT_ONCE];
      const reply = await commands.runScript(BURY, all, [owner, nameOf(lane), ...how, ...ids]);
      if (reply === -1) return "lost";
      const [dropped, ...buried]: readonly unknown[] = Array.isArray(reply) ? reply : [];
      return { dropped: number(dropped), buried: buried.map(String) };
    },
    async renew(lane) {
      await commands.call("HDEL", keys.key(lane.partition, "try"), nameOf(lane));
    },
    async backlog(lane) {
      const reply = await commands.runScript(BACKLOG, keysOf(lane, "q", "dead"), []);
      const [events, oldest, deadLetters]: readonly unknown[] = Array.isArray(reply) ? reply : [];
      const oldestMs =
        typeof oldest !== "string" || oldest === "" ? undefined : decidedMsOf(oldest);
      return { events: number(events), oldestMs, deadLetters: number(deadLetters) };
    },
    async deadLetters(lane, count) {
      const [key = ""] = keysOf(lane, "dead");
      const reply = await commands.call("XRANGE", key, "-", "+", "COUNT", count);
      return readDeadLetters(reply, lane.appId).map(({ letter }) => letter);
    },
    async expire(lane) {
      const reply = await commands.runScript(
        EXPIRE,
        keysOf(lane, "disp", "dead", "deads", "losses"),
        [owner, nameOf(lane), maxDeadLetterAgeMs, EXPIRED_AT_ONCE],
      );
      const dropped = number(reply);
      return dropped === -1 ? "lost" : dropped;
    },
  };
}

function number(reply: unknown): number {
  if (typeof reply !== "number") throw unexpected("number");
  return reply;
}
