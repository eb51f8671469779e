/** What operators ask of the outbox in Redis: how much waits, and what was given up. Reads only. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import type { Backlog, Backlogs, DeadLetter, LaneKey } from "./outbox.ts";
import { unexpected } from "./redis-entries.ts";
import type { RedisLanes } from "./redis-lanes.ts";
import { splitLaneName } from "./redis-routing.ts";

export interface RedisBacklogs {
  /** Names in one of the partition's sets of lanes, apps or endpoints that have something. */
  members(partition: number, set: "lanes" | "holds" | "deads"): Promise<readonly string[]>;
  /** Of these partitions together. */
  of(partitions: readonly number[]): Promise<Backlogs>;
  /** Over all partitions, oldest first. Each is asked for `offset` + `limit`: pages far behind cost much. */
  deadLetters(
    appId: string,
    endpointId: string,
    offset: number,
    limit: number,
  ): Promise<readonly DeadLetter[]>;
}

export function createRedisBacklogs(
  commands: Commands,
  keys: Keys,
  lanes: RedisLanes,
): RedisBacklogs {
  async function members(partition: number, set: string): Promise<readonly string[]> {
    const reply = await commands.call("SMEMBERS", keys.key(partition, set));
    if (!Array.isArray(reply)) throw unexpected("set");
    return reply.map(String);
  }

  async function length(partition: number, ...parts: readonly string[]): Promise<number> {
    return Number(await commands.call("XLEN", keys.key(partition, ...parts)));
  }

  async function addLane(lane: LaneKey, endpoints: Map<string, Backlog>): Promise<void> {
    const { appId, endpointId } = lane;
    const { events, oldestMs, deadLetters } = await lanes.backlog(lane);
    const name = `${appId}:${endpointId}`;
    const sum = endpoints.get(name);
    endpoints.set(name, {
      appId,
      endpointId,
      events: events + (sum?.events ?? 0),
      oldestMs: earlier(oldestMs, sum?.oldestMs),
      deadLetters: deadLetters + (sum?.deadLetters ?? 0),
    });
  }

  async function addPartition(partition: number, endpoints: Map<string, Backlog>) {
    const [unrouted, waiting, dead, apps] = await Promise.all([
      length(partition, "ev"),
      members(partition, "lanes"),
      members(partition, "deads"),
      members(partition, "holds"),
    ]);
    const held = await Promise.all(apps.map((appId) => length(partition, "hold", appId)));
    const names = new Set([...waiting, ...dead]);
    await Promise.all(
      [...names].map((name) => addLane({ partition, ...splitLaneName(name) }, endpoints)),
    );
    return { unrouted, held: sum(held) };
  }

  return {
    members,
    async of(partitions) {
      const endpoints = new Map<string, Backlog>();
      const parts = await Promise.all(partitions.map((each) => addPartition(each, endpoints)));
      return {
        unrouted: sum(parts.map(({ unrouted }) => unrouted)),
        held: sum(parts.map(({ held }) => held)),
        // The stream has no bound of its own: Redis refuses what it cannot hold.
        overrun: 0,
        endpoints: [...endpoints.values()],
      };
    },
    async deadLetters(appId, endpointId, offset, limit) {
      const everywhere = Array.from({ length: keys.partitions }, (_, partition) =>
        lanes.deadLetters({ partition, appId, endpointId }, offset + limit),
      );
      const letters = (await Promise.all(everywhere)).flat();
      return letters.toSorted((a, b) => a.diedMs - b.diedMs).slice(offset, offset + limit);
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
