/**
 * Who dispatches what: every dispatcher lists itself, and who is wanted for a partition follows from a list alone,
 * so that all agree without talking. Source: architecture.md §5, Who dispatches.
 *
 * A Redis that is there or away as a whole has one list, in partition 0. On a Redis Cluster each partition has its
 * own: a dispatcher that does not reach the partition's master drops out of it, and another one is wanted instead.
 */
import { createHash } from "node:crypto";
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { RedisUnavailableError } from "../redis/redis-unavailable.ts";
import { loadScript } from "../redis/script.ts";
import { unexpected } from "./redis-entries.ts";

/** dispatchers */
const ENLIST = loadScript(new URL("./lua/enlist.lua", import.meta.url), 1);

export interface DispatchersParts {
  readonly commands: Commands;
  readonly keys: Keys;
  /** The name of this dispatcher. */
  readonly owner: string;
  /** How long one that says nothing stays on a list, in ms. */
  readonly leaseMs: number;
  readonly isCluster: boolean;
}

export interface Dispatchers {
  /**
   * Lists this one; answers the partitions that it should own, in order. As before where a list cannot be read.
   * Rejects with RedisUnavailableError when none has ever been.
   */
  enlist(): Promise<readonly number[]>;
  /** Takes this one off all lists. */
  resign(): Promise<void>;
}

/** A list as it was read last. */
interface List {
  readonly names: string;
  readonly wanted: readonly number[];
}

export function createDispatchers(parts: DispatchersParts): Dispatchers {
  const { commands, keys, owner, leaseMs, isCluster } = parts;
  const all = Array.from({ length: keys.partitions }, (_, partition) => partition);
  const lists = new Map<number, List>();

  async function enlistIn(home: number): Promise<void> {
    const reply = await commands.runScript(
      ENLIST,
      [keys.key(home, "dispatchers")],
      [owner, leaseMs],
    );
    if (!Array.isArray(reply)) throw unexpected("list of dispatchers");
    const dispatchers = reply.map(String).toSorted();
    const names = dispatchers.join("\n");
    if (lists.get(home)?.names === names) return;
    const decided = isCluster ? [home] : all;
    lists.set(home, {
      names,
      wanted: decided.filter((partition) => isWanted(dispatchers, owner, partition)),
    });
  }

  const homes = isCluster ? all : [0];
  return {
    async enlist() {
      const results = await Promise.allSettled(homes.map(enlistIn));
      for (const result of results) {
        if (result.status === "fulfilled") continue;
        // Partitions that lie elsewhere are still to be looked after.
        const mayPass = lists.size > 0 && result.reason instanceof RedisUnavailableError;
        if (!mayPass) throw result.reason;
      }
      return homes.flatMap((home) => lists.get(home)?.wanted ?? []);
    },
    async resign() {
      await Promise.all(
        homes.map((home) => commands.call("ZREM", keys.key(home, "dispatchers"), owner)),
      );
    },
  };
}

/**
 * Whether `owner` weighs most for the partition among `dispatchers`. When one comes or goes, only the partitions
 * that it gains or had change hands.
 */
export function isWanted(
  dispatchers: readonly string[],
  owner: string,
  partition: number,
): boolean {
  const own = weight(owner, partition);
  return dispatchers.every((other) => other === owner || weight(other, partition) < own);
}

function weight(dispatcher: string, partition: number): number {
  return createHash("sha1").update(`${partition}:${dispatcher}`).digest().readUIntBE(0, 6);
}
